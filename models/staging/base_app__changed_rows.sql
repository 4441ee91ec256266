{# Rows that came, went, or have become the first or a later copy since the last build:
   what has to be done again hangs on them. Empty where everything is done anew. #}
with

gone_rows as (

    select * from {{ ref('base_app__gone_rows') }}

),

accepted_rows as (

    select * from {{ ref('base_app__accepted_rows') }}

),

repeated_rows as (

    select * from {{ ref('base_app__repeated_rows') }}

),

files as (

    select * from {{ ref('base_app__files') }}

),

changed_rows as (

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
    {% endif %}

)

select * from changed_rows
