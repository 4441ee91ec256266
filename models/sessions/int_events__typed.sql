{# a view: one small join, read by the few models that need ambient events too #}
{{ config(materialized='view') }}

with

staged_rows as (

    select * from {{ ref('base_app__staged_rows') }}

),

event_roles as (

    select * from {{ ref('int_event_roles') }}

),

likely_bots as (

    select * from {{ ref('int_likely_bots') }}

),

events_joined_to_roles as (

    select
        staged_rows.*,
        event_roles.event_role,
        event_roles.is_known,
        {% if var('exclude_bots') %}
        staged_rows.user_number in (select likely_bots.user_number from likely_bots)
            as is_excluded
        {% else %}
        false as is_excluded
        {% endif %}
    from staged_rows
    inner join event_roles
        on staged_rows.event_code = event_roles.event_code

)

select * from events_joined_to_roles
