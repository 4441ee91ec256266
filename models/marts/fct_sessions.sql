{{ config(materialized='incremental', redone_by='session_id') }}
-- depends_on: {{ ref('int_redone_sessions') }}

with

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}
    {{ only_redone('session') }}

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

{# the name of event n at place n #}
event_names as (

    select {{ list_in_order('event_name', 'event_code') }} as names
    from event_roles

),

sessions_with_outcomes as (

    select
        sessions.session_id,
        users.user_id,
        cast(sessions.user_session_number as bigint) as user_session_number,
        sessions.session_started_at,
        sessions.session_ended_at,
        sessions.session_date,
        sessions.duration_seconds,

        {{ element_of('sessions.starters', 1) }} as lead_starter,
        {{ joined_or_null('sessions.starters', ' → ') }} as starter_path,
        cast({{ count_of('sessions.starters') }} as bigint) as count_starters,
        sessions.count_events,
        sessions.count_steps,
        first_events.event_name as first_event_name,
        last_events.event_name as last_event_name,
        last_events.event_role as last_event_role,
        {{ path_text(
            'sessions.path_codes', 'sessions.count_actions', 'event_names.names'
        ) }} as path,

        outcomes.furthest_funnel,
        outcomes.furthest_stage_order,
        outcomes.furthest_stage,
        outcomes.expected_event_name,
        outcomes.outcome,
        outcomes.result,
        outcomes.is_bounce,
        outcomes.outcome = 'converted' as is_converted,
        outcomes.is_completed,
        outcomes.converted_at,

        sessions.platform,
        sessions.app_version,
        sessions.city,
        sessions.user_session_number = 1 as is_new_user
    from sessions
    inner join outcomes
        on sessions.session_key = outcomes.session_key
    inner join users
        on sessions.user_number = users.user_number
    inner join event_roles as first_events
        on sessions.first_event_code = first_events.event_code
    inner join event_roles as last_events
        on sessions.last_event_code = last_events.event_code
    cross join event_names

)

select * from sessions_with_outcomes
