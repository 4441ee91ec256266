{# a view: the sessionized events are stored once, with numbers for names #}
{{ config(materialized='view') }}

with

session_events as (

    select * from {{ ref('int_events__sessionized') }}

),

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}

),

users as (

    select * from {{ ref('base_app__users') }}

),

event_roles as (

    select * from {{ ref('int_event_roles') }}

),

session_events_named as (

    select
        {{ event_id_of('session_events') }} as event_id,
        sessions.session_id,
        users.user_id,
        event_roles.event_name,
        event_roles.event_role,
        cast(session_events.event_number as bigint) as event_number,
        session_events.event_at
    from session_events
    inner join sessions
        on session_events.session_key = sessions.session_key
    inner join users
        on sessions.user_number = users.user_number
    inner join event_roles
        on session_events.event_code = event_roles.event_code

)

select * from session_events_named
