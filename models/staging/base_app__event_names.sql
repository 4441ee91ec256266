{{ config(materialized='incremental', redone_by='nothing') }}

{# A number for each event_name, smaller to store, sort and compare; it never leaves the
   warehouse. #}
with

landed_rows as (

    select * from {{ ref('base_app__rows') }}

),

arrived_values as (

    select distinct event_name
    from landed_rows
    where event_name is not null

),

new_values as (

    select event_name
    from arrived_values
    {% if is_incremental_build() %}
    where event_name not in (select event_name from {{ this }})
    {% endif %}

),

values_numbered as (

    select
        cast(
            {{ largest_before('event_code') }} + row_number() over (order by event_name)
            as integer
        ) as event_code,
        event_name
    from new_values

)

select * from values_numbered
