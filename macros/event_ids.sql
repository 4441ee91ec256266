{# Event ids: a UUID is kept as the number it is, a third of its text to store and sort. Any other
   text is kept beside the UUID made from its hash, which alone is compared first. #}

{% macro is_uuid_text(text) -%}
    cast(try_cast({{ text }} as uuid) as varchar) = {{ text }}
{%- endmacro %}

{% macro uuid_of_text(text) -%}
    case
        when {{ is_uuid_text(text) }} then try_cast({{ text }} as uuid)
        else cast(md5({{ text }}) as uuid)
    end
{%- endmacro %}

{% macro text_without_uuid(text) -%}
    case when {{ is_uuid_text(text) }} then null else {{ text }} end
{%- endmacro %}

{# back to the text as it was landed #}
{% macro event_id_of(table, event='event') -%}
    coalesce({{ table }}.{{ event }}_text, cast({{ table }}.{{ event }}_uuid as varchar))
{%- endmacro %}

{# Event ids as bytes, in the order of events: digits of UUIDs sort as their texts do, so the
   texts are made only where there are others among them. #}
{% macro event_id_order(events) -%}
    {%- set has_texts = [] -%}
    {%- if execute and model.resource_type != 'unit_test' -%}
        {%- if run_query('select 1 from ' ~ events ~ ' where event_text is not null limit 1') | length -%}
            {%- do has_texts.append(true) -%}
        {%- endif -%}
    {%- endif -%}
    {%- if has_texts -%} coalesce(event_text, cast(event_uuid as varchar))
    {%- else -%} event_uuid, event_text
    {%- endif -%}
{%- endmacro %}
