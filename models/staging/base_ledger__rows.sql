{# Every row of the ledger, its columns found by their names and typed; nothing is
   judged yet. It is small: each row brings its payload along. #}
{% set text_columns = [
    'assignment_id', 'intervention', 'unit', 'user_id', 'session_id', 'stage', 'arm',
    'planned_treated_share'
] %}
{% set text_sources = [] %}
{% for column in text_columns %}{% do text_sources.extend(own_source(column)) %}{% endfor %}
{% set parquet_groups = parquet_file_groups(
    ref('base_app__landing_files'), "landing_zone = 'interventions'"
) %}

with

cut_records as (

    select * from {{ ref('base_app__cut_records') }}
    where landing_zone = 'interventions'

),

text_records as (

    select
        file_name,
        file_row_number,
        is_readable and {{ is_json_object('payload') }} as is_readable,
        payload
    from cut_records

),

text_records_as_json as (

    select
        *,
        case when is_readable then payload end as json
    from text_records

),

text_rows as (

    select
        file_name,
        file_row_number,
        is_readable,
        {% for column in text_columns %}
        {{ json_text(own_source(column), 'json') }} as {{ column }},
        {% endfor %}
        {{ json_timestamp(own_source('assigned_at'), 'json') }} as assigned_at,
        {{ json_timestamp(own_source('received_at'), 'json') }} as received_at,
        payload
    from text_records_as_json

),

{% for group in parquet_groups %}

parquet_rows_{{ loop.index }} as (

    select
        landed_file_name as file_name,
        file_row_number,
        {{ parquet_is_readable(text_sources, group.types) }} as is_readable,
        {% for column in text_columns %}
        {{ parquet_text(own_source(column), group.types) }} as {{ column }},
        {% endfor %}
        {{ parquet_timestamp(own_source('assigned_at'), group.types) }} as assigned_at,
        {{ parquet_timestamp(own_source('received_at'), group.types) }} as received_at,
        {{ parquet_payload(group.types) }} as payload
    from {{ rows_of_parquet(group) }}

),

{% endfor %}

all_rows as (

    select * from text_rows
    {% for group in parquet_groups %}
    union all
    select * from parquet_rows_{{ loop.index }}
    {% endfor %}

)

select * from all_rows
