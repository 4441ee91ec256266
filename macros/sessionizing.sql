{# The session rules as expressions; the model int_events__sessionized holds them together. #}

{# silence longer than session_timeout_minutes; never, where that is not set #}
{% macro is_after_timeout(previous_event_at, event_at) -%}
    {%- if var('session_timeout_minutes') is none -%}
        false
    {%- else -%}
        coalesce({{ seconds_between(previous_event_at, event_at) }} > 60.0 * {{ var('session_timeout_minutes') }}, false)
    {%- endif -%}
{%- endmacro %}

{# the last session of a user may go on: silent for no longer than session_open_minutes. Whether it
   has converted is asked first #}
{% macro may_go_on(last_event_at, as_of) -%}
    {{ seconds_between(last_event_at, as_of) }} <= 60.0 * {{ var('session_open_minutes') }}
{%- endmacro %}

{# near enough for a starter to join, and for leading telemetry to belong to what follows #}
{% macro is_within_join(earlier, later) -%}
    {%- if var('starter_join_seconds') is none -%}
        false
    {%- else -%}
        coalesce({{ seconds_between(earlier, later) }} <= {{ var('starter_join_seconds') }}, false)
    {%- endif -%}
{%- endmacro %}

{# the earliest time at which an event is within the join of a later one; null: no join #}
{% macro join_begins_at(later) -%}
    {%- if var('starter_join_seconds') is none -%}
        cast(null as timestamp)
    {%- else -%}
        {{ later }} - {{ seconds_interval(var('starter_join_seconds')) }}
    {%- endif -%}
{%- endmacro %}

{# A session within one warehouse: the user's number and that of the session among the user's.
   It sorts as they do, and is shorter than an id; it never leaves the warehouse. #}
{% macro session_key(user_number, user_session_number) -%}
    (cast({{ user_number }} as bigint) << 32) + cast({{ user_session_number }} as bigint)
{%- endmacro %}

{% macro user_number_of(session_key) -%}
    cast({{ session_key }} >> 32 as integer)
{%- endmacro %}

{% macro user_session_number_of(session_key) -%}
    cast({{ session_key }} & 4294967295 as integer)
{%- endmacro %}

{# new in the user's first session; (unknown) where there is no session #}
{% macro user_type(user_session_number) -%}
    case
        when {{ user_session_number }} = 1 then 'new'
        when {{ user_session_number }} > 1 then 'returning'
        else '(unknown)'
    end
{%- endmacro %}

{# Windows over rows that are in order already, without partition or order of their own: DuckDB
   walks the rows once, at a hundredth of the cost of sorting them for each window. #}
{% macro row_before(column) -%}
    lag({{ column }}) over ()
{%- endmacro %}

{% macro so_far(aggregate) -%}
    {{ aggregate }} over (rows between unbounded preceding and current row)
{%- endmacro %}

{% macro latest_so_far(expression) -%}
    last_value({{ expression }} ignore nulls) over (rows between unbounded preceding and current row)
{%- endmacro %}
