{# the comparison is by user; new and returning apart say how much of it is who comes #}
with type_comparisons as (
    select * from {{ ref('fct_type_comparisons') }}
),

sessions as (
    select * from {{ ref('fct_sessions') }}
),

session_starters as (
    select * from {{ ref('fct_session_starters') }}
),

rates_by_starter as (
    select
        session_starters.starter_event_name,
        count(*) as count_sessions,
        avg(cast(sessions.is_converted as integer)) as conversion_rate,
        avg(cast(sessions.is_new_user as integer)) as share_new_users,
        avg(cast(sessions.is_converted as integer))
        filter (where sessions.is_new_user) as conversion_rate_new,
        avg(cast(sessions.is_converted as integer))
        filter (where not sessions.is_new_user) as conversion_rate_returning
    from session_starters
    inner join sessions on session_starters.session_id = sessions.session_id
    where sessions.outcome != 'open'
    group by session_starters.starter_event_name
),

against_journeys as (
    select *
    from type_comparisons
    where starter_a = 'Journey Started' and metric = 'conversion_rate'
),

starters_compared as (
    select
        rates_by_starter.*,
        against_journeys.difference,
        against_journeys.difference_low,
        against_journeys.difference_high,
        against_journeys.p_value_adjusted,
        against_journeys.verdict
    from rates_by_starter
    left join against_journeys
        on rates_by_starter.starter_event_name = against_journeys.starter_b
)

select * from starters_compared
order by conversion_rate desc, starter_event_name
