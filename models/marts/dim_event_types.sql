{# Names that arrived and names that are set, so that either one missing is seen. #}
with

typed_events as (

    select * from {{ ref('int_events__typed') }}

),

event_types as (

    select * from {{ ref('stg_settings__event_types') }}

),

arrived_names as (

    select
        event_name,
        count(*) as count_events,
        min(event_at) as first_seen_at,
        max(event_at) as last_seen_at
    from typed_events
    group by event_name

),

names_joined as (

    select
        coalesce(arrived_names.event_name, event_types.event_name) as event_name,
        {{ short_name('coalesce(arrived_names.event_name, event_types.event_name)') }}
            as event_short_name,
        coalesce(event_types.event_role, 'step') as event_role,
        {{ short_name('coalesce(event_types.label, arrived_names.event_name)') }}
            as label,
        event_types.event_name is not null as is_known,
        coalesce(arrived_names.count_events, 0) as count_events,
        arrived_names.first_seen_at,
        arrived_names.last_seen_at
    from arrived_names
    full outer join event_types
        on arrived_names.event_name = event_types.event_name

)

select * from names_joined
