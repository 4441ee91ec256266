{# What a session's events say of it, before it is known how it ended. #}
with

session_events as (

    select * from {{ ref('int_events__sessionized') }}

),

session_starters as (

    select * from {{ ref('int_session_starters') }}

),

session_steps as (

    select * from {{ ref('int_session_steps') }}

),

events_aggregated as (

    select
        session_id,
        user_id,
        user_session_number,
        min(event_at) as session_started_at,
        max(event_at) as session_ended_at,
        count(*) as count_events,
        count(case when event_role = 'step' then 1 end) as count_steps,
        min_by(event_name, event_number) as first_event_name,
        max_by(event_name, event_number) as last_event_name,
        max_by(event_role, event_number) as last_event_role,
        {{ first_not_null('platform', 'event_number') }} as platform,
        {{ first_not_null('app_version', 'event_number') }} as app_version,
        {{ first_not_null('city', 'event_number') }} as city
    from session_events
    group by session_id, user_id, user_session_number

),

starters_aggregated as (

    select
        session_id,
        min_by(starter_event_name, starter_position) as lead_starter,
        {{ joined_in_order('starter_event_name', 'starter_position', ' → ') }}
            as starter_path,
        count(*) as count_starters
    from session_starters
    group by session_id

),

path_elements as (

    select
        session_id,
        step_number,
        event_name
        || case when count_repeats > 1 then ' (' || count_repeats || 'x)' else '' end
            as path_element
    from session_steps

),

steps_aggregated as (

    select
        session_id,
        {{ joined_in_order('path_element', 'step_number', ' → ') }} as path
    from path_elements
    group by session_id

),

sessions_aggregated as (

    select
        events_aggregated.*,
        starters_aggregated.lead_starter,
        starters_aggregated.starter_path,
        coalesce(starters_aggregated.count_starters, 0) as count_starters,
        coalesce(steps_aggregated.path, '(none)') as path,
        {{ seconds_between('session_started_at', 'session_ended_at') }}
            as duration_seconds,
        lead(events_aggregated.session_id) over (
            partition by events_aggregated.user_id
            order by events_aggregated.user_session_number
        ) is null as is_last_of_user
    from events_aggregated
    left join starters_aggregated
        on events_aggregated.session_id = starters_aggregated.session_id
    left join steps_aggregated
        on events_aggregated.session_id = steps_aggregated.session_id

)

select * from sessions_aggregated
