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

{# an aggregate over the terms of a stage: what the fit found of a number; null where it found none #}
{% macro fitted_number(name, term, column) -%}
    max(case when term = '{{ term }}' and feature_name = '{{ name }}' then {{ column }} end)
{%- endmacro %}

{# the log-odds: numbers, their squares, and the terms of categories that are joined; always added
   in this order #}
{% macro risk_score(moments) -%}
    {{ moments }}.intercept
    {%- for name in risk_numbers() %}
        + coalesce({{ moments }}.{{ name }}_coefficient, 0) * {{ moments }}.{{ name }}
        + coalesce({{ moments }}.{{ name }}_square, 0) * pow({{ moments }}.{{ name }}, 2)
    {%- endfor %}
    {%- for name in risk_categories() %}
        + coalesce({{ name }}_terms.coefficient, 0)
    {%- endfor %}
{%- endmacro %}
