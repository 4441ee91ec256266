{# Rows that came, went, have become the first or a later copy, or somebody else's since
   the last build: what has to be done again hangs on them. A row that changed hands is
   there for both. Empty where everything is done anew. #}
with

gone_rows as (

    select * from {{ ref('base_app__gone_rows') }}

),

accepted_rows as (

    select * from {{ ref('base_app__accepted_rows') }}

),

{# once more: DuckDB would write out a table that is read twice by one name #}
rows_of_people as (

    select * from {{ ref('base_app__accepted_rows') }}

),

repeated_rows as (

    select * from {{ ref('base_app__repeated_rows') }}

),

files as (

    select * from {{ ref('base_app__files') }}

),

people as (

    select * from {{ ref('base_app__people') }}

),

touched_rows as (

    select * from gone_rows
    {% if is_incremental_build() %}
    union all
    select
        accepted_rows.user_number,
        accepted_rows.event_code,
        accepted_rows.event_at,
        accepted_rows.received_at
    from accepted_rows
    inner join files
        on accepted_rows.file_number = files.file_number
    where files.loaded_in_build = {{ this_build_number() }}
    union all
    select
        user_number,
        event_code,
        event_at,
        received_at
    from repeated_rows
    union all
    select
        user_number,
        event_code,
        event_at,
        received_at
    from rows_of_people
    where
        user_number in (
            select people.user_number from people
            where people.person_number != people.person_number_before
        )
    {% endif %}

),

people_now_and_before as (

    select
        user_number,
        person_number
    from people
    union
    select
        user_number,
        person_number_before as person_number
    from people

),

changed_rows as (

    select
        coalesce(people_now_and_before.person_number, touched_rows.user_number)
            as user_number,
        touched_rows.event_code,
        touched_rows.event_at,
        touched_rows.received_at
    from touched_rows
    left join people_now_and_before
        on touched_rows.user_number = people_now_and_before.user_number

)

select * from changed_rows
