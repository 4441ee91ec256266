{# What comes before an event and after it, at whatever step. Additive over dates and
   platforms, never over starters. #}
with

edges_daily as (

    select * from {{ ref('int_journey_edges_daily') }}

),

nodes as (

    select * from {{ ref('int_journey_nodes') }}

),

neighbors as (

    select
        session_date,
        starter_event_name,
        platform,
        source_code,
        target_code,
        count_sessions
    from edges_daily
    union all
    {# a session's first event comes from nowhere #}
    select
        session_date,
        starter_event_name,
        platform,
        {{ start_code() }} as source_code,
        source_code as target_code,
        count_sessions
    from edges_daily
    where step_number = 1

),

neighbors_summed as (

    select
        session_date,
        starter_event_name,
        platform,
        source_code,
        target_code,
        sum(count_sessions) as count_transitions
    from neighbors
    group by all

),

neighbors_named as (

    select
        neighbors_summed.session_date,
        neighbors_summed.starter_event_name,
        neighbors_summed.platform,
        sources.node_short_name as source_node,
        sources.node_kind as source_kind,
        targets.node_short_name as target_node,
        targets.node_kind as target_kind,
        cast(neighbors_summed.count_transitions as bigint) as count_transitions
    from neighbors_summed
    inner join nodes as sources
        on neighbors_summed.source_code = sources.node_code
    inner join nodes as targets
        on neighbors_summed.target_code = targets.node_code

)

select * from neighbors_named
