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

{# the upper 32 of 64 bits; Spark reads >> behind any array as the end of a type #}
{% macro upper_half(number) -%}
    {{ return(adapter.dispatch('upper_half')(number)) }}
{%- endmacro %}

{% macro duckdb__upper_half(number) -%}
    {{ number }} >> 32
{%- endmacro %}

{% macro spark__upper_half(number) -%}
    shiftright({{ number }}, 32)
{%- endmacro %}

{% macro user_number_of(session_key) -%}
    cast({{ upper_half(session_key) }} as integer)
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

{# Rows of a user in order. DuckDB sorts them once, and then walks them without partition or order
   of a window's own, at a hundredth of the cost of sorting for each; what must not cross users
   compares them. Spark, whose rows have no order, partitions by user_number, and orders by the
   row_position that it numbered them with: it sorts once, too. #}

{% macro ordered_by_user(order) -%}
    {{ return(adapter.dispatch('ordered_by_user')(order)) }}
{%- endmacro %}

{% macro duckdb__ordered_by_user(order) -%}
    order by user_number, {{ order }}
{%- endmacro %}

{% macro spark__ordered_by_user(order) -%}
{%- endmacro %}

{% macro row_position(order) -%}
    {{ return(adapter.dispatch('row_position')(order)) }}
{%- endmacro %}

{% macro duckdb__row_position(order) -%}
    row_number() over ()
{%- endmacro %}

{% macro spark__row_position(order) -%}
    row_number() over (partition by user_number order by {{ order }})
{%- endmacro %}

{% macro row_before(column) -%}
    {{ return(adapter.dispatch('row_before')(column)) }}
{%- endmacro %}

{% macro duckdb__row_before(column) -%}
    lag({{ column }}) over ()
{%- endmacro %}

{% macro spark__row_before(column) -%}
    lag({{ column }}) over (partition by user_number order by row_position)
{%- endmacro %}

{% macro so_far(aggregate) -%}
    {{ return(adapter.dispatch('so_far')(aggregate)) }}
{%- endmacro %}

{% macro duckdb__so_far(aggregate) -%}
    {{ aggregate }} over (rows between unbounded preceding and current row)
{%- endmacro %}

{% macro spark__so_far(aggregate) -%}
    {{ aggregate }} over (
        partition by user_number order by row_position
        rows between unbounded preceding and current row
    )
{%- endmacro %}

{% macro latest_so_far(expression) -%}
    {{ return(adapter.dispatch('latest_so_far')(expression)) }}
{%- endmacro %}

{% macro duckdb__latest_so_far(expression) -%}
    {{ so_far('last_value(' ~ expression ~ ' ignore nulls)') }}
{%- endmacro %}

{% macro spark__latest_so_far(expression) -%}
    {{ so_far('last_value(' ~ expression ~ ', true)') }}
{%- endmacro %}
