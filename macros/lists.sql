{# Lists, maps, structs and columns, which every engine writes in its own way. Places count from 1. #}

{% macro list_of(values) -%}
    {{ return(adapter.dispatch('list_of')(values)) }}
{%- endmacro %}

{% macro duckdb__list_of(values) -%}
    [{{ values | join(', ') }}]
{%- endmacro %}

{% macro spark__list_of(values) -%}
    array({{ values | join(', ') }})
{%- endmacro %}

{# fields: names -> expressions #}
{% macro struct_of(fields) -%}
    {{ return(adapter.dispatch('struct_of')(fields)) }}
{%- endmacro %}

{% macro duckdb__struct_of(fields) -%}
    struct_pack({% for name, value in fields.items() %}{{ name }} := {{ value }}{{ ", " if not loop.last }}{% endfor %})
{%- endmacro %}

{% macro spark__struct_of(fields) -%}
    named_struct({% for name, value in fields.items() %}'{{ name }}', {{ value }}{{ ", " if not loop.last }}{% endfor %})
{%- endmacro %}

{# what a list holds at a place, or a map under a key; null where there is none #}
{% macro element_of(values, key) -%}
    {{ return(adapter.dispatch('element_of')(values, key)) }}
{%- endmacro %}

{% macro duckdb__element_of(values, key) -%}
    {{ values }}[{{ key }}]
{%- endmacro %}

{% macro spark__element_of(values, key) -%}
    try_element_at({{ values }}, {{ key }})
{%- endmacro %}

{% macro first_elements(list, count) -%}
    {{ return(adapter.dispatch('first_elements')(list, count)) }}
{%- endmacro %}

{% macro duckdb__first_elements(list, count) -%}
    {{ list }}[1:{{ count }}]
{%- endmacro %}

{% macro spark__first_elements(list, count) -%}
    slice({{ list }}, 1, {{ count }})
{%- endmacro %}

{% macro count_of(list) -%}
    {{ return(adapter.dispatch('count_of')(list)) }}
{%- endmacro %}

{% macro duckdb__count_of(list) -%}
    len({{ list }})
{%- endmacro %}

{% macro spark__count_of(list) -%}
    array_size({{ list }})
{%- endmacro %}

{# all whole numbers from one to another; none where the other is smaller #}
{% macro numbers_between(first, last) -%}
    {{ return(adapter.dispatch('numbers_between')(first, last)) }}
{%- endmacro %}

{% macro duckdb__numbers_between(first, last) -%}
    generate_series({{ first }}, {{ last }})
{%- endmacro %}

{% macro spark__numbers_between(first, last) -%}
    case
        when {{ first }} <= {{ last }} then sequence({{ first }}, {{ last }})
        when {{ first }} > {{ last }} then array()
    end
{%- endmacro %}

{% macro places_of(list) -%}
    {{ numbers_between('1', count_of(list)) }}
{%- endmacro %}

{# a list with an expression for each element, which the expression calls by the name #}
{% macro list_of_each(list, name, expression) -%}
    {{ return(adapter.dispatch('list_of_each')(list, name, expression)) }}
{%- endmacro %}

{% macro duckdb__list_of_each(list, name, expression) -%}
    list_transform({{ list }}, lambda {{ name }}: {{ expression }})
{%- endmacro %}

{% macro spark__list_of_each(list, name, expression) -%}
    transform({{ list }}, {{ name }} -> {{ expression }})
{%- endmacro %}

{# the elements of a list that meet a condition, which calls them by the name #}
{% macro list_where(list, name, condition) -%}
    {{ return(adapter.dispatch('list_where')(list, name, condition)) }}
{%- endmacro %}

{% macro duckdb__list_where(list, name, condition) -%}
    list_filter({{ list }}, lambda {{ name }}: {{ condition }})
{%- endmacro %}

{% macro spark__list_where(list, name, condition) -%}
    filter({{ list }}, {{ name }} -> {{ condition }})
{%- endmacro %}

{# have two lists an element in common? #}
{% macro lists_meet(list, other_list) -%}
    {{ return(adapter.dispatch('lists_meet')(list, other_list)) }}
{%- endmacro %}

{% macro duckdb__lists_meet(list, other_list) -%}
    list_has_any({{ list }}, {{ other_list }})
{%- endmacro %}

{% macro spark__lists_meet(list, other_list) -%}
    arrays_overlap({{ list }}, {{ other_list }})
{%- endmacro %}

{% macro least_of(list) -%}
    {{ return(adapter.dispatch('least_of')(list)) }}
{%- endmacro %}

{% macro duckdb__least_of(list) -%}
    list_min({{ list }})
{%- endmacro %}

{% macro spark__least_of(list) -%}
    array_min({{ list }})
{%- endmacro %}

{# the distance of two points, each a list of numbers #}
{% macro distance_between(point, other_point) -%}
    {{ return(adapter.dispatch('distance_between')(point, other_point)) }}
{%- endmacro %}

{% macro duckdb__distance_between(point, other_point) -%}
    list_distance({{ point }}, {{ other_point }})
{%- endmacro %}

{% macro spark__distance_between(point, other_point) -%}
    sqrt(aggregate(
        zip_with({{ point }}, {{ other_point }}, (x, y) -> pow(x - y, 2)), 0D, (total, square) -> total + square
    ))
{%- endmacro %}

{# texts of a list, joined #}
{% macro joined(texts, separator) -%}
    {{ return(adapter.dispatch('joined')(texts, separator)) }}
{%- endmacro %}

{% macro duckdb__joined(texts, separator) -%}
    array_to_string({{ texts }}, '{{ separator }}')
{%- endmacro %}

{% macro spark__joined(texts, separator) -%}
    array_join({{ texts }}, '{{ separator }}')
{%- endmacro %}

{# the same; null where there is none #}
{% macro joined_or_null(texts, separator) -%}
    case when {{ count_of(texts) }} > 0 then {{ joined(texts, separator) }} end
{%- endmacro %}

{# an aggregate: the values that meet a condition, in the order of a number #}
{% macro list_in_order(expression, number, condition='true') -%}
    {{ return(adapter.dispatch('list_in_order')(expression, number, condition)) }}
{%- endmacro %}

{% macro duckdb__list_in_order(expression, number, condition) -%}
    list({{ expression }} order by {{ number }}) filter (where {{ condition }})
{%- endmacro %}

{% macro spark__list_in_order(expression, number, condition) -%}
    transform(
        array_sort(array_agg(struct({{ number }} as place, {{ expression }} as value)) filter (where {{ condition }})),
        element -> element.value
    )
{%- endmacro %}

{# an aggregate: a map from keys to values #}
{% macro map_of(key, value) -%}
    {{ return(adapter.dispatch('map_of')(key, value)) }}
{%- endmacro %}

{% macro duckdb__map_of(key, value) -%}
    map_from_entries(list(struct_pack(key := {{ key }}, value := {{ value }})))
{%- endmacro %}

{% macro spark__map_of(key, value) -%}
    map_from_entries(array_agg(struct({{ key }}, {{ value }})))
{%- endmacro %}

{# in a select list: a row for each element of a list #}
{% macro each_of(list) -%}
    {{ return(adapter.dispatch('each_of')(list)) }}
{%- endmacro %}

{% macro duckdb__each_of(list) -%}
    unnest({{ list }})
{%- endmacro %}

{% macro spark__each_of(list) -%}
    explode({{ list }})
{%- endmacro %}

{# behind a star: all columns but these #}
{% macro without(columns) -%}
    {{ return(adapter.dispatch('without')(columns)) }}
{%- endmacro %}

{% macro duckdb__without(columns) -%}
    exclude ({{ columns | join(', ') }})
{%- endmacro %}

{% macro spark__without(columns) -%}
    except ({{ columns | join(', ') }})
{%- endmacro %}
