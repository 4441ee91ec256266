{# a view: the accepted rows are stored once, with numbers for names #}
{{ config(materialized='view') }}

with

staged_rows as (

    select * from {{ ref('base_app__staged_rows') }}

),

users as (

    select * from {{ ref('base_app__users') }}

),

event_names as (

    select * from {{ ref('base_app__event_names') }}

),

contexts as (

    select * from {{ ref('base_app__contexts') }}

),

staged_events as (

    select
        {{ event_id_of('staged_rows') }} as event_id,
        users.user_id,
        landed_users.user_id as landed_user_id,
        event_names.event_name,
        contexts.platform,
        contexts.app_version,
        contexts.city,
        staged_rows.event_at,
        staged_rows.received_at,
        staged_rows.has_valid_received_at,
        {{ seconds_between('staged_rows.event_at', 'staged_rows.received_at') }}
            as lag_seconds
    from staged_rows
    inner join users
        on staged_rows.user_number = users.user_number
    inner join users as landed_users
        on staged_rows.landed_user_number = landed_users.user_number
    inner join event_names
        on staged_rows.event_code = event_names.event_code
    inner join contexts
        on staged_rows.context_code = contexts.context_code

)

select * from staged_events
