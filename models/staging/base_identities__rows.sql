{# a view: the rows of all small zones are stored once #}
{{ config(materialized='view') }}

with

zone_rows as (

    select * from {{ ref('base_zones__rows') }}
    where landing_zone = 'identities'

),

identities_rows as (

    select
        file_name,
        file_row_number,
        is_readable,
        anonymous_id,
        user_id,
        mapped_at,
        payload
    from zone_rows

)

select * from identities_rows
