{{ config(materialized='incremental', redone_by='nothing') }}

{# A number for each platform, app version and city that came together. #}
with

landed_rows as (

    select * from {{ ref('base_app__rows') }}

),

arrived_values as (

    select distinct
        platform,
        app_version,
        city
    from landed_rows

),

new_values as (

    select * from arrived_values
    {% if is_incremental_build() %}
    except
    select
        platform,
        app_version,
        city
    from {{ this }}
    {% endif %}

),

values_numbered as (

    select
        cast(
            {{ largest_before('context_code') }}
            + row_number() over (order by platform, app_version, city)
            as integer
        ) as context_code,
        platform,
        app_version,
        city
    from new_values

)

select * from values_numbered
