{# folding loses no session, and each transition has its neighbors #}
with

edges as (

    select
        starter_event_name,
        step_number,
        sum(count_sessions) as count_sessions
    from {{ ref('fct_journey_edges') }}
    group by starter_event_name, step_number

),

flows as (

    select
        starter_event_name,
        step_number,
        sum(count_sessions) as count_sessions
    from {{ ref('fct_journey_flows_daily') }}
    group by starter_event_name, step_number

),

transitions as (

    select
        starter_event_name,
        sum(count_sessions) as count_transitions
    from edges
    group by starter_event_name

),

neighbors as (

    select
        starter_event_name,
        sum(count_transitions) as count_transitions
    from {{ ref('fct_event_neighbors_daily') }}
    where source_kind != 'start'
    group by starter_event_name

)

select
    edges.starter_event_name,
    edges.step_number
from edges
left join flows
    on
        edges.starter_event_name = flows.starter_event_name
        and edges.step_number = flows.step_number
where
    edges.step_number <= {{ var('journey_shown_steps') }}
    and edges.count_sessions != coalesce(flows.count_sessions, 0)
union all
select
    transitions.starter_event_name,
    0 as step_number
from transitions
left join neighbors
    on transitions.starter_event_name = neighbors.starter_event_name
where transitions.count_transitions != coalesce(neighbors.count_transitions, 0)
