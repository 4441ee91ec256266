{# Paths: the starters and steps of a session, equal neighbours collapsed. One number a step, the
   action that began it above the code of its event: sorting numbers is four times cheaper than
   joining texts in order, and the texts are made once, at the end. #}

{# an aggregate: codes of events in the order of a number, which stands above the code #}
{% macro codes_in_order(number, event_code, condition='true') -%}
    {{ return(adapter.dispatch('codes_in_order')(number, event_code, condition)) }}
{%- endmacro %}

{% macro default__codes_in_order(number, event_code, condition) -%}
    array_sort(
        array_agg((cast({{ number }} as bigint) << 32) + {{ event_code }}) filter (where {{ condition }})
    )
{%- endmacro %}

{# an aggregate over nothing is an empty list there #}
{% macro spark__codes_in_order(number, event_code, condition) -%}
    nullif({{ default__codes_in_order(number, event_code, condition) }}, array())
{%- endmacro %}

{# names is a list, event n at place n #}
{% macro names_of_codes(codes, names) -%}
    {{ list_of_each(codes, 'code', element_of(names, event_code_of('code'))) }}
{%- endmacro %}

{% macro event_code_of(path_code) -%}
    cast({{ path_code }} & 4294967295 as integer)
{%- endmacro %}

{% macro action_number_of(path_code) -%}
    ({{ upper_half(path_code) }})
{%- endmacro %}

{# the events of a path, without how often each came #}
{% macro event_codes_of(path_codes) -%}
    {{ list_of_each(path_codes, 'code', event_code_of('code')) }}
{%- endmacro %}

{# how often the event of the nth step came in a row #}
{% macro path_repeats(path_codes, step_number, count_actions) -%}
    coalesce({{ action_number_of(element_of(path_codes, step_number ~ ' + 1')) }}, {{ count_actions }} + 1) - {{ action_number_of(element_of(path_codes, step_number)) }}
{%- endmacro %}

{# `search → select_seat (3x)` #}
{% macro path_text(path_codes, count_actions, names) -%}
    {%- set repeats = path_repeats(path_codes, 'step_number', count_actions) -%}
    {%- set step = element_of(names, event_code_of(element_of(path_codes, 'step_number')))
        ~ " || case when " ~ repeats ~ " > 1 then ' (' || (" ~ repeats ~ ") || 'x)' else '' end" -%}
    coalesce({{ joined(list_of_each(places_of(path_codes), 'step_number', step), ' → ') }}, '(none)')
{%- endmacro %}

{# codes of the places that a page folds events into, and that a session comes from; below those
   of the ends, see int_journey_nodes #}
{% macro other_code() -%}
    -5
{%- endmacro %}

{% macro start_code() -%}
    -6
{%- endmacro %}
