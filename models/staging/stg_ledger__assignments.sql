with

judged_rows as (

    select * from {{ ref('base_ledger__judged_rows') }}

),

assignments as (

    select
        assignment_id,
        intervention,
        unit,
        user_id,
        session_id,
        stage,
        arm,
        planned_treated_share,
        assigned_at,
        received_at
    from judged_rows
    where reject_reason is null

)

select * from assignments
