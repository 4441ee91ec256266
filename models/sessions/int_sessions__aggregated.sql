{{ config(materialized='incremental', redone_by='replaced_session') }}
-- depends_on: {{ ref('int_replaced_sessions') }}

{# What a session's events say of it, before it is known how it ended. #}
with

session_events as (

    select * from {{ ref('int_events__sessionized') }}
    {{ only_made_now() }}

),

event_roles as (

    select * from {{ ref('int_event_roles') }}

),

users as (

    select * from {{ ref('base_app__users') }}

),

contexts as (

    select * from {{ ref('base_app__contexts') }}

),

events_aggregated as (

    select
        session_events.session_key,
        min(session_events.event_at) as session_started_at,
        max(session_events.event_at) as session_ended_at,
        count(*) as count_events,
        count(session_events.action_number) as count_actions,
        count(case when event_roles.event_role = 'step' then 1 end) as count_steps,
        min_by(session_events.event_code, session_events.event_number)
            as first_event_code,
        max_by(session_events.event_code, session_events.event_number)
            as last_event_code,
        min(session_events.context_code) as lowest_context_code,
        max(session_events.context_code) as highest_context_code,
        max(case when session_events.is_opening then session_events.event_uuid end)
            as opening_event_uuid,
        max(case when session_events.is_opening then session_events.event_text end)
            as opening_event_text,
        {{ codes_in_order(
            'session_events.action_number', 'session_events.event_code', 'session_events.is_new_step'
        ) }} as path_codes
    from session_events
    inner join event_roles
        on session_events.event_code = event_roles.event_code
    group by session_events.session_key

),

{# a starter in a session opened it or joined; each counts once, in their order #}
starters_deduplicated as (

    select
        session_events.session_key,
        session_events.event_code,
        min(session_events.event_number) as event_number
    from session_events
    inner join event_roles
        on session_events.event_code = event_roles.event_code
    where event_roles.event_role = 'starter'
    group by session_events.session_key, session_events.event_code

),

starters_listed as (

    select
        session_key,
        {{ codes_in_order('event_number', 'event_code') }} as starter_codes
    from starters_deduplicated
    group by session_key

),

{# most sessions have one context throughout; only the others' events are looked at
   again #}
contexts_of_sessions as (

    select
        events_aggregated.session_key,
        contexts.platform,
        contexts.app_version,
        contexts.city
    from events_aggregated
    inner join contexts
        on events_aggregated.lowest_context_code = contexts.context_code
    where
        events_aggregated.lowest_context_code
        = events_aggregated.highest_context_code
    union all
    select
        session_events.session_key,
        {{ first_not_null('contexts.platform', 'session_events.event_number') }}
            as platform,
        {{ first_not_null('contexts.app_version', 'session_events.event_number') }}
            as app_version,
        {{ first_not_null('contexts.city', 'session_events.event_number') }} as city
    from session_events
    inner join events_aggregated
        on session_events.session_key = events_aggregated.session_key
    inner join contexts
        on session_events.context_code = contexts.context_code
    where
        events_aggregated.lowest_context_code
        != events_aggregated.highest_context_code
    group by session_events.session_key

),

next_sessions as (

    select
        session_key,
        lead(session_key) over user_sessions as next_session_key,
        lead(session_started_at) over user_sessions as next_started_at
    from events_aggregated
    window
        user_sessions as (
            partition by {{ user_number_of('session_key') }}
            order by session_key
        )

),

{# the name of event n at place n #}
event_names as (

    select {{ list_in_order('event_name', 'event_code') }} as names
    from event_roles

),

sessions_aggregated as (

    select
        events_aggregated.session_key,
        {{ hash_key([
            'users.user_id', event_id_of('events_aggregated', 'opening_event')
        ]) }} as session_id,
        users.user_number,
        {{ user_session_number_of('events_aggregated.session_key') }}
            as user_session_number,
        events_aggregated.session_started_at,
        events_aggregated.session_ended_at,
        {{ reporting_date('events_aggregated.session_started_at') }} as session_date,
        {{ seconds_between(
            'events_aggregated.session_started_at',
            'events_aggregated.session_ended_at'
        ) }}
            as duration_seconds,
        events_aggregated.count_events,
        events_aggregated.count_actions,
        events_aggregated.count_steps,
        events_aggregated.first_event_code,
        events_aggregated.last_event_code,
        events_aggregated.opening_event_uuid,
        events_aggregated.opening_event_text,
        events_aggregated.path_codes,
        coalesce(
            {{ names_of_codes(
                'starters_listed.starter_codes', 'event_names.names'
            ) }},
            {{ list_of([]) }}
        ) as starters,
        contexts_of_sessions.platform,
        contexts_of_sessions.app_version,
        contexts_of_sessions.city,
        {{ reporting_date('next_sessions.next_started_at') }} as next_session_date,
        next_sessions.next_session_key is null as is_last_of_user
    from events_aggregated
    inner join users
        on {{ user_number_of('events_aggregated.session_key') }} = users.user_number
    left join contexts_of_sessions
        on events_aggregated.session_key = contexts_of_sessions.session_key
    left join starters_listed
        on events_aggregated.session_key = starters_listed.session_key
    left join next_sessions
        on events_aggregated.session_key = next_sessions.session_key
    cross join event_names

)

select * from sessions_aggregated
