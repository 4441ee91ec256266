{# into an event at a step = out of it at the next; step 1 sums to the sessions #}
with

edges as (

    select * from {{ ref('fct_journey_edges') }}

),

sessions_daily as (

    select * from {{ ref('fct_sessions_daily') }}

),

arrivals as (

    select
        starter_event_name,
        step_number + 1 as step_number,
        target_event as node,
        sum(count_sessions) as count_sessions
    from edges
    where target_kind = 'event'
    group by starter_event_name, step_number, target_event
    union all
    select
        starter_event_name,
        1 as step_number,
        '' as node,
        sum(count_sessions) as count_sessions
    from sessions_daily
    group by starter_event_name

),

departures as (

    select
        starter_event_name,
        step_number,
        source_event as node,
        sum(count_sessions) as count_sessions
    from edges
    where step_number > 1
    group by starter_event_name, step_number, source_event
    union all
    select
        starter_event_name,
        1 as step_number,
        '' as node,
        sum(count_sessions) as count_sessions
    from edges
    where step_number = 1
    group by starter_event_name

)

(
    select * from arrivals
    except
    select * from departures
)
union all
(
    select * from departures
    except
    select * from arrivals
)
