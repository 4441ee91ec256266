with

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}

),

outcomes as (

    select * from {{ ref('int_sessions__outcomes') }}

),

sessions_with_outcomes as (

    select
        sessions.session_id,
        sessions.user_id,
        sessions.user_session_number,
        sessions.session_started_at,
        sessions.session_ended_at,
        {{ reporting_date('sessions.session_started_at') }} as session_date,
        sessions.duration_seconds,

        sessions.lead_starter,
        sessions.starter_path,
        sessions.count_starters,
        sessions.count_events,
        sessions.count_steps,
        sessions.first_event_name,
        sessions.last_event_name,
        sessions.last_event_role,
        sessions.path,

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
        on sessions.session_id = outcomes.session_id

)

select * from sessions_with_outcomes
