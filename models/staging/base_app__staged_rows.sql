{# a view: the accepted rows are stored once #}
{{ config(materialized='view') }}

{# The accepted rows but for the later copies, each the person's who did it. #}
with

accepted_rows as (

    select * from {{ ref('base_app__accepted_rows') }}

),

copies as (

    select * from {{ ref('base_app__copies') }}

),

people as (

    select * from {{ ref('base_app__people') }}

),

staged_rows as (

    select
        accepted_rows.* {{ without(['user_number']) }},
        coalesce(people.person_number, accepted_rows.user_number) as user_number,
        accepted_rows.user_number as landed_user_number
    from accepted_rows
    left join people
        on accepted_rows.user_number = people.user_number
    where
        not exists (
            select 1
            from copies
            where
                copies.file_number = accepted_rows.file_number
                and copies.file_row_number = accepted_rows.file_row_number
                and copies.copy_number > 1
        )

)

select * from staged_rows
