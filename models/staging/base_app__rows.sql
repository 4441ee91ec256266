{# a view: rows pass through it once, on their way to the accepted or the rejected ones
   #}
{{ config(materialized='view') }}

{# Every row of the files that this build loads, its columns found and typed; nothing is
   judged yet. Files of one shape are read together, so that parquet stays columnar and
   no value takes a detour. #}
{% set text_columns = [
    'event_id', 'user_id', 'event_name', 'platform', 'app_version', 'city'
] %}
{% set text_sources = [] %}
{% for column in text_columns %}
{% do text_sources.extend(landed_sources(column)) %}
{% endfor %}
{% set parquet_groups = parquet_file_groups(ref('base_app__files'), is_loaded_now()) %}
{% set has_event_ids = landed_columns_checked(ref('base_app__files')) %}

with

files as (

    select * from {{ ref('base_app__files') }}

),

text_records as (

    select * from {{ ref('base_app__text_records') }}

),

text_records_read as (

    select
        text_records.file_name,
        text_records.file_row_number,
        text_records.payload,
        text_records.is_readable
        and {{ is_json_object('text_records.payload') }} as is_readable
    from text_records
    inner join files
        on text_records.file_name = files.file_name
    where files.loaded_in_build = {{ this_build_number() }}

),

text_rows as (

    select
        file_name,
        file_row_number,
        is_readable,
        case when is_readable then payload end as json,
        {% for column in text_columns %}
        {{ json_text(landed_sources(column), 'json') }} as {{ column }},
        {% endfor %}
        {{ json_timestamp(landed_sources('event_time'), 'json') }} as event_at,
        {{ json_timestamp(landed_sources('received_at'), 'json') }} as received_at
    from text_records_read

),

text_rows_typed as (

    select
        file_name,
        file_row_number,
        is_readable,
        event_at,
        received_at,
        {% if has_event_ids %}event_id,
        {% else %}{{ row_hash('json', 'event_at') }} as event_id,{% endif %}
        user_id,
        event_name,
        platform,
        app_version,
        city
    from text_rows

),

{% for group in parquet_groups %}

parquet_rows_{{ loop.index }} as (

    select
        landed_file_name as file_name,
        file_row_number,
        {{ parquet_is_readable(text_sources, group.types) }} as is_readable,
        {{ parquet_timestamp(landed_sources('event_time'), group.types) }} as event_at,
        {{ parquet_timestamp(landed_sources('received_at'), group.types) }} as received_at,
        {% if has_event_ids %}
        {{ parquet_text(landed_sources('event_id'), group.types) }} as event_id,
        {% else %}
        {{ row_hash(parquet_payload(group.types), 'event_at') }} as event_id,
        {% endif %}
        {{ parquet_text(landed_sources('user_id'), group.types) }} as user_id,
        {{ parquet_text(landed_sources('event_name'), group.types) }} as event_name,
        {{ parquet_text(landed_sources('platform'), group.types) }} as platform,
        {{ parquet_text(landed_sources('app_version'), group.types) }} as app_version,
        {{ parquet_text(landed_sources('city'), group.types) }} as city
    from {{ rows_of_parquet(group) }}

),

{% endfor %}

all_rows as (

    select * from text_rows_typed
    {% for group in parquet_groups %}
    union all
    select * from parquet_rows_{{ loop.index }}
    {% endfor %}

),

rows_numbered_by_file as (

    select
        files.file_number,
        all_rows.* {{ without(['file_name']) }}
    from all_rows
    inner join files
        on all_rows.file_name = files.file_name

)

select * from rows_numbered_by_file
