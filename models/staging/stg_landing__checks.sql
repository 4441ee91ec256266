{# What landing/check.py recorded beside the warehouse; no rows where it has not run. #}
{% set path = sql_text(landing_checks_path()) %}
{% set is_there = execute and run_query('select 1 from glob(' ~ path ~ ')') | length %}

with

landing_checks as (

    {% if is_there %}
    select * from read_json({{ path }}, format = 'newline_delimited')
    {% else %}
    select
        null as file_name,
        null as expectation,
        null as column_name,
        null as is_met,
        null as is_fatal,
        null as observed,
        null as message,
        null as checked_at
    where false
    {% endif %}

)

select
    cast(file_name as varchar) as file_name,
    cast(expectation as varchar) as expectation,
    cast(column_name as varchar) as column_name,
    cast(is_met as boolean) as is_met,
    cast(is_fatal as boolean) as is_fatal,
    cast(observed as varchar) as observed,
    cast(message as varchar) as message,
    {{ timestamp_from_text('cast(checked_at as varchar)') }} as checked_at
from landing_checks
