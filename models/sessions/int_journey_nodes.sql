{# The places that a journey edge may lead from and to: events, and what is none. #}
with

event_names as (

    select * from {{ ref('base_app__event_names') }}

),

nodes as (

    select
        event_code as node_code,
        event_name as node,
        {{ short_name('event_name') }} as node_short_name,
        'event' as node_kind
    from event_names
    union all
    select
        node_code,
        node,
        node as node_short_name,
        node_kind
    from (
        values
        (0, '(none)', 'none'),
        (-1, '(dropped)', 'end'),
        (-2, '(converted)', 'end'),
        (-3, '(open)', 'end'),
        (-4, '(longer)', 'end'),
        ({{ other_code() }}, '(other)', 'other'),
        ({{ start_code() }}, '(start)', 'start')
    ) as other_nodes (node_code, node, node_kind)

)

select * from nodes
