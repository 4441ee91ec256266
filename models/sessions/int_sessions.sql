{# a view: what a session did and how it ended are stored once, beside each other #}
{{ config(materialized='view') }}

{# The sessions as the marts count them. #}
with

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}

),

outcomes as (

    select * from {{ ref('int_sessions__outcomes') }}

),

sessions_with_outcomes as (

    select
        sessions.session_key,
        sessions.user_number,
        sessions.user_session_number,
        sessions.session_started_at,
        sessions.session_date,
        sessions.duration_seconds,
        sessions.starters,
        sessions.count_events,
        sessions.last_event_code,
        sessions.path_codes,
        coalesce(sessions.platform, '(unknown)') as platform,
        coalesce(sessions.app_version, '(unknown)') as app_version,
        coalesce(sessions.city, '(unknown)') as city,
        outcomes.outcome,
        outcomes.is_bounce,
        outcomes.is_completed
    from sessions
    inner join outcomes
        on sessions.session_key = outcomes.session_key

)

select * from sessions_with_outcomes
