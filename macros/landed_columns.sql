{# Landed columns: our names found in the input, those of events through the var event_columns;
   the macros _named take the name as it stands there. #}

{# while dbt parses, check_vars has not yet said that event_columns is no mapping #}
{% macro landed_name(our_name) -%}
    {{ var('event_columns').get(our_name, our_name) if var('event_columns') is mapping else our_name }}
{%- endmacro %}

{# Files that share a format and columns are read together, each group with its own casts.
   Returns [{file_names, types: {column: type}}], parquet only; text files are records. #}
{% macro parquet_file_groups(files, condition) %}
    {% set groups = [] %}
    {% if execute and load_relation(files) %}
        {% set query %}
            select columns_json, to_json(list(file_name order by file_name))
            from {{ files }}
            where file_format = 'parquet' and read_error is null and ({{ condition }})
            group by columns_json
            order by columns_json
        {% endset %}
        {% for row in run_query(query) %}
            {% do groups.append({'types': dict(fromjson(row[0])), 'file_names': fromjson(row[1])}) %}
        {% endfor %}
    {% endif %}
    {{ return(groups) }}
{% endmacro %}

{# an aggregate over base_app__files #}
{% macro any_file_has_event_ids() -%}
    coalesce(bool_or(list_contains(column_names, {{ sql_text(landed_name('event_id')) }})), false)
{%- endmacro %}

{% macro is_json_object(text) -%}
    case when json_valid({{ text }}) then json_type({{ text }}) = 'OBJECT' else false end
{%- endmacro %}

{% macro file_list(file_names) -%}
    [{% for name in file_names %}{{ sql_text(name) }}{{ ", " if not loop.last }}{% endfor %}]
{%- endmacro %}

{# text and names as SQL literals, quotes doubled #}
{% macro sql_text(text) -%}
    '{{ text | replace("'", "''") }}'
{%- endmacro %}

{% macro sql_name(name) -%}
    "{{ name | replace('"', '""') }}"
{%- endmacro %}

{% macro json_path(name) -%}
    {{ sql_text('$."' ~ (name | replace('\\', '\\\\') | replace('"', '\\"')) ~ '"') }}
{%- endmacro %}

{# one of our text columns out of a parquet group #}
{% macro parquet_text(our_name, types) -%}
    {{ parquet_text_named(landed_name(our_name), types) }}
{%- endmacro %}

{% macro parquet_text_named(name, types) -%}
    {%- if name in types -%}
        {{ text_from_column(sql_name(name), types[name]) }}
    {%- else -%}
        cast(null as varchar)
    {%- endif -%}
{%- endmacro %}

{# one of our times out of a parquet group #}
{% macro parquet_timestamp(our_name, types) -%}
    {{ parquet_timestamp_named(landed_name(our_name), types) }}
{%- endmacro %}

{% macro parquet_timestamp_named(name, types) -%}
    {%- if name in types -%}
        {{ timestamp_from_column(sql_name(name), types[name]) }}
    {%- else -%}
        cast(null as timestamp)
    {%- endif -%}
{%- endmacro %}

{# true unless one of our columns holds bytes that are not UTF-8 #}
{% macro parquet_is_readable(our_names, types) -%}
    {%- set names = [] -%}
    {%- for our_name in our_names %}{% do names.append(landed_name(our_name)) %}{% endfor -%}
    {{ parquet_is_readable_named(names, types) }}
{%- endmacro %}

{% macro parquet_is_readable_named(names, types) -%}
    true
    {%- for name in names if types.get(name) == 'BLOB' %}
        and ({{ sql_name(name) }} is null or {{ parquet_text_named(name, types) }} is not null)
    {%- endfor -%}
{%- endmacro %}

{# the whole landed row as JSON text #}
{% macro parquet_payload(types, table=none) -%}
    {%- set prefix = table ~ '.' if table else '' -%}
    cast(to_json(struct_pack({% for name in types %}{{ sql_name(name) }} := {{ prefix }}{{ sql_name(name) }}{{ ", " if not loop.last }}{% endfor %})) as varchar)
{%- endmacro %}

{# An id for rows that carry none: the row without received_at, its event_time in one form,
   its other values as text in the order of their names, nulls left out. #}
{% macro row_hash(payload, event_time) -%}
    md5(concat_ws('|', cast(epoch_us({{ event_time }}) as varchar), array_to_string(
        list_sort(
            list_filter(
                list_transform(
                    json_keys({{ payload }}),
                    lambda key: json_object(key, json_extract_string({{ payload }}, '/' || replace(replace(key, '~', '~0'), '/', '~1')))
                ),
                lambda pair: not ends_with(pair, ':null}')
                    and not starts_with(pair, {{ sql_text('{"' ~ landed_name('received_at') ~ '":') }})
                    and not starts_with(pair, {{ sql_text('{"' ~ landed_name('event_time') ~ '":') }})
            )
        ), ','
    )))
{%- endmacro %}

{# Stops where a column that must exist is in no file, or event_columns names one that is in
   none. Returns whether any file has event ids; where none has, rows make their own. #}
{% macro landed_columns_checked(files) %}
    {% set found = [] %}
    {% set declared = [] %}
    {% if execute and load_relation(files) %}
        {% set query %}
            select to_json(list_sort(list_distinct(flatten(list(column_names))))), bool_or(declares_columns)
            from {{ files }}
        {% endset %}
        {% set row = run_query(query)[0] %}
        {% do found.extend(fromjson(row[0] or '[]')) %}
        {% if row[1] %}{% do declared.append(true) %}{% endif %}
    {% endif %}
    {% if execute and found %}
        {% set mapped = var('event_columns') %}
        {% for our_name in ['user_id', 'event_name', 'event_time'] + mapped.keys() | list %}
            {% if landed_name(our_name) not in found and (our_name in mapped or declared) %}
                {% do stop(
                    "No landed file has the column '" ~ landed_name(our_name) ~ "' for " ~ our_name
                    ~ " (found: " ~ found | unique | sort | join(', ') | truncate(300)
                    ~ "); name the right one in the var event_columns."
                ) %}
            {% endif %}
        {% endfor %}
    {% endif %}
    {{ return(landed_name('event_id') in found) }}
{% endmacro %}

{# one sentence on one line that a person can act on, and no model after it #}
{% macro stop(sentence) %}
    {{ exceptions.raise_compiler_error(sentence | replace('\r', ' ') | replace('\n', ' ')) }}
{% endmacro %}
