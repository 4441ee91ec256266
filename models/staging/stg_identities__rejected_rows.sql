with

judged_rows as (

    select * from {{ ref('base_identities__judged_rows') }}

),

rejected_rows as (

    select
        file_name,
        file_row_number,
        reject_reason,
        payload
    from judged_rows
    where reject_reason is not null

)

select * from rejected_rows
