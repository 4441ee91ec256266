{# the usual visit, cut where 30 minutes pass without an event, over the same events #}
with session_events as (
    select * from {{ ref('fct_session_events') }}
),

sessions as (
    select * from {{ ref('fct_sessions') }}
),

events_after_silence as (
    select
        session_id,
        user_id,
        event_id,
        event_at,
        coalesce(
            event_at - lag(event_at) over user_events > interval 30 minute, true
        ) as is_after_silence
    from session_events
    window user_events as (partition by user_id order by event_at, event_id)
),

events_of_visits as (
    select
        session_id,
        user_id,
        sum(cast(is_after_silence as integer)) over (
            partition by user_id
            order by event_at, event_id
            rows between unbounded preceding and current row
        ) as visit_number
    from events_after_silence
),

sessions_and_visits as (
    select distinct
        session_id,
        user_id,
        visit_number
    from events_of_visits
),

sessions_and_visits_counted as (
    select
        *,
        count(*) over (partition by session_id) as count_visits_of_session,
        count(*) over (partition by user_id, visit_number) as count_sessions_of_visit
    from sessions_and_visits
),

{# the two agree on a session where it is one visit, and the visit nothing but it #}
sessions_judged as (
    select
        session_id,
        max(count_visits_of_session) > 1 as is_cut,
        max(count_sessions_of_visit) > 1 as is_run_together
    from sessions_and_visits_counted
    group by session_id
),

visits as (
    select
        sessions_and_visits.user_id,
        sessions_and_visits.visit_number,
        count(*) as count_sessions,
        max(sessions.is_converted) as is_converted
    from sessions_and_visits
    inner join sessions on sessions_and_visits.session_id = sessions.session_id
    group by sessions_and_visits.user_id, sessions_and_visits.visit_number
),

visits_counted as (
    select
        count(*) as count_visits,
        avg(cast(is_converted as integer)) as conversion_rate_of_visits,
        max(count_sessions) as most_sessions_of_a_visit
    from visits
),

sessions_counted as (
    select
        count(*) as count_sessions,
        avg(cast(sessions.is_converted as integer)) as conversion_rate_of_sessions,
        count(*) filter (
            where not sessions_judged.is_cut and not sessions_judged.is_run_together
        ) as count_agreed,
        count(*) filter (
            where sessions_judged.is_cut and not sessions_judged.is_run_together
        ) as count_cut,
        count(*) filter (
            where not sessions_judged.is_cut and sessions_judged.is_run_together
        ) as count_run_together,
        count(*) filter (
            where sessions_judged.is_cut and sessions_judged.is_run_together
        ) as count_both
    from sessions_judged
    inner join sessions on sessions_judged.session_id = sessions.session_id
)

select
    sessions_counted.*,
    sessions_counted.count_agreed / sessions_counted.count_sessions as share_agreed,
    visits_counted.*
from sessions_counted
cross join visits_counted
