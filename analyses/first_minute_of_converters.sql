{# a session shorter than a minute has no whole first minute, and one that has converted
   within it is what we want to foresee: both are left out #}
with sessions as (
    select * from {{ ref('fct_sessions') }}
),

session_events as (
    select * from {{ ref('fct_session_events') }}
),

minutes as (
    select
        session_id,
        user_id,
        is_converted,
        session_started_at + interval 60 second as minute_ended_at
    from sessions
    where
        outcome != 'open'
        and duration_seconds >= 60
        and coalesce(converted_at > session_started_at + interval 60 second, true)
),

steps_of_minutes as (
    select distinct
        minutes.session_id,
        session_events.event_name
    from minutes
    inner join session_events on minutes.session_id = session_events.session_id
    where
        session_events.event_role = 'step'
        and session_events.event_at < minutes.minute_ended_at
),

event_names as (
    select distinct event_name from steps_of_minutes
),

{# sessions of one person are alike, so errors are by user #}
minutes_of_users as (
    select
        event_names.event_name,
        minutes.is_converted,
        minutes.user_id,
        count(*) as count_minutes,
        count(steps_of_minutes.session_id) as count_with_event
    from minutes
    cross join event_names
    left join steps_of_minutes
        on
            minutes.session_id = steps_of_minutes.session_id
            and event_names.event_name = steps_of_minutes.event_name
    group by event_names.event_name, minutes.is_converted, minutes.user_id
),

shares as (
    select
        event_name,
        is_converted,
        sum(count_minutes) as count_sessions,
        sum(count_with_event) as count_with_event,
        sum(count_with_event) / sum(count_minutes) as share_with_event,
        {{ variance_of_ratio('count_with_event', 'count_minutes') }} as variance
    from minutes_of_users
    group by event_name, is_converted
),

events_compared as (
    select
        converters.event_name,
        converters.count_sessions as count_converters,
        others.count_sessions as count_others,
        converters.share_with_event as share_of_converters,
        others.share_with_event as share_of_others,
        converters.share_with_event - others.share_with_event as difference,
        converters.share_with_event - others.share_with_event
        - 1.96 * sqrt(converters.variance + others.variance) as difference_low,
        converters.share_with_event - others.share_with_event
        + 1.96 * sqrt(converters.variance + others.variance) as difference_high,
        converters.count_with_event
        / (converters.count_with_event + others.count_with_event) as rate_with_event,
        (converters.count_sessions - converters.count_with_event)
        / (
            converters.count_sessions - converters.count_with_event
            + others.count_sessions - others.count_with_event
        ) as rate_without_event
    from shares as converters
    inner join shares as others on converters.event_name = others.event_name
    where converters.is_converted and not others.is_converted
)

select * from events_compared
order by abs(difference) desc, event_name
