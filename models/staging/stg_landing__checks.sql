{# What landing/check.py recorded beside the warehouse; no rows where it has not run. #}

with

landing_checks as (

    {% if are_landing_checks_there() %}
    select * from {{ landing_checks_rows() }}
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
    cast(file_name as string) as file_name,
    cast(expectation as string) as expectation,
    cast(column_name as string) as column_name,
    cast(is_met as boolean) as is_met,
    cast(is_fatal as boolean) as is_fatal,
    cast(observed as string) as observed,
    cast(message as string) as message,
    {{ timestamp_from_text('cast(checked_at as string)') }} as checked_at
from landing_checks
