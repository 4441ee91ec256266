{{ config(materialized='incremental', redone_by='received_date') }}

{# What arrived, counted by the day it was received and by name. #}
with

typed_events as (

    select
        *,
        {{ reporting_date('received_at') }} as received_date,
        {{ seconds_between('event_at', 'received_at') }} as lag_seconds
    from {{ ref('int_events__typed') }}

),

events_to_count as (

    select * from typed_events
    {{ only_redone('received_date') }}

),

events_by_day as (

    select
        received_date,
        event_code,
        is_known,
        count(*) as count_events,
        count(case when lag_seconds > {{ var('late_after_seconds') }} then 1 end)
            as count_late,
        count(case when lag_seconds > 3600 then 1 end) as count_over_an_hour,
        count(case when lag_seconds > 86400 then 1 end) as count_over_a_day,
        max(lag_seconds) as max_lag_seconds,
        count(case when lag_seconds < 0 then 1 end) as count_ahead,
        max(-lag_seconds) as max_ahead_seconds,
        min(event_at) as first_event_at,
        max(event_at) as last_event_at,
        max(case when has_valid_received_at then received_at end) as last_received_at
    from events_to_count
    group by received_date, event_code, is_known

)

select * from events_by_day
