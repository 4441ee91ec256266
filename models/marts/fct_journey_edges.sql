with

edges_daily as (

    select * from {{ ref('int_journey_edges_daily') }}

),

nodes as (

    select * from {{ ref('int_journey_nodes') }}

),

edges_summed as (

    select
        starter_event_name,
        step_number,
        source_code,
        target_code,
        sum(count_sessions) as count_sessions
    from edges_daily
    group by starter_event_name, step_number, source_code, target_code

),

edges_named as (

    select
        edges_summed.starter_event_name,
        cast(edges_summed.step_number as bigint) as step_number,
        sources.node as source_event,
        sources.node_kind as source_kind,
        targets.node as target_event,
        targets.node_kind as target_kind,
        cast(edges_summed.count_sessions as bigint) as count_sessions
    from edges_summed
    inner join nodes as sources
        on edges_summed.source_code = sources.node_code
    inner join nodes as targets
        on edges_summed.target_code = targets.node_code

)

select * from edges_named
