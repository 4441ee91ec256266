{{ config(materialized='incremental', redone_by='session_or_patterns') }}

{# What was known of a session when it began, by which leaks are told apart. The pattern
   is that of the user's session before: its own is known only when it is over. #}
with

sessions as (

    select * from {{ ref('int_sessions') }}
    {{ only_redone('session_or_patterns') }}

),

session_patterns as (

    select * from {{ ref('int_session_patterns') }}

),

fitted_patterns as (

    select * from {{ ref('fitted_patterns') }}

),

patterns_named as (

    select distinct
        pattern_id,
        pattern_name
    from fitted_patterns
    where is_chosen

),

{# sessions of a user are numbered without a hole #}
sessions_segmented as (

    select
        sessions.session_key,
        sessions.user_number,
        sessions.platform,
        sessions.app_version,
        sessions.city,
        {{ user_type('sessions.user_session_number') }} as user_type,
        {{ hours_band('sessions.session_started_at') }} as hour_of_day,
        coalesce(patterns_named.pattern_name, '(first session)') as previous_pattern
    from sessions
    left join session_patterns
        on
            sessions.session_key - 1 = session_patterns.session_key
            and sessions.user_session_number > 1
    left join patterns_named
        on session_patterns.pattern_id = patterns_named.pattern_id
    where sessions.outcome != 'open'

)

select * from sessions_segmented
