{# a view: the rows of all small zones are stored once #}
{{ config(materialized='view') }}

with

zone_rows as (

    select * from {{ ref('base_zones__rows') }}
    where landing_zone = 'interventions'

),

ledger_rows as (

    select
        file_name,
        file_row_number,
        is_readable,
        assignment_id,
        intervention,
        unit,
        user_id,
        session_id,
        stage,
        arm,
        planned_treated_share,
        assigned_at,
        received_at,
        payload
    from zone_rows

)

select * from ledger_rows
