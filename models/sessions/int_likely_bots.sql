{{ config(materialized='incremental', redone_by='changed_user') }}

{# Users who did more in one hour of the clock than a person can. #}
with

staged_rows as (

    select * from {{ ref('base_app__staged_rows') }}
    {{ only_redone('changed_user') }}

),

{# few users did as much at all; only their hours are counted #}
busy_users as (

    select
        user_number,
        count(*) as count_events,
        min(event_at) as first_event_at,
        max(event_at) as last_event_at
    from staged_rows
    group by user_number
    having count(*) > {{ var('bot_events_per_hour') }}

),

hours_of_busy_users as (

    select
        staged_rows.user_number,
        date_trunc('hour', staged_rows.event_at) as hour_begins_at,
        count(*) as count_events
    from staged_rows
    inner join busy_users
        on staged_rows.user_number = busy_users.user_number
    group by staged_rows.user_number, date_trunc('hour', staged_rows.event_at)

),

busiest_hours as (

    select
        user_number,
        max(count_events) as busiest_hour_events
    from hours_of_busy_users
    group by user_number

),

likely_bots as (

    select
        busy_users.user_number,
        busy_users.count_events,
        busiest_hours.busiest_hour_events,
        busy_users.first_event_at,
        busy_users.last_event_at
    from busy_users
    inner join busiest_hours
        on busy_users.user_number = busiest_hours.user_number
    where busiest_hours.busiest_hour_events > {{ var('bot_events_per_hour') }}

)

select * from likely_bots
