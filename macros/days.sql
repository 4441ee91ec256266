{# a row for each day from the one to the other, both included; none where one is null #}
{% macro each_day(first, last) -%}
    cast(unnest(generate_series({{ first }}, {{ last }}, interval 1 day)) as date)
{%- endmacro %}
