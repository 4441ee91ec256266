{{ config(materialized='incremental', redone_by='session_date') }}

with

sessions as (

    select * from {{ ref('int_sessions') }}
    {{ only_redone('session_date') }}

),

sessions_by_day as (

    select
        session_date,
        coalesce({{ element_of('starters', 1) }}, '(unmarked)') as lead_starter,
        count(*) as count_sessions,
        sum({{ count_of('starters') }}) as count_system_marked,
        sum(count_events) as count_events,
        {{ sum_of_seconds('duration_seconds') }} as total_duration_seconds,
        count(case when is_bounce then 1 end) as count_bounces,
        count(case when outcome = 'converted' then 1 end) as count_converted,
        count(case when outcome = 'open' then 1 end) as count_open,
        coalesce(sum(count_events) filter (where outcome != 'open'), 0)
            as count_events_not_open,
        {{ sum_of_seconds('duration_seconds', "outcome != 'open'") }}
            as duration_seconds_not_open
    from sessions
    group by session_date, coalesce({{ element_of('starters', 1) }}, '(unmarked)')

)

select
    session_date,
    lead_starter,
    count_sessions,
    cast(count_system_marked as bigint) as count_system_marked,
    cast(count_events as bigint) as count_events,
    total_duration_seconds,
    count_bounces,
    count_converted,
    count_open,
    cast(count_events_not_open as bigint) as count_events_not_open,
    cast(duration_seconds_not_open as double) as duration_seconds_not_open
from sessions_by_day
