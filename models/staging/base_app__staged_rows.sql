{# a view: the accepted rows are stored once #}
{{ config(materialized='view') }}

{# The accepted rows but for the later copies. #}
with

accepted_rows as (

    select * from {{ ref('base_app__accepted_rows') }}

),

copies as (

    select * from {{ ref('base_app__copies') }}

),

staged_rows as (

    select accepted_rows.*
    from accepted_rows
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
