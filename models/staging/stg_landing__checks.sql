{# What landing/check.py recorded beside the warehouse; no rows where it has not run. #}
{% set path = landing_checks_path() %}
{% set is_there = execute and run_query('select 1 from glob(' ~ sql_text(path) ~ ')') | length %}
{% set columns = {
    'file_name': 'varchar', 'expectation': 'varchar', 'column_name': 'varchar', 'is_met': 'boolean',
    'is_fatal': 'boolean', 'observed': 'varchar', 'message': 'varchar', 'checked_at': 'timestamp',
} %}

with

landing_checks as (

    {% if is_there %}
    select *
    from read_json(
        {{ sql_text(path) }}, format = 'newline_delimited', columns = {{ columns | replace('"', "'") }}
    )
    {% else %}
    select
        {% for name, data_type in columns.items() %}
        cast(null as {{ data_type }}) as {{ name }}{{ "," if not loop.last }}
        {% endfor %}
    where false
    {% endif %}

)

select * from landing_checks
