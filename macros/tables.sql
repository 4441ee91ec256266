{# Tables of Spark's, which are folders of parquet files: nothing in them is updated, and nothing is read
   from a table while it is written. Each is written beside the old one, which models may still read,
   and then put in its place. #}

{% materialization table, adapter='spark', supported_languages=['sql', 'python'] %}
    {{ run_hooks(pre_hooks) }}
    {% set new_table = beside(this) %}
    {% do run_query('drop table if exists ' ~ new_table) %}
    {% call statement('main', language=model.language) %}
        {%- if model.language == 'python' -%}
{{ compiled_code }}

write(model(dbtObj(table), session), "{{ new_table }}")
        {%- else -%}
            {{ create_table_as(False, new_table, compiled_code) }}
        {%- endif -%}
    {% endcall %}
    {% do put_in_place(this) %}
    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [this.incorporate(type='table')]}) }}
{% endmaterialization %}

{% macro beside(relation) %}
    {{ return(api.Relation.create(schema=relation.schema, identifier=relation.identifier ~ '__new', type='table')) }}
{% endmacro %}

{% macro put_in_place(relation) %}
    {# what this build has made by itself dbt does not know, and all that is tables #}
    {% set old = load_relation(relation) %}
    {% do run_query('drop ' ~ (old.type if old else 'table') ~ ' if exists ' ~ relation) %}
    {% do run_query('alter table ' ~ beside(relation) ~ ' rename to ' ~ relation) %}
{% endmacro %}

{% macro replace_table(relation, rows) %}
    {% do run_query('drop table if exists ' ~ beside(relation)) %}
    {% do run_query('create table ' ~ beside(relation) ~ ' using parquet as ' ~ rows) %}
    {% do put_in_place(relation) %}
{% endmacro %}

{# a table that is redone by dates is partitioned by them #}
{% macro spark__partition_cols(label, required=false) %}
    {%- if partition_date() -%} {{ label }} ({{ partition_date() }}) {%- endif -%}
{% endmacro %}

{% macro partition_date() %}
    {{ return(config.get('redone_by') if config.get('redone_by') in ('session_date', 'received_date')) }}
{% endmacro %}

{# dbt-spark knows its own strategies alone #}
{% macro dbt_spark_validate_get_incremental_strategy(raw_strategy, file_format) %}
    {{ return(raw_strategy) }}
{% endmacro %}

{% macro dbt_spark_get_incremental_sql(strategy, source, target, existing, unique_key, incremental_predicates) %}
    {% set columns = adapter.get_columns_in_relation(target) | map(attribute='quoted') | join(', ') %}
    {% set condition = is_redone(config.require('redone_by')) %}
    {% if partition_date() %}
        {% do drop_partitions(target, partition_date(), condition) %}
        insert overwrite table {{ target }} partition ({{ partition_date() }})
        select {{ columns }} from {{ source }}
    {% else %}
        {% set rows %}
            select {{ columns }} from {{ target }} where not coalesce({{ condition }}, false)
            union all
            select {{ columns }} from {{ source }}
        {% endset %}
        {% do replace_table(target, rows) %}
        select 1
    {% endif %}
{% endmacro %}

{# of dates to be redone: one without new rows would stay as it was #}
{% macro drop_partitions(table, date, condition) %}
    {% set dates = run_query('select distinct cast(' ~ date ~ ' as string) from ' ~ table ~ ' where ' ~ condition) %}
    {% set partitions = [] %}
    {% for row in dates %}{% do partitions.append('partition (' ~ date ~ " = date '" ~ row[0] ~ "')") %}{% endfor %}
    {% if partitions %}
        {% do run_query('alter table ' ~ table ~ ' drop if exists ' ~ partitions | join(', ')) %}
    {% endif %}
{% endmacro %}
