{# The schema is the folder's name: marts, not main_marts. As a package dropoff goes by the rule of
   the project that uses it. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- set own_rule = (context.get(project_name) or {}).get('generate_schema_name') -%}
    {%- if project_name == 'dropoff' -%}
        {{ custom_schema_name or target.schema }}
    {%- elif own_rule -%}
        {{ own_rule(custom_schema_name, node) }}
    {%- else -%}
        {{ dbt.default__generate_schema_name(custom_schema_name, node) }}
    {%- endif -%}
{%- endmacro %}
