{# Event ids: a UUID is kept as the number it is, a third of its text to store and sort. Any other
   text is kept beside the UUID made from its hash, which alone is compared first. Spark has no such
   type: there a UUID is its text. #}

{% macro is_uuid_text(text) -%}
    {{ return(adapter.dispatch('is_uuid_text')(text)) }}
{%- endmacro %}

{% macro duckdb__is_uuid_text(text) -%}
    cast(try_cast({{ text }} as uuid) as varchar) = {{ text }}
{%- endmacro %}

{% macro spark__is_uuid_text(text) -%}
    {{ is_full_match(text, '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}') }}
{%- endmacro %}

{% macro uuid_of_text(text) -%}
    case
        when {{ is_uuid_text(text) }} then {{ text_as_uuid(text) }}
        else {{ uuid_of_digits('md5(' ~ text ~ ')') }}
    end
{%- endmacro %}

{% macro text_as_uuid(text) -%}
    {{ return(adapter.dispatch('text_as_uuid')(text)) }}
{%- endmacro %}

{% macro duckdb__text_as_uuid(text) -%}
    try_cast({{ text }} as uuid)
{%- endmacro %}

{% macro spark__text_as_uuid(text) -%}
    {{ text }}
{%- endmacro %}

{# 32 hexadecimal digits #}
{% macro uuid_of_digits(digits) -%}
    {{ return(adapter.dispatch('uuid_of_digits')(digits)) }}
{%- endmacro %}

{% macro duckdb__uuid_of_digits(digits) -%}
    cast({{ digits }} as uuid)
{%- endmacro %}

{% macro spark__uuid_of_digits(digits) -%}
    {{ replaced(digits, '^(.{8})(.{4})(.{4})(.{4})(.{12})$', '\\1-\\2-\\3-\\4-\\5') }}
{%- endmacro %}

{# of a column without values #}
{% macro type_of_uuids() -%}
    {{ return(adapter.dispatch('type_of_uuids')()) }}
{%- endmacro %}

{% macro duckdb__type_of_uuids() -%} uuid {%- endmacro %}

{% macro spark__type_of_uuids() -%} string {%- endmacro %}

{% macro text_without_uuid(text) -%}
    case when {{ is_uuid_text(text) }} then null else {{ text }} end
{%- endmacro %}

{# back to the text as it was landed #}
{% macro event_id_of(table, event='event') -%}
    coalesce({{ table }}.{{ event }}_text, cast({{ table }}.{{ event }}_uuid as string))
{%- endmacro %}

{# Event ids as bytes, in the order of events: digits of UUIDs sort as their texts do, so the
   texts are made only where there are others among them. #}
{% macro event_id_order(events) -%}
    {{ return(adapter.dispatch('event_id_order')(events)) }}
{%- endmacro %}

{% macro spark__event_id_order(events) -%}
    coalesce(event_text, event_uuid)
{%- endmacro %}

{% macro duckdb__event_id_order(events) -%}
    {%- set has_texts = [] -%}
    {%- if execute and model.resource_type != 'unit_test' and (events is string or load_relation(events)) -%}
        {%- if run_query('select 1 from ' ~ events ~ ' where event_text is not null limit 1') | length -%}
            {%- do has_texts.append(true) -%}
        {%- endif -%}
    {%- endif -%}
    {%- if has_texts -%} coalesce(event_text, cast(event_uuid as varchar))
    {%- else -%} event_uuid, event_text
    {%- endif -%}
{%- endmacro %}
