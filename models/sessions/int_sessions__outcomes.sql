{{ config(materialized='incremental', redone_by='session') }}

{# How a session ended: three states that sum to all, and the words for a reader. #}
with

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}
    {{ only_redone('session') }}

),

funnel_results as (

    select * from {{ ref('int_session_funnel_results') }}
    {{ only_redone('session') }}

),

funnels as (

    select * from {{ ref('stg_settings__funnels') }}

),

funnel_stages as (

    select * from {{ ref('stg_settings__funnel_stages') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

primary_funnel_results as (

    select funnel_results.*
    from funnel_results
    inner join funnels
        on funnel_results.funnel = funnels.funnel
    where funnels.is_primary

),

primary_first_stages as (

    select funnel_stages.*
    from funnel_stages
    inner join funnels
        on funnel_stages.funnel = funnels.funnel
    where funnels.is_primary and funnel_stages.stage_order = 1

),

{# the primary funnel first, then the others by name #}
furthest_funnels as (

    select
        funnel_results.session_key,
        funnel_results.funnel,
        funnel_results.furthest_stage_order,
        funnels.is_primary
    from funnel_results
    inner join funnels
        on funnel_results.funnel = funnels.funnel
    where funnel_results.furthest_stage_order > 0
    qualify
        row_number() over (
            partition by funnel_results.session_key
            order by funnels.is_primary desc, funnel_results.funnel asc
        ) = 1

),

furthest_stages as (

    select
        furthest_funnels.session_key,
        furthest_funnels.funnel as furthest_funnel,
        furthest_funnels.is_primary,
        reached_stages.stage_order as furthest_stage_order,
        reached_stages.stage as furthest_stage,
        reached_stages.stage_label,
        reached_stages.stage_outcome,
        reached_stages.result_label,
        next_stages.first_event_name as expected_event_name
    from furthest_funnels
    inner join funnel_stages as reached_stages
        on
            furthest_funnels.funnel = reached_stages.funnel
            and furthest_funnels.furthest_stage_order = reached_stages.stage_order
    left join funnel_stages as next_stages
        on
            furthest_funnels.funnel = next_stages.funnel
            and furthest_funnels.furthest_stage_order + 1 = next_stages.stage_order

),

conversions as (

    select
        primary_funnel_results.session_key,
        primary_funnel_results.converted_at,
        primary_funnel_results.completed_at,
        funnel_stages.result_label
    from primary_funnel_results
    left join funnel_stages
        on
            primary_funnel_results.funnel = funnel_stages.funnel
            and primary_funnel_results.last_outcome_stage_order
            = funnel_stages.stage_order

),

outcomes_decided as (

    select
        sessions.session_key,
        sessions.duration_seconds,
        sessions.count_steps,
        conversions.converted_at,
        conversions.completed_at is not null as is_completed,
        conversions.result_label as conversion_label,
        case
            when conversions.converted_at is not null then 'converted'
            when
                sessions.is_last_of_user
                and {{ may_go_on('sessions.session_ended_at', 'as_of.as_of') }}
                then 'open'
            else 'dropped'
        end as outcome
    from sessions
    cross join as_of
    left join conversions
        on sessions.session_key = conversions.session_key

),

outcomes_described as (

    select
        outcomes_decided.session_key,
        outcomes_decided.outcome,
        outcomes_decided.converted_at,
        outcomes_decided.is_completed,
        furthest_stages.furthest_funnel,
        furthest_stages.furthest_stage_order,
        furthest_stages.furthest_stage,
        case
            when
                furthest_stages.session_key is null
                then primary_first_stages.first_event_name
            else furthest_stages.expected_event_name
        end as expected_event_name,
        case
            when
                outcomes_decided.outcome = 'converted'
                then outcomes_decided.conversion_label
            when outcomes_decided.outcome = 'open' then 'Still active'
            when furthest_stages.session_key is null
                then 'Left before ' || primary_first_stages.stage_label
            when
                not furthest_stages.is_primary
                and furthest_stages.stage_outcome is not null
                then furthest_stages.result_label
            else 'Dropped at ' || furthest_stages.stage_label
        end as result,
        outcomes_decided.outcome = 'dropped'
        and outcomes_decided.duration_seconds < {{ var('bounce_under_seconds') }}
        {% if var('bounce_max_steps') is not none %}
        and outcomes_decided.count_steps <= {{ var('bounce_max_steps') }}
        {% endif %}
            as is_bounce
    from outcomes_decided
    cross join primary_first_stages
    left join furthest_stages
        on outcomes_decided.session_key = furthest_stages.session_key

)

select * from outcomes_described
