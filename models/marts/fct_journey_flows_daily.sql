{# What the Sankey is drawn of: the first steps of the journey edges, each step's rarer
   events folded into (other), so that none is lost. Additive over dates and platforms,
   never over starters. #}
with

edges_daily as (

    select * from {{ ref('int_journey_edges_daily') }}
    where step_number <= {{ var('journey_shown_steps') }}

),

nodes as (

    select * from {{ ref('int_journey_nodes') }}

),

{# where the sessions of a starter are at each step; the last one shown leads one
   further #}
places as (

    select
        starter_event_name,
        step_number,
        source_code as node_code,
        sum(count_sessions) as count_sessions
    from edges_daily
    group by starter_event_name, step_number, source_code
    union all
    select
        starter_event_name,
        step_number + 1 as step_number,
        target_code as node_code,
        sum(count_sessions) as count_sessions
    from edges_daily
    where step_number = {{ var('journey_shown_steps') }} and target_code > 0
    group by starter_event_name, step_number, target_code

),

top_places as (

    select
        places.starter_event_name,
        places.step_number,
        places.node_code
    from places
    inner join nodes
        on places.node_code = nodes.node_code
    qualify
        row_number() over (
            partition by places.starter_event_name, places.step_number
            order by places.count_sessions desc, nodes.node asc
        ) <= {{ var('journey_top_events') }}

),

edges_folded as (

    select
        edges_daily.session_date,
        edges_daily.starter_event_name,
        edges_daily.platform,
        edges_daily.step_number,
        case
            when sources.node_code is not null then edges_daily.source_code
            else {{ other_code() }}
        end as source_code,
        case
            when targets.node_code is not null or edges_daily.target_code < 0
                then edges_daily.target_code
            else {{ other_code() }}
        end as target_code,
        edges_daily.count_sessions
    from edges_daily
    left join top_places as sources
        on
            edges_daily.starter_event_name = sources.starter_event_name
            and edges_daily.step_number = sources.step_number
            and edges_daily.source_code = sources.node_code
    left join top_places as targets
        on
            edges_daily.starter_event_name = targets.starter_event_name
            and edges_daily.step_number + 1 = targets.step_number
            and edges_daily.target_code = targets.node_code

),

edges_summed as (

    select
        session_date,
        starter_event_name,
        platform,
        step_number,
        source_code,
        target_code,
        sum(count_sessions) as count_sessions
    from edges_folded
    group by all

),

flows as (

    select
        edges_summed.session_date,
        edges_summed.starter_event_name,
        edges_summed.platform,
        cast(edges_summed.step_number as bigint) as step_number,
        sources.node_short_name as source_node,
        sources.node_kind as source_kind,
        targets.node_short_name as target_node,
        targets.node_kind as target_kind,
        cast(edges_summed.count_sessions as bigint) as count_sessions
    from edges_summed
    inner join nodes as sources
        on edges_summed.source_code = sources.node_code
    inner join nodes as targets
        on edges_summed.target_code = targets.node_code

)

select * from flows
