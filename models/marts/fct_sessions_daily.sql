{{ config(materialized='incremental', redone_by='session_date') }}

{# Additive over dates and platforms, never over starters: what pages filter and sum. #}
with

sessions as (

    select * from {{ ref('int_sessions') }}
    {{ only_redone('session_date') }}

),

sessions_by_starters as (

    select
        session_date,
        starters,
        platform,
        count(*) as count_sessions,
        count(case when outcome = 'open' then 1 end) as count_open,
        sum(case when outcome != 'open' then count_events else 0 end)
            as count_events_not_open,
        {{ sum_of_microseconds('duration_seconds', "outcome != 'open'") }}
            as microseconds_not_open,
        count(case when is_bounce then 1 end) as count_bounces,
        count(case when outcome = 'converted' then 1 end) as count_converted,
        count(case when is_completed then 1 end) as count_completed
    from sessions
    group by session_date, starters, platform

),

sessions_by_group as (

    select
        *,
        {{ groups_of('starters') }} as starter_event_name
    from sessions_by_starters

),

sessions_by_day as (

    select
        session_date,
        starter_event_name,
        platform,
        cast(sum(count_sessions) as bigint) as count_sessions,
        cast(sum(count_sessions * {{ count_of('starters') }}) as bigint)
            as count_system_marked,
        cast(sum(count_open) as bigint) as count_open,
        cast(sum(count_events_not_open) as bigint) as count_events_not_open,
        cast(sum(microseconds_not_open) / 1e6 as double)
            as duration_seconds_not_open,
        cast(sum(count_bounces) as bigint) as count_bounces,
        cast(sum(count_converted) as bigint) as count_converted,
        cast(sum(count_completed) as bigint) as count_completed
    from sessions_by_group
    group by session_date, starter_event_name, platform

)

select * from sessions_by_day
