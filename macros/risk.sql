{# What drop risk is judged by: what was known when a stage was reached, and nothing later. #}

{# numbers; each is held between the bounds of its fit, centred and scaled #}
{% macro risk_numbers() %}
    {{ return([
        'log_seconds_since_start', 'log_seconds_since_stage_before', 'log_events', 'repeat_share',
        'log_earlier_sessions', 'has_converted_before',
    ]) }}
{% endmacro %}

{# texts; a value that the fit did not know adds nothing #}
{% macro risk_categories() %}
    {{ return(['lead_starter', 'platform', 'app_version', 'city', 'hour_of_day']) }}
{% endmacro %}

{# a number held between the bounds of its fit, centred and scaled; fit is the prefix of its columns #}
{% macro scaled_number(number, fit) -%}
    (least(greatest({{ number }}, {{ fit }}_low), {{ fit }}_high) - {{ fit }}_center) / nullif({{ fit }}_scale, 0)
{%- endmacro %}
