{# Texts: how a landed value becomes text, and what counts as no value. #}

{# any landed column -> text; bytes that are not UTF-8 give null #}
{% macro text_from_column(column, data_type) -%}
    {{ return(adapter.dispatch('text_from_column')(column, data_type)) }}
{%- endmacro %}

{% macro duckdb__text_from_column(column, data_type) -%}
    {%- if data_type | upper == 'BLOB' -%}
        try(decode({{ column }}))
    {%- elif data_type | upper == 'VARCHAR' -%}
        {{ column }}
    {%- else -%}
        cast({{ column }} as string)
    {%- endif -%}
{%- endmacro %}

{% macro spark__text_from_column(column, data_type) -%}
    {%- if data_type | upper == 'BINARY' -%}
        try_validate_utf8(cast({{ column }} as string))
    {%- else -%}
        cast({{ column }} as string)
    {%- endif -%}
{%- endmacro %}

{# null, empty or white space only. Most values begin with a printable ASCII character, and
   looking at that alone is ten times cheaper than the pattern #}
{% macro is_blank(text) -%}
    {{ return(adapter.dispatch('is_blank')(text)) }}
{%- endmacro %}

{% macro duckdb__is_blank(text) -%}
    case
        when unicode({{ text }}) between 33 and 126 then false
        else coalesce(regexp_full_match({{ text }}, '[\s\p{Z}\x0B\x1C-\x1F\x{85}]*'), true)
    end
{%- endmacro %}

{% macro spark__is_blank(text) -%}
    case
        when ascii({{ text }}) between 33 and 126 then false
        else coalesce({{ text }} rlike r'^[\s\p{Z}\x0B\x1C-\x1F\x{85}]*\z', true)
    end
{%- endmacro %}

{# a name short enough for a page; long ones end in four digits of their hash, to stay apart #}
{% macro short_name(text, max_length=80) -%}
    case
        when length({{ text }}) <= {{ max_length }} then {{ text }}
        else left({{ text }}, {{ max_length - 5 }}) || '…' || left(md5({{ text }}), 4)
    end
{%- endmacro %}

{# a key made from several texts: lengths keep ('a|b', 'c') and ('a', 'b|c') apart #}
{% macro hash_key(texts) -%}
    md5(concat_ws('|', {% for text in texts %}length({{ text }}), {{ text }}{{ ", " if not loop.last }}{% endfor %}))
{%- endmacro %}

{# an aggregate: the first value that is not null, in the order of a number #}
{% macro first_not_null(column, number) -%}
    min_by({{ column }}, {{ number }}) filter (where {{ column }} is not null)
{%- endmacro %}

{# an aggregate: texts in an order, joined #}
{% macro joined_in_order(text, order, separator=', ') -%}
    {{ return(adapter.dispatch('joined_in_order')(text, order, separator)) }}
{%- endmacro %}

{% macro duckdb__joined_in_order(text, order, separator) -%}
    string_agg({{ text }}, '{{ separator }}' order by {{ order }})
{%- endmacro %}

{% macro spark__joined_in_order(text, order, separator) -%}
    string_agg({{ text }}, '{{ separator }}') within group (order by {{ order }})
{%- endmacro %}

{# an aggregate: rows as a JSON list of lists, in the order of a number; [] where none is #}
{% macro json_list(columns, number, condition='true') -%}
    {{ return(adapter.dispatch('json_list')(columns, number, condition)) }}
{%- endmacro %}

{% macro duckdb__json_list(columns, number, condition) -%}
    coalesce(
        cast(to_json(list(json_array({{ columns | join(', ') }}) order by {{ number }}) filter (where {{ condition }})) as string),
        '[]'
    )
{%- endmacro %}

{# Spark has no list of values of different types: each is written as an object, and taken out of it #}
{% macro spark__json_list(columns, number, condition) -%}
    {%- set row = [] -%}
    {%- for column in columns -%}
        {%- do row.append("rtrim('}', substr(to_json(named_struct('x', " ~ column ~ "), map('ignoreNullFields', 'false')), 6))") -%}
    {%- endfor -%}
    '[' || array_join({{ list_in_order("'[' || concat_ws(',', " ~ row | join(', ') ~ ") || ']'", number, condition) }}, ',') || ']'
{%- endmacro %}
