{# Texts: how a landed value becomes text, and what counts as no value. #}

{# any landed column -> text; bytes that are not UTF-8 give null #}
{% macro text_from_column(column, data_type) -%}
    {%- if data_type | upper == 'BLOB' -%}
        try(decode({{ column }}))
    {%- elif data_type | upper == 'VARCHAR' -%}
        {{ column }}
    {%- else -%}
        cast({{ column }} as varchar)
    {%- endif -%}
{%- endmacro %}

{# null, empty or white space only. Most values begin with a printable ASCII character, and
   looking at that alone is ten times cheaper than the pattern #}
{% macro is_blank(text) -%}
    case
        when unicode({{ text }}) between 33 and 126 then false
        else coalesce(regexp_full_match({{ text }}, '[\s\p{Z}\x0B\x1C-\x1F\x{85}]*'), true)
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

{# a list of texts, joined; null where there is none #}
{% macro joined_or_null(texts, separator) -%}
    case when len({{ texts }}) > 0 then array_to_string({{ texts }}, '{{ separator }}') end
{%- endmacro %}

{# an aggregate: values in the order of a number #}
{% macro list_in_order(expression, number) -%}
    list({{ expression }} order by {{ number }})
{%- endmacro %}

{# an aggregate: the first value that is not null, in the order of a number #}
{% macro first_not_null(column, number) -%}
    min_by({{ column }}, {{ number }}) filter (where {{ column }} is not null)
{%- endmacro %}

{# an aggregate: texts in an order, joined #}
{% macro joined_in_order(text, order, separator=', ') -%}
    string_agg({{ text }}, '{{ separator }}' order by {{ order }})
{%- endmacro %}

{# an aggregate: rows as a JSON list of lists, in the order of a number; [] where none is #}
{% macro json_list(columns, number, condition='true') -%}
    coalesce(
        cast(to_json(list(json_array({{ columns | join(', ') }}) order by {{ number }}) filter (where {{ condition }})) as varchar),
        '[]'
    )
{%- endmacro %}
