{# a view: joined once a build, by the fit and by the backtest #}
{{ config(materialized='view') }}

{# How the sessions that reached a stage and are not open ended. #}
with

stage_moments as (

    select * from {{ ref('int_stage_moments') }}

),

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}

),

outcomes as (

    select * from {{ ref('int_sessions__outcomes') }}

),

stage_outcomes as (

    select
        stage_moments.*,
        sessions.session_id,
        sessions.session_started_at,
        case when outcomes.outcome = 'dropped' then 1 else 0 end as is_dropped
    from stage_moments
    inner join sessions
        on stage_moments.session_key = sessions.session_key
    inner join outcomes
        on stage_moments.session_key = outcomes.session_key
    where outcomes.outcome != 'open'

)

select * from stage_outcomes
