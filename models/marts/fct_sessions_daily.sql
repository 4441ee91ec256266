{# Additive over dates and platforms, never over starters: what pages filter and sum. #}
with

sessions as (

    select * from {{ ref('fct_sessions') }}

),

session_groups as (

    select * from {{ ref('int_session_groups') }}

),

sessions_by_day as (

    select
        sessions.session_date,
        session_groups.starter_event_name,
        coalesce(sessions.platform, '(unknown)') as platform,
        count(*) as count_sessions,
        sum(sessions.count_starters) as count_system_marked,
        count(case when sessions.outcome = 'open' then 1 end) as count_open,
        coalesce(
            sum(sessions.count_events) filter (where sessions.outcome != 'open'), 0
        ) as count_events_not_open,
        {{ sum_of_seconds('sessions.duration_seconds', "sessions.outcome != 'open'") }}
            as duration_seconds_not_open,
        count(case when sessions.is_bounce then 1 end) as count_bounces,
        count(case when sessions.is_converted then 1 end) as count_converted,
        count(case when sessions.is_completed then 1 end) as count_completed
    from sessions
    inner join session_groups
        on sessions.session_id = session_groups.session_id
    group by
        sessions.session_date,
        session_groups.starter_event_name,
        coalesce(sessions.platform, '(unknown)')

)

select
    session_date,
    starter_event_name,
    platform,
    count_sessions,
    cast(count_system_marked as bigint) as count_system_marked,
    count_open,
    cast(count_events_not_open as bigint) as count_events_not_open,
    cast(duration_seconds_not_open as double) as duration_seconds_not_open,
    count_bounces,
    count_converted,
    count_completed
from sessions_by_day
