{# What pages show of single people: the timelines of the users seen last, with the
   steps of their sessions. No user id is in it. #}
with

sessions as (

    select * from {{ ref('fct_sessions') }}

),

users as (

    select * from {{ ref('dim_users') }}

),

user_timeline as (

    select * from {{ ref('fct_user_timeline') }}

),

sessions_aggregated as (

    select * from {{ ref('int_sessions__aggregated') }}

),

session_events as (

    select * from {{ ref('int_events__sessionized') }}

),

event_names as (

    select * from {{ ref('base_app__event_names') }}

),

event_types as (

    select * from {{ ref('dim_event_types') }}

),

funnel_stages as (

    select * from {{ ref('stg_settings__funnel_stages') }}

),

users_by_last_session as (

    select
        user_id,
        max(session_started_at) as last_session_at
    from sessions
    group by user_id

),

shown_users as (

    select
        user_id,
        row_number() over (order by last_session_at desc, user_id asc)
            as shown_user_number
    from users_by_last_session
    qualify shown_user_number <= {{ var('shown_users') }}

),

shown_rows as (

    select
        shown_users.shown_user_number,
        {{ short_name('users.display_name') }} as display_name,
        user_timeline.*
    from user_timeline
    inner join shown_users
        on user_timeline.user_id = shown_users.user_id
    inner join users
        on user_timeline.user_id = users.user_id
    qualify
        row_number() over (
            partition by shown_users.shown_user_number
            order by user_timeline.row_number desc
        ) <= {{ var('shown_rows_per_user') }}

),

{# from the paths, so that only the events that begin a step are looked at #}
shown_steps as (

    select
        sessions_aggregated.session_id,
        sessions_aggregated.session_key,
        sessions_aggregated.session_started_at,
        sessions_aggregated.count_actions,
        sessions_aggregated.path_codes,
        generate_subscripts(sessions_aggregated.path_codes, 1) as step_number,
        unnest(sessions_aggregated.path_codes) as path_code
    from sessions_aggregated
    inner join shown_rows
        on sessions_aggregated.session_id = shown_rows.session_id

),

steps_named as (

    select
        shown_steps.session_id,
        shown_steps.step_number,
        event_types.event_short_name,
        {{ path_repeats(
            'shown_steps.path_codes', 'shown_steps.step_number', 'shown_steps.count_actions'
        ) }} as count_repeats,
        round({{ seconds_between(
            'shown_steps.session_started_at', 'session_events.event_at'
        ) }}, 1) as seconds_after_start
    from shown_steps
    inner join session_events
        on
            shown_steps.session_key = session_events.session_key
            and {{ action_number_of('shown_steps.path_code') }}
            = session_events.action_number
    inner join event_names
        on {{ event_code_of('shown_steps.path_code') }} = event_names.event_code
    inner join event_types
        on event_names.event_name = event_types.event_name

),

steps_listed as (

    select
        session_id,
        count(*) as count_path_steps,
        {{ json_list(
            ['event_short_name', 'count_repeats', 'seconds_after_start'],
            'step_number', 'step_number <= ' ~ var('shown_steps_per_session')
        ) }} as path_steps
    from steps_named
    group by session_id

),

rows_described as (

    select
        shown_rows.shown_user_number,
        shown_rows.display_name,
        shown_rows.row_number,
        shown_rows.row_kind,
        {{ local_time_text('shown_rows.started_at', '%Y-%m-%d') }} as started_on,
        {{ local_time_text('shown_rows.started_at') }} as started_time,
        {{ local_time_text('shown_rows.ended_at', '%Y-%m-%d') }} as ended_on,
        shown_rows.started_at,
        shown_rows.session_id,
        shown_rows.starter_path,
        shown_rows.outcome,
        shown_rows.result,
        shown_rows.count_events,
        shown_rows.duration_seconds,
        {{ short_name('sessions.expected_event_name') }} as expected_event_name,
        sessions.is_converted
        or funnel_stages.stage_outcome is not null as has_reached_goal,
        {{ short_name('sessions.last_event_name') }} as last_event_name,
        sessions.platform,
        sessions.is_bounce,
        shown_rows.ambient_summary,
        steps_listed.count_path_steps,
        steps_listed.path_steps
    from shown_rows
    left join sessions
        on shown_rows.session_id = sessions.session_id
    left join funnel_stages
        on
            sessions.furthest_funnel = funnel_stages.funnel
            and sessions.furthest_stage_order = funnel_stages.stage_order
    left join steps_listed
        on shown_rows.session_id = steps_listed.session_id

)

select * from rows_described
