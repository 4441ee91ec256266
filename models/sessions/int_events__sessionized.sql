{# The one place that decides what a session is. A system event opens a session;
   silence is only the fallback. "Action" is a starter or a step: what can open or be joined. #}
with

typed_events as (

    select * from {{ ref('int_events__typed') }}

),

events_lagged as (

    select
        event_id,
        user_id,
        event_name,
        event_role,
        event_at,
        platform,
        app_version,
        city,
        event_role in ('starter', 'step') as is_action,
        lag(event_at) over user_events as previous_event_at,
        row_number() over user_events as user_event_number
    from typed_events
    where event_role != 'ambient'
    window user_events as (partition by user_id order by event_at, event_id)

),

{# no session holds a longer gap: what lies on two sides of a timeout never joins #}
timeouts_marked as (

    select
        *,
        {{ is_after_timeout('previous_event_at', 'event_at') }} as is_after_timeout
    from events_lagged

),

timeouts_counted as (

    select
        *,
        count(case when is_after_timeout then 1 end) over (
            partition by user_id
            order by user_event_number
            rows between unbounded preceding and current row
        ) as count_timeouts
    from timeouts_marked

),

actions_marked as (

    select
        *,
        case
            when is_action then {
                'event_id': event_id,
                'event_at': event_at,
                'event_role': event_role,
                'count_timeouts': count_timeouts
            }
        end as action
    from timeouts_counted

),

events_beside_actions as (

    select
        *,
        {{ nearest_before('action', 'user_events') }} as previous_action,
        {{ nearest_after('action', 'user_events') }} as next_action
    from actions_marked
    window user_events as (partition by user_id order by user_event_number)

),

events_placed as (

    select
        *,
        is_action and previous_action is null as is_first_action,
        case when is_action then event_at else next_action.event_at end
            as first_action_at,
        {# telemetry shortly before the first action belongs to the session it opens #}
        not is_action
        and previous_action is null
        and coalesce(next_action.count_timeouts = count_timeouts, false)
        and {{ is_within_join('event_at', 'next_action.event_at') }} as is_leading_in,
        event_role = 'starter'
        and coalesce(previous_action.event_role = 'starter', false)
        and coalesce(previous_action.count_timeouts = count_timeouts, false)
        and {{ is_within_join('previous_action.event_at', 'event_at') }} as is_joining
    from events_beside_actions

),

{# a session begins at its first event, even when a later one opens it #}
session_beginnings_marked as (

    select
        *,
        previous_event_at is null
        or is_after_timeout
        or case
            when is_leading_in or is_first_action
                then not {{ is_within_join('previous_event_at', 'first_action_at') }}
            else event_role = 'starter' and not is_joining
        end as is_beginning
    from events_placed

),

opening_events_marked as (

    select
        *,
        case
            when is_leading_in then next_action.event_id
            when is_beginning or is_first_action then event_id
        end as opening_event_id
    from session_beginnings_marked

),

events_numbered as (

    select
        *,
        count(case when is_beginning then 1 end) over user_events_so_far
            as user_session_number,
        max(case when is_beginning then user_event_number end) over user_events_so_far
            as first_event_number,
        {{ latest_up_to_here('opening_event_id', 'user_events_so_far') }}
            as latest_opening_event_id
    from opening_events_marked
    window user_events_so_far as (
        partition by user_id
        order by user_event_number
        rows between unbounded preceding and current row
    )

),

events_sessionized as (

    select
        event_id,
        {{ hash_key(['user_id', 'latest_opening_event_id']) }} as session_id,
        user_id,
        event_name,
        event_role,
        event_at,
        user_event_number - first_event_number + 1 as event_number,
        user_session_number,
        platform,
        app_version,
        city
    from events_numbered

)

select * from events_sessionized
