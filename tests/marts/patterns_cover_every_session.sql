{# Each session is of one pattern, and the marts of patterns count them all alike. #}
with

sessions as (

    select * from {{ ref('fct_sessions') }}

),

session_patterns as (

    select * from {{ ref('fct_session_patterns') }}

),

patterns as (

    select * from {{ ref('dim_patterns') }}

),

patterns_daily as (

    select * from {{ ref('fct_patterns_daily') }}

),

sessions_without_pattern as (

    select 'session ' || sessions.session_id as what
    from sessions
    left join session_patterns
        on sessions.session_id = session_patterns.session_id
    where session_patterns.session_id is null

),

patterns_summed as (

    select
        pattern_id,
        sum(count_sessions) as count_sessions,
        sum(count_open) as count_open,
        sum(count_converted) as count_converted
    from patterns_daily
    group by pattern_id

),

patterns_that_differ as (

    select 'pattern ' || patterns.pattern_id as what
    from patterns
    left join patterns_summed
        on patterns.pattern_id = patterns_summed.pattern_id
    where
        patterns.count_sessions != coalesce(patterns_summed.count_sessions, 0)
        or patterns.count_open != coalesce(patterns_summed.count_open, 0)
        or abs(
            coalesce(patterns.conversion_rate, 0)
            * (patterns.count_sessions - patterns.count_open)
            - coalesce(patterns_summed.count_converted, 0)
        ) > 0.001

),

totals_that_differ as (

    select 'all' as what
    where
        (select count(*) from sessions)
        != (select coalesce(sum(count_sessions), 0) from patterns)

)

select what from sessions_without_pattern
union all
select what from patterns_that_differ
union all
select what from totals_that_differ
