{# Accepted rows whose event id may have more than one: ids that come twice and, where
   the build is incremental, ids whose copies change. Few; only these are ordered. #}
with

accepted_rows as (

    select * from {{ ref('base_app__accepted_rows') }}

),

{# DuckDB would write out all columns of a table that is read twice by one name #}
ids_of_rows as (

    select * from {{ ref('base_app__accepted_rows') }}

),

files as (

    select * from {{ ref('base_app__files') }}

),

suspect_ids as (

    {% if is_incremental_build() %}
    select ids_of_rows.event_uuid
    from ids_of_rows
    inner join files
        on ids_of_rows.file_number = files.file_number
    where files.loaded_in_build = {{ this_build_number() }}
    union
    select event_uuid
    from {{ before_this_build('base_app__copies') }}
    where file_number not in (select file_number from files)
    {% else %}
    select event_uuid
    from ids_of_rows
    group by event_uuid
    having count(*) > 1
    {% endif %}

),

repeated_rows as (

    select *
    from accepted_rows
    where event_uuid in (select event_uuid from suspect_ids)

),

{# an id that had copies and has them no longer is among those that changed #}
rows_counted as (

    select
        *,
        count(*) over (partition by event_uuid, event_text) as count_copies
    from repeated_rows

)

select * from rows_counted
{% if is_incremental_build() %}
where
    count_copies > 1
    or event_uuid in (
        select event_uuid from {{ before_this_build('base_app__copies') }}
    )
{% endif %}
