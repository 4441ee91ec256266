{# The payload is fetched from the raw files for the rejected rows alone. #}
{% set parquet_groups = parquet_file_groups(ref('base_app__landing_files')) %}

with

judged_rows as (

    select * from {{ ref('base_app__judged_rows') }}

),

text_records as (

    select * from {{ ref('base_app__text_records') }}

),

rejected_rows as (

    select
        file_name,
        file_row_number,
        received_at,
        reject_reason
    from judged_rows
    where reject_reason is not null

),

payloads as (

    select
        file_name,
        file_row_number,
        payload
    from text_records
    {% for group in parquet_groups %}
    union all
    select
        filename as file_name,
        file_row_number,
        {{ parquet_payload(group.types) }} as payload
    from
        read_parquet(
            {{ file_list(group.file_names) }}, filename = true, file_row_number = true
        )
    {% endfor %}

),

rejected_rows_with_payload as (

    select
        rejected_rows.file_name,
        rejected_rows.file_row_number,
        rejected_rows.reject_reason,
        payloads.payload,
        {{ reporting_date('rejected_rows.received_at') }} as received_date
    from rejected_rows
    left join payloads
        on
            rejected_rows.file_name = payloads.file_name
            and rejected_rows.file_row_number = payloads.file_row_number

)

select * from rejected_rows_with_payload
