{# The role of each event name that arrived; a name missing from the settings is a step.
   #}
with

event_names as (

    select * from {{ ref('base_app__event_names') }}

),

event_types as (

    select * from {{ ref('stg_settings__event_types') }}

),

names_joined_to_types as (

    select
        event_names.event_code,
        event_names.event_name,
        coalesce(event_types.event_role, 'step') as event_role,
        event_types.event_name is not null as is_known
    from event_names
    left join event_types
        on event_names.event_name = event_types.event_name

)

select * from names_joined_to_types
