{# What was known of a session when it began, by which leaks are told apart. The pattern
   is that of the user's session before: its own is known only when it is over. #}
with

sessions as (

    select * from {{ ref('int_sessions') }}

),

session_patterns as (

    select * from {{ ref('int_session_patterns') }}

),

patterns as (

    select * from {{ ref('dim_patterns') }}

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
        coalesce(patterns.pattern_name, '(first session)') as previous_pattern
    from sessions
    left join session_patterns
        on
            sessions.session_key - 1 = session_patterns.session_key
            and sessions.user_session_number > 1
    left join patterns
        on session_patterns.pattern_id = patterns.pattern_id
    where sessions.outcome != 'open'

)

select * from sessions_segmented
