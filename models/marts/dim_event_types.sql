{# Names that arrived and names that are set, so that either one missing is seen. #}
with

events_daily as (

    select * from {{ ref('int_events_daily') }}

),

event_names as (

    select * from {{ ref('base_app__event_names') }}

),

event_types as (

    select * from {{ ref('stg_settings__event_types') }}

),

arrived_names as (

    select
        event_names.event_name,
        cast(sum(events_daily.count_events) as bigint) as count_events,
        min(events_daily.first_event_at) as first_seen_at,
        max(events_daily.last_event_at) as last_seen_at
    from events_daily
    inner join event_names
        on events_daily.event_code = event_names.event_code
    group by event_names.event_name

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
