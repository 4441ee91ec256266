{{ config(materialized='incremental', redone_by='session') }}

{# Furthest stage and conversion of a session in each funnel it is evaluated on. #}
with

session_funnels as (

    select * from {{ ref('int_session_funnels') }}
    {{ only_redone('session') }}

),

session_stages as (

    select * from {{ ref('int_session_stages') }}
    {{ only_redone('session') }}

),

funnel_stages as (

    select * from {{ ref('stg_settings__funnel_stages') }}

),

stages_aggregated as (

    select
        session_stages.session_key,
        session_stages.funnel,
        max(session_stages.stage_order) as furthest_stage_order,
        max(
            case
                when
                    funnel_stages.stage_outcome is not null
                    then session_stages.stage_order
            end
        )
            as last_outcome_stage_order,
        max(
            case
                when
                    funnel_stages.stage_outcome = 'conversion'
                    then session_stages.reached_at
            end
        )
            as converted_at,
        max(
            case
                when
                    funnel_stages.stage_outcome = 'completion'
                    then session_stages.reached_at
            end
        )
            as completed_at
    from session_stages
    inner join funnel_stages
        on
            session_stages.funnel = funnel_stages.funnel
            and session_stages.stage_order = funnel_stages.stage_order
    group by session_stages.session_key, session_stages.funnel

),

funnel_results as (

    select
        session_funnels.session_key,
        session_funnels.funnel,
        coalesce(stages_aggregated.furthest_stage_order, 0) as furthest_stage_order,
        stages_aggregated.last_outcome_stage_order,
        stages_aggregated.converted_at,
        stages_aggregated.completed_at
    from session_funnels
    left join stages_aggregated
        on
            session_funnels.session_key = stages_aggregated.session_key
            and session_funnels.funnel = stages_aggregated.funnel

)

select * from funnel_results
