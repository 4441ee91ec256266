{{ config(materialized='incremental', redone_by='replaced_session') }}
-- depends_on: {{ ref('int_replaced_sessions') }}

{# The one place that decides what a session is. A system event opens a session; silence
   is only the fallback. "Action" is a starter or a step: what can open or be joined.

   The events are sorted once, by user, time and id, and then walked in that order:
   windows without a partition are not sorted again, and what must not cross users
   compares them. Such a window is no SQL to sqlfluff: #}
-- sqlfluff:ignore:parsing
{% set event_order = 'event_at, ' ~ event_id_order(ref('base_app__accepted_rows')) %}

with

typed_events as (

    select * from {{ ref('int_events__typed') }}

),

redone_users as (

    select * from {{ ref('int_redone_users') }}

),

events as (

    select
        typed_events.user_number,
        typed_events.event_at,
        typed_events.event_uuid,
        typed_events.event_text,
        typed_events.event_code,
        typed_events.context_code,
        typed_events.event_role = 'starter' as is_starter,
        typed_events.event_role in ('starter', 'step') as is_action,
        {% if is_incremental_build() %}
        redone_users.first_session_number,
        redone_users.has_earlier_action
        {% else %}
        1 as first_session_number,
        false as has_earlier_action
        {% endif %}
    from typed_events
    {% if is_incremental_build() %}
    inner join redone_users
        on
            typed_events.user_number = redone_users.user_number
            and typed_events.event_at >= redone_users.redone_from
    {% endif %}
    where typed_events.event_role != 'ambient' and typed_events.is_excluded is not true

),

first_actions as (

    select
        user_number,
        min(event_at) as first_action_at
    from events
    where is_action and not has_earlier_action
    group by user_number

),

{% if var('session_timeout_minutes') is not none %}

{# no session holds a longer gap: what lies before a timeout leads nothing in #}
leading_gaps as (

    select
        events.user_number,
        events.event_at,
        lag(events.event_at) over (
            partition by events.user_number order by events.event_at
        ) as previous_event_at
    from events
    inner join first_actions
        on events.user_number = first_actions.user_number
    where
        events.event_at <= first_actions.first_action_at
        and {{ is_within_join('events.event_at', 'first_actions.first_action_at') }}

),

last_leading_gaps as (

    select
        user_number,
        max(event_at) as leads_from
    from leading_gaps
    where {{ is_after_timeout('previous_event_at', 'event_at') }}
    group by user_number

),

{% endif %}

{# telemetry from leads_from on belongs to the session that the first action opens #}
first_actions_led as (

    select
        first_actions.user_number,
        first_actions.first_action_at,
        {% if var('session_timeout_minutes') is none %}
        {{ join_begins_at('first_actions.first_action_at') }} as leads_from
        {% else %}
        greatest(
            {{ join_begins_at('first_actions.first_action_at') }},
            last_leading_gaps.leads_from
        ) as leads_from
        {% endif %}
    from first_actions
    {% if var('session_timeout_minutes') is not none %}
    left join last_leading_gaps
        on first_actions.user_number = last_leading_gaps.user_number
    {% endif %}

),

events_in_order as (

    select
        events.*,
        first_actions_led.first_action_at,
        first_actions_led.leads_from
    from events
    left join first_actions_led
        on events.user_number = first_actions_led.user_number
    {{ ordered_by_user(event_order) }}

),

events_numbered as (

    select
        *,
        {{ row_position(event_order) }} as row_position
    from events_in_order

),

events_lagged as (

    select
        *,
        coalesce({{ row_before('user_number') }} != user_number, true)
            as is_first_of_user,
        case
            when {{ row_before('user_number') }} = user_number
                then {{ row_before('event_at') }}
        end as previous_event_at
    from events_numbered

),

timeouts_marked as (

    select
        *,
        {{ is_after_timeout('previous_event_at', 'event_at') }} as is_after_timeout
    from events_lagged

),

{# a stretch is what a user does without a timeout between #}
stretches_numbered as (

    select
        *,
        {{ so_far('count(case when is_first_of_user or is_after_timeout then 1 end)') }}
            as stretch_number
    from timeouts_marked

),

latest_actions as (

    select
        *,
        {{ latest_so_far('case when is_action then user_number end') }}
            as action_user_number,
        {{ latest_so_far('case when is_action then stretch_number end') }}
            as action_stretch_number,
        {{ latest_so_far('case when is_action then event_at end') }} as action_at,
        {{ latest_so_far('case when is_action then event_code end') }} as action_code,
        {{ latest_so_far('case when is_action then is_starter end') }}
            as action_is_starter
    from stretches_numbered

),

events_beside_previous_actions as (

    select
        *,
        has_earlier_action
        or coalesce({{ row_before('action_user_number') }} = user_number, false)
            as has_previous_action,
        {{ row_before('action_stretch_number') }} as previous_action_stretch_number,
        {{ row_before('action_at') }} as previous_action_at,
        {{ row_before('action_code') }} as previous_action_code,
        {{ row_before('action_is_starter') }} as previous_action_is_starter
    from latest_actions

),

events_placed as (

    select
        *,
        is_action and not has_previous_action as is_first_action,
        not is_action
        and not has_previous_action
        and coalesce(event_at between leads_from and first_action_at, false)
            as is_leading_in,
        is_starter
        and coalesce(
            previous_action_is_starter
            and previous_action_stretch_number = stretch_number,
            false
        )
        and {{ is_within_join('previous_action_at', 'event_at') }} as is_joining
    from events_beside_previous_actions

),

{# a session begins at its first event, even when a later one opens it #}
session_beginnings_marked as (

    select
        *,
        is_first_of_user
        or is_after_timeout
        or case
            when is_leading_in or is_first_action
                then coalesce(previous_event_at < leads_from, true)
            else is_starter and not is_joining
        end as is_beginning
    from events_placed

),

sessions_counted as (

    select
        *,
        is_first_action or (is_beginning and not is_leading_in) as is_opening,
        {{ so_far('count(case when is_beginning then 1 end)') }} as session_row,
        {{ so_far('count(case when is_action then 1 end)') }} as action_row
    from session_beginnings_marked

),

path_elements_marked as (

    select
        *,
        {{ latest_so_far('case when is_beginning then row_position end') }}
            as beginning_position,
        {{ latest_so_far(
            'case when is_beginning then action_row - cast(is_action as integer) end'
        ) }} as earlier_actions,
        {{ latest_so_far('case when is_first_of_user then session_row end') }}
            as first_session_row,
        {{ latest_so_far('case when is_action then session_row end') }}
            as action_session_row
    from sessions_counted

),

{# equal neighbours in the path of a session are one step #}
steps_marked as (

    select
        *,
        first_session_number + session_row - first_session_row as user_session_number,
        is_action and (
            previous_action_code is distinct from event_code
            or {{ row_before('action_session_row') }} is distinct from session_row
        ) as is_new_step
    from path_elements_marked

),

events_sessionized as (

    select
        {{ session_key('user_number', 'user_session_number') }} as session_key,
        cast(user_session_number as integer) as user_session_number,
        cast(row_position - beginning_position + 1 as integer) as event_number,
        event_uuid,
        event_text,
        event_code,
        context_code,
        event_at,
        is_opening,
        case when is_action then cast(action_row - earlier_actions as integer) end
            as action_number,
        is_new_step,
        cast({{ number_of_this_build() }} as integer) as build_number
    from steps_marked

)

select * from events_sessionized
