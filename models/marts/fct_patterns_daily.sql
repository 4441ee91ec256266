with

session_patterns as (

    select * from {{ ref('int_session_patterns') }}

),

sessions as (

    select * from {{ ref('int_sessions') }}

),

patterns_by_day as (

    select
        sessions.session_date,
        sessions.platform,
        session_patterns.pattern_id,
        count(*) as count_sessions,
        count(case when sessions.outcome = 'open' then 1 end) as count_open,
        count(case when sessions.outcome = 'converted' then 1 end) as count_converted,
        cast(
            {{ sum_of_seconds(
                'sessions.duration_seconds', "sessions.outcome != 'open'"
            ) }} as double
        ) as duration_seconds_not_open
    from session_patterns
    inner join sessions
        on session_patterns.session_key = sessions.session_key
    group by
        sessions.session_date,
        sessions.platform,
        session_patterns.pattern_id

)

select * from patterns_by_day
