{# The session rules as expressions; the model int_events__sessionized holds them together. #}

{# silence longer than session_timeout_minutes; never, where that is not set #}
{% macro is_after_timeout(previous_event_at, event_at) -%}
    {%- if var('session_timeout_minutes') is none -%}
        false
    {%- else -%}
        coalesce({{ seconds_between(previous_event_at, event_at) }} > 60.0 * {{ var('session_timeout_minutes') }}, false)
    {%- endif -%}
{%- endmacro %}

{# near enough for a starter to join, and for leading telemetry to belong to what follows #}
{% macro is_within_join(earlier, later) -%}
    {%- if var('starter_join_seconds') is none -%}
        false
    {%- else -%}
        coalesce({{ seconds_between(earlier, later) }} <= {{ var('starter_join_seconds') }}, false)
    {%- endif -%}
{%- endmacro %}

{# nearest value that is not null, before or after this row; the place of ignore nulls differs
   between engines #}
{% macro nearest_before(expression, window) -%}
    lag({{ expression }} ignore nulls) over {{ window }}
{%- endmacro %}

{% macro nearest_after(expression, window) -%}
    lead({{ expression }} ignore nulls) over {{ window }}
{%- endmacro %}

{% macro latest_up_to_here(expression, window) -%}
    last_value({{ expression }} ignore nulls) over {{ window }}
{%- endmacro %}
