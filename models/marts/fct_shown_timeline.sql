{# What pages show of single people: the timelines of the users seen last, with the
   steps of their sessions. No user id is in it. #}
with

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}

),

outcomes as (

    select * from {{ ref('int_sessions__outcomes') }}

),

users as (

    select * from {{ ref('base_app__users') }}

),

user_timeline as (

    select * from {{ ref('int_user_timeline') }}

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

short_names as (

    select
        event_names.event_code,
        event_types.event_short_name
    from event_names
    inner join event_types
        on event_names.event_name = event_types.event_name

),

shown_users as (

    select
        users.user_number,
        {{ short_name(display_name('users.user_id')) }} as display_name,
        row_number() over newest_first as shown_user_number,
        sum(least(sessions.user_session_number, {{ var('shown_rows_per_user') }}))
            over newest_first as count_sessions_so_far
    from sessions
    inner join users
        on sessions.user_number = users.user_number
    where sessions.is_last_of_user
    window
        newest_first as (
            order by sessions.session_started_at desc, users.user_id asc
            rows between unbounded preceding and current row
        )
    qualify
        shown_user_number <= {{ var('shown_users') }}
        and count_sessions_so_far <= {{ var('shown_sessions') }}

),

{# users first: numbering the rows of all would cost more than all the rest #}
rows_of_shown_users as (

    select
        shown_users.shown_user_number,
        shown_users.display_name,
        user_timeline.*,
        row_number() over (
            partition by shown_users.shown_user_number
            order by user_timeline.user_session_number, user_timeline.kind_order
        ) as row_number
    from user_timeline
    inner join shown_users
        on user_timeline.user_number = shown_users.user_number

),

shown_rows as (

    select *
    from rows_of_shown_users
    qualify
        row_number() over (
            partition by shown_user_number
            order by rows_of_shown_users.row_number desc
        ) <= {{ var('shown_rows_per_user') }}

),

{# from the paths, so that only the events that begin a step are looked at #}
shown_steps as (

    select
        sessions.session_key,
        sessions.session_started_at,
        sessions.count_actions,
        sessions.path_codes,
        generate_subscripts(sessions.path_codes, 1) as step_number,
        unnest(sessions.path_codes) as path_code
    from sessions
    inner join shown_rows
        on sessions.session_key = shown_rows.session_key

),

steps_named as (

    select
        shown_steps.session_key,
        shown_steps.step_number,
        short_names.event_short_name,
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
    inner join short_names
        on {{ event_code_of('shown_steps.path_code') }} = short_names.event_code

),

steps_listed as (

    select
        session_key,
        count(*) as count_path_steps,
        {{ json_list(
            ['event_short_name', 'count_repeats', 'seconds_after_start'],
            'step_number', 'step_number <= ' ~ var('shown_steps_per_session')
        ) }} as path_steps
    from steps_named
    group by session_key

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
        {{ short_name('outcomes.expected_event_name') }} as expected_event_name,
        outcomes.outcome = 'converted'
        or funnel_stages.stage_outcome is not null as has_reached_goal,
        last_events.event_short_name as last_event_name,
        sessions.platform,
        outcomes.is_bounce,
        shown_rows.ambient_summary,
        steps_listed.count_path_steps,
        steps_listed.path_steps
    from shown_rows
    left join sessions
        on shown_rows.session_key = sessions.session_key
    left join outcomes
        on shown_rows.session_key = outcomes.session_key
    left join short_names as last_events
        on sessions.last_event_code = last_events.event_code
    left join funnel_stages
        on
            outcomes.furthest_funnel = funnel_stages.funnel
            and outcomes.furthest_stage_order = funnel_stages.stage_order
    left join steps_listed
        on shown_rows.session_key = steps_listed.session_key

)

select * from rows_described
