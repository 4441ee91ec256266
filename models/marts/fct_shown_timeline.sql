{# What pages show of single people: the timelines of the users seen last, with the
   steps of their sessions. No user id is in it. #}
with

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}

),

outcomes as (

    select * from {{ ref('int_sessions__outcomes') }}

),

shown_users as (

    select * from {{ ref('int_shown_users') }}

),

shown_steps as (

    select * from {{ ref('int_shown_steps') }}

),

user_timeline as (

    select * from {{ ref('int_user_timeline') }}

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

{# users first: numbering the rows of all would cost more than all the rest #}
rows_of_shown_users as (

    select
        shown_users.shown_user_number,
        shown_users.display_name,
        user_timeline.*,
        cast(row_number() over (
            partition by shown_users.shown_user_number
            order by user_timeline.user_session_number, user_timeline.kind_order
        ) as bigint) as row_number
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

rows_described as (

    select
        shown_rows.shown_user_number,
        shown_rows.display_name,
        shown_rows.row_number,
        shown_rows.row_kind,
        {{ local_date_text('shown_rows.started_at') }} as started_on,
        {{ local_time_text('shown_rows.started_at') }} as started_time,
        {{ local_date_text('shown_rows.ended_at') }} as ended_on,
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
        shown_steps.count_path_steps,
        shown_steps.path_steps
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
    left join shown_steps
        on shown_rows.session_key = shown_steps.session_key

)

select * from rows_described
