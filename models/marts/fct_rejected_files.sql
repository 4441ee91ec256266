{# Which files hold rejected rows, and why: the rows themselves are in staging, with
   their payload. #}
with

rejected_events as (

    select * from {{ ref('stg_app__rejected_rows') }}

),

rejected_assignments as (

    select * from {{ ref('stg_ledger__rejected_rows') }}

),

rejected_identities as (

    select * from {{ ref('stg_identities__rejected_rows') }}

),

rejected_rows as (

    select
        'events' as landing_zone,
        file_name,
        file_row_number,
        reject_reason
    from rejected_events
    union all
    select
        'interventions' as landing_zone,
        file_name,
        file_row_number,
        reject_reason
    from rejected_assignments
    union all
    select
        'identities' as landing_zone,
        file_name,
        file_row_number,
        reject_reason
    from rejected_identities

),

rows_counted as (

    select
        landing_zone,
        file_name,
        reject_reason,
        count(*) as count_rows,
        min(file_row_number) as first_row_number
    from rejected_rows
    group by landing_zone, file_name, reject_reason

)

select * from rows_counted
