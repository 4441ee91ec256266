with

session_patterns as (

    select * from {{ ref('int_session_patterns') }}

),

patterns_by_day as (

    select
        session_date,
        platform,
        pattern_id,
        count(*) as count_sessions,
        count(case when outcome = 'open' then 1 end) as count_open,
        count(case when outcome = 'converted' then 1 end) as count_converted,
        cast(
            {{ sum_of_seconds('duration_seconds', "outcome != 'open'") }} as double
        ) as duration_seconds_not_open
    from session_patterns
    group by session_date, platform, pattern_id

)

select * from patterns_by_day
