{# into objects, lists, JSON in a text, and lists of pairs of key and value #}
{% set row = {
    'flat.name': 'a name with a dot',
    'user': {'id': 'u', 'list': [{'name': 'first'}, {'name': 'second'}], 'none': none},
    'text': '{"deep": {"er": 1}, "list": ["x"]}',
    'params': [
        {'key': 'page', 'value': {'string_value': 'home', 'int_value': none}},
        {'key': 'build', 'value': {'string_value': none, 'int_value': 12}},
        {'key': 'plain', 'value': 'text'},
    ],
    'blank': ' ',
} %}
with

cases (path, expected, actual) as (

    {% for path, expected in {
        'flat.name': 'a name with a dot',
        'user.id': 'u',
        'user.list.1.name': 'second',
        'user.list.2.name': none,
        'user.none': none,
        'user.id.more': none,
        'text.deep.er': '1',
        'text.list.0': 'x',
        'params.page': 'home',
        'params.build': '12',
        'params.plain': 'text',
        'params.other': none,
        'params.0.key': 'page',
        'nothing.at.all': none,
    }.items() %}
    select
        '{{ path }}' as path,
        {{ 'null' if expected is none else sql_text(expected) }} as expected,
        {{ json_text([{'column': path}], sql_text(tojson(row))) }} as actual
    union all
    {% endfor %}
    select
        'the first that is not blank' as path,
        'u' as expected,
        {{ json_text(
            [{'column': 'blank'}, {'column': 'nothing'}, {'column': 'user.id'}, {'column': 'text'}],
            sql_text(tojson(row))
        ) }} as actual

)

select *
from cases
where actual is distinct from expected
