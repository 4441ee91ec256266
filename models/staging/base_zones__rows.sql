{# Every row of the small landing zones, the ledger and the identities, the columns of
   both found by their names and typed; nothing is judged yet. Each row brings its
   payload along. #}
{% set text_columns = [
    'assignment_id', 'intervention', 'unit', 'user_id', 'session_id', 'stage', 'arm',
    'planned_treated_share', 'anonymous_id'
] %}
{% set time_columns = ['assigned_at', 'received_at', 'mapped_at'] %}
{% set text_sources = [] %}
{% for column in text_columns %}
{% do text_sources.extend(own_source(column)) %}
{% endfor %}
{% set zones = ['interventions', 'identities'] %}

with

cut_records as (

    select * from {{ ref('base_app__cut_records') }}
    where landing_zone != 'events'

),

text_records as (

    select
        landing_zone,
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
        landing_zone,
        file_name,
        file_row_number,
        is_readable,
        {% for column in text_columns %}
        {{ json_text(own_source(column), 'json') }} as {{ column }},
        {% endfor %}
        {% for column in time_columns %}
        {{ json_timestamp(own_source(column), 'json') }} as {{ column }},
        {% endfor %}
        payload
    from text_records_as_json

),

all_rows as (

    select * from text_rows
    {% for zone in zones %}
    {% for group in parquet_file_groups(
        ref('base_app__landing_files'), "landing_zone = '" ~ zone ~ "'"
    ) %}
    union all
    select
        '{{ zone }}' as landing_zone,
        landed_file_name as file_name,
        file_row_number,
        {{ parquet_is_readable(text_sources, group.types) }} as is_readable,
        {% for column in text_columns %}
        {{ parquet_text(own_source(column), group.types) }} as {{ column }},
        {% endfor %}
        {% for column in time_columns %}
        {{ parquet_timestamp(own_source(column), group.types) }} as {{ column }},
        {% endfor %}
        {{ parquet_payload(group.types) }} as payload
    from {{ rows_of_parquet(group) }}
    {% endfor %}
    {% endfor %}

)

select * from all_rows
