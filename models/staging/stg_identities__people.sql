with

judged_rows as (

    select * from {{ ref('base_identities__judged_rows') }}

),

people as (

    select
        anonymous_id,
        person_id as user_id
    from judged_rows
    where reject_reason is null

)

select * from people
