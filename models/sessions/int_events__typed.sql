{# a view: one small join, read by the few models that need ambient events too #}
{{ config(materialized='view') }}

with

staged_events as (

    select * from {{ ref('stg_app__events') }}

),

event_types as (

    select * from {{ ref('stg_settings__event_types') }}

),

events_joined_to_types as (

    select
        staged_events.*,
        coalesce(event_types.event_role, 'step') as event_role,
        event_types.event_name is not null as is_known
    from staged_events
    left join event_types
        on staged_events.event_name = event_types.event_name

)

select * from events_joined_to_types
