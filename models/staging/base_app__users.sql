{{ config(materialized='incremental', redone_by='nothing') }}

{# A number for each user_id, smaller to store, sort and compare; it never leaves the
   warehouse. #}
with

landed_rows as (

    select * from {{ ref('base_app__rows') }}

),

people as (

    select * from {{ ref('stg_identities__people') }}

),

landed_values as (

    select distinct user_id
    from landed_rows
    where user_id is not null

),

known_values as (

    select user_id from landed_values
    {% if is_incremental_build() %}
    union
    select user_id from {{ this }}
    {% endif %}

),

{# people whose own id may never have landed #}
arrived_values as (

    select user_id from landed_values
    union
    select people.user_id
    from people
    inner join known_values
        on people.anonymous_id = known_values.user_id

),

new_values as (

    select user_id
    from arrived_values
    {% if is_incremental_build() %}
    where user_id not in (select user_id from {{ this }})
    {% endif %}

),

values_numbered as (

    select
        cast(
            {{ largest_before('user_number') }} + row_number() over (order by user_id)
            as integer
        ) as user_number,
        user_id
    from new_values

)

select * from values_numbered
