{# a view: the last gap of every user grows with each day #}
{{ config(materialized='view') }}

with

sessions as (

    select * from {{ ref('fct_sessions') }}

),

users as (

    select * from {{ ref('base_app__users') }}

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

{# the days between a session's last and the next one's first, or as_of's #}
sessions_with_silence as (

    select
        sessions.user_id,
        sessions.user_session_number,
        {{ reporting_date('sessions.session_ended_at') }} + 1 as first_silent_date,
        coalesce(
            lead(sessions.session_date) over (
                partition by sessions.user_id
                order by sessions.user_session_number
            ),
            {{ reporting_date('as_of.as_of') }}
        ) - 1 as last_silent_date
    from sessions
    cross join as_of

),

gaps as (

    select *
    from sessions_with_silence
    where first_silent_date <= last_silent_date

),

ambient_in_gaps as (

    select
        gaps.user_id,
        gaps.user_session_number,
        event_types.label,
        sum(ambient_daily.count_events) as count_events
    from gaps
    inner join users
        on gaps.user_id = users.user_id
    inner join ambient_daily
        on
            users.user_number = ambient_daily.user_number
            and ambient_daily.event_date >= gaps.first_silent_date
            and ambient_daily.event_date <= gaps.last_silent_date
    inner join event_names
        on ambient_daily.event_code = event_names.event_code
    inner join event_types
        on event_names.event_name = event_types.event_name
    group by gaps.user_id, gaps.user_session_number, event_types.label

),

gaps_summarized as (

    select
        user_id,
        user_session_number,
        {{ joined_in_order(
            counted('count_events', 'label'), 'count_events desc, label asc'
        ) }} as ambient_summary
    from ambient_in_gaps
    group by user_id, user_session_number

),

rows_of_users as (

    select
        user_id,
        user_session_number,
        1 as kind_order,
        'session' as row_kind,
        session_started_at as started_at,
        session_ended_at as ended_at,
        session_id,
        starter_path,
        outcome,
        result,
        count_events,
        duration_seconds,
        cast(null as varchar) as ambient_summary
    from sessions
    union all
    select
        gaps.user_id,
        gaps.user_session_number,
        2 as kind_order,
        'gap' as row_kind,
        {{ local_midnight('gaps.first_silent_date') }} as started_at,
        {{ local_midnight('gaps.last_silent_date') }} as ended_at,
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
            gaps.user_id = gaps_summarized.user_id
            and gaps.user_session_number = gaps_summarized.user_session_number

),

rows_numbered as (

    select
        user_id,
        row_number() over (
            partition by user_id
            order by user_session_number, kind_order
        ) as row_number,
        * exclude (user_id, user_session_number, kind_order)
    from rows_of_users

)

select * from rows_numbered
