{# a view: the judged rows are stored once #}
{{ config(materialized='view') }}

with

judged_rows as (

    select * from {{ ref('base_app__judged_rows') }}

),

staged_events as (

    select
        event_id,
        user_id,
        event_name,
        platform,
        app_version,
        city,
        event_at,
        received_at,
        has_valid_received_at,
        {{ seconds_between('event_at', 'received_at') }} as lag_seconds
    from judged_rows
    where reject_reason is null

)

select * from staged_events
