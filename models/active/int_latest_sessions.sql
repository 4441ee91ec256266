{# a view: few are asked for, those that may still go on #}
{{ config(materialized='view') }}

{# The last session of each user: how far it came, how likely it was then to drop, and
   what the playbook says of that place. Nothing here depends on the clock. #}
with

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}
    where is_last_of_user

),

outcomes as (

    select * from {{ ref('int_sessions__outcomes') }}

),

users as (

    select * from {{ ref('base_app__users') }}

),

event_roles as (

    select * from {{ ref('int_event_roles') }}

),

event_types as (

    select * from {{ ref('stg_settings__event_types') }}

),

funnels as (

    select * from {{ ref('stg_settings__funnels') }}

),

funnel_stages as (

    select * from {{ ref('stg_settings__funnel_stages') }}

),

playbook as (

    select * from {{ ref('stg_settings__playbook') }}

),

stage_risks as (

    select * from {{ ref('int_stage_risks') }}

),

drop_risk_terms as (

    select * from {{ ref('fitted_drop_risk') }}

),

usual_risks as (

    select
        stage_order,
        round(base_rate, 6) as usual_drop_risk
    from drop_risk_terms
    where term = 'intercept'

),

{# risk is judged at the stages of the primary funnel; before the first of them, at the
   start of the session #}
sessions_placed as (

    select
        sessions.session_key,
        sessions.session_id,
        sessions.user_number,
        sessions.session_started_at,
        sessions.session_ended_at,
        sessions.last_event_code,
        coalesce({{ element_of('sessions.starters', 1) }}, '(unmarked)')
            as lead_starter,
        outcomes.outcome = 'converted' as is_converted,
        outcomes.converted_at,
        outcomes.furthest_funnel,
        outcomes.furthest_stage_order,
        case when funnels.is_primary then outcomes.furthest_stage_order else 0 end
            as risk_stage_order
    from sessions
    inner join outcomes
        on sessions.session_key = outcomes.session_key
    left join funnels
        on outcomes.furthest_funnel = funnels.funnel

),

sessions_described as (

    select
        sessions_placed.session_id,
        users.user_id,
        {{ display_name('users.user_id') }} as display_name,
        sessions_placed.session_started_at,
        sessions_placed.session_ended_at as last_event_at,
        event_roles.event_name as last_event_name,
        sessions_placed.lead_starter,
        coalesce(event_types.label, sessions_placed.lead_starter)
        || coalesce(' → ' || funnel_stages.stage_label, '') as journey,
        sessions_placed.furthest_funnel as funnel,
        sessions_placed.furthest_stage_order as stage_order,
        funnel_stages.stage,
        coalesce(funnel_stages.stage_label, 'Start of the session') as stage_label,
        sessions_placed.is_converted,
        sessions_placed.converted_at,
        stage_risks.drop_risk,
        usual_risks.usual_drop_risk,
        playbook.stuck_after_seconds,
        playbook.suggestion
    from sessions_placed
    inner join users
        on sessions_placed.user_number = users.user_number
    inner join event_roles
        on sessions_placed.last_event_code = event_roles.event_code
    left join event_types
        on sessions_placed.lead_starter = event_types.event_name
    left join funnel_stages
        on
            sessions_placed.furthest_funnel = funnel_stages.funnel
            and sessions_placed.furthest_stage_order = funnel_stages.stage_order
    left join stage_risks
        on
            sessions_placed.session_key = stage_risks.session_key
            and sessions_placed.risk_stage_order = stage_risks.stage_order
    left join usual_risks
        on sessions_placed.risk_stage_order = usual_risks.stage_order
    left join playbook
        on funnel_stages.stage = playbook.stage

)

select * from sessions_described
