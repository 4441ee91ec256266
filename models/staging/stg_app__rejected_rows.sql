{{ config(materialized='incremental', redone_by='rejected_row') }}

{# The payload is fetched from the files for the rejected rows alone.#}
{% set condition = is_loaded_now() ~ ' or file_number in (
    select repeated_rows.file_number
    from ' ~ ref('base_app__repeated_rows') ~ ' as repeated_rows
    inner join ' ~ ref('base_app__copies') ~ ' as copies
        on repeated_rows.event_uuid = copies.event_uuid
    where copies.copy_number > 1
)' %}
{% set parquet_groups = parquet_file_groups(ref('base_app__files'), condition) %}

with

judged_rows as (

    select * from {{ ref('base_app__judged_rows') }}

),

repeated_rows as (

    select * from {{ ref('base_app__repeated_rows') }}

),

copies as (

    select * from {{ ref('base_app__copies') }}

),

files as (

    select * from {{ ref('base_app__files') }}

),

text_records as (

    select * from {{ ref('base_app__text_records') }}

),

rejected_rows as (

    select
        file_number,
        file_row_number,
        received_at,
        reject_reason
    from judged_rows
    where reject_reason is not null
    union all
    select
        repeated_rows.file_number,
        repeated_rows.file_row_number,
        repeated_rows.received_at,
        'duplicate_event_id' as reject_reason
    from repeated_rows
    inner join copies
        on
            repeated_rows.file_number = copies.file_number
            and repeated_rows.file_row_number = copies.file_row_number
    where copies.copy_number > 1

),

rejected_rows_in_files as (

    select
        files.file_name,
        rejected_rows.*
    from rejected_rows
    inner join files
        on rejected_rows.file_number = files.file_number

),

rejected_rows_with_payload as (

    select
        rejected.*,
        text_records.payload
    from text_records
    inner join rejected_rows_in_files as rejected
        on
            text_records.file_name = rejected.file_name
            and text_records.file_row_number = rejected.file_row_number
    {% for group in parquet_groups %}
    union all
    select
        rejected.*,
        {{ parquet_payload(group.types, 'landed') }} as payload
    from {{ rows_of_parquet(group) }} as landed
    inner join rejected_rows_in_files as rejected
        on
            landed.landed_file_name = rejected.file_name
            and landed.file_row_number = rejected.file_row_number
    {% endfor %}

)

select
    file_name,
    file_number,
    file_row_number,
    reject_reason,
    payload,
    {{ reporting_date('received_at') }} as received_date
from rejected_rows_with_payload
