{# a view: the last gap of every user grows with each day #}
{{ config(materialized='view') }}

{# A user's sessions, and after each the whole days until the next one, or until
   as_of's. #}
with

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}

),

outcomes as (

    select * from {{ ref('int_sessions__outcomes') }}

),

ambient_daily as (

    select * from {{ ref('int_ambient_daily') }}

),

event_names as (

    select * from {{ ref('base_app__event_names') }}

),

event_types as (

    select * from {{ ref('stg_settings__event_types') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

gaps as (

    select
        sessions.user_number,
        sessions.user_session_number,
        {{ reporting_date('sessions.session_ended_at') }} + 1 as first_silent_date,
        coalesce(
            sessions.next_session_date, {{ reporting_date('as_of.as_of') }}
        ) - 1 as last_silent_date
    from sessions
    cross join as_of
    where
        {{ reporting_date('sessions.session_ended_at') }} + 1
        < coalesce(sessions.next_session_date, {{ reporting_date('as_of.as_of') }})

),

ambient_in_gaps as (

    select
        gaps.user_number,
        gaps.user_session_number,
        event_types.label,
        sum(ambient_daily.count_events) as count_events
    from gaps
    inner join ambient_daily
        on
            gaps.user_number = ambient_daily.user_number
            and ambient_daily.event_date >= gaps.first_silent_date
            and ambient_daily.event_date <= gaps.last_silent_date
    inner join event_names
        on ambient_daily.event_code = event_names.event_code
    inner join event_types
        on event_names.event_name = event_types.event_name
    group by gaps.user_number, gaps.user_session_number, event_types.label

),

gaps_summarized as (

    select
        user_number,
        user_session_number,
        {{ joined_in_order(
            counted('count_events', 'label'), 'count_events desc, label asc'
        ) }} as ambient_summary
    from ambient_in_gaps
    group by user_number, user_session_number

),

timeline as (

    select
        sessions.user_number,
        sessions.user_session_number,
        'session' as row_kind,
        1 as kind_order,
        sessions.session_started_at as started_at,
        sessions.session_ended_at as ended_at,
        sessions.session_key,
        sessions.session_id,
        {{ joined_or_null('sessions.starters', ' → ') }} as starter_path,
        outcomes.outcome,
        outcomes.result,
        sessions.count_events,
        sessions.duration_seconds,
        cast(null as string) as ambient_summary
    from sessions
    inner join outcomes
        on sessions.session_key = outcomes.session_key
    union all
    select
        gaps.user_number,
        gaps.user_session_number,
        'gap' as row_kind,
        2 as kind_order,
        {{ local_midnight('gaps.first_silent_date') }} as started_at,
        {{ local_midnight('gaps.last_silent_date') }} as ended_at,
        null as session_key,
        null as session_id,
        null as starter_path,
        null as outcome,
        null as result,
        null as count_events,
        null as duration_seconds,
        gaps_summarized.ambient_summary
    from gaps
    left join gaps_summarized
        on
            gaps.user_number = gaps_summarized.user_number
            and gaps.user_session_number = gaps_summarized.user_session_number

)

select * from timeline
