{# Which files hold rejected rows, and why: the rows themselves are in staging, with
   their payload. #}
with

rejected_rows as (

    select
        'events' as landing_zone,
        file_name,
        file_row_number,
        reject_reason
    from {{ ref('stg_app__rejected_rows') }}
    union all
    select
        'interventions' as landing_zone,
        file_name,
        file_row_number,
        reject_reason
    from {{ ref('stg_ledger__rejected_rows') }}
    union all
    select
        'identities' as landing_zone,
        file_name,
        file_row_number,
        reject_reason
    from {{ ref('stg_identities__rejected_rows') }}

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
