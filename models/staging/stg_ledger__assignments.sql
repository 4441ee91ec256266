with

judged_rows as (

    select * from {{ ref('base_ledger__judged_rows') }}

),

people as (

    select * from {{ ref('stg_identities__people') }}

),

assignments as (

    select
        judged_rows.assignment_id,
        judged_rows.intervention,
        judged_rows.unit,
        coalesce(people.user_id, judged_rows.user_id) as user_id,
        judged_rows.session_id,
        judged_rows.stage,
        judged_rows.arm,
        judged_rows.planned_treated_share,
        judged_rows.assigned_at,
        judged_rows.received_at
    from judged_rows
    left join people
        on judged_rows.user_id = people.anonymous_id
    where judged_rows.reject_reason is null

)

select * from assignments
