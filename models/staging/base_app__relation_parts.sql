{# What stands for the files of a landing zone where events lie in a table: its rows by
   date. The sum of the hashes of rows says whether one of them changed. #}
{% set relation = events_relation() %}
{% set types = relation_types(relation) %}

with

{% if types %}

relation_parts as (

    select
        {{ part_of_relation(relation, types) }} as file_name,
        count(*) as count_rows,
        cast(
            sum(cast(hash(
                {%- for name in types %}
                {{ sql_name(name) }}{{ "," if not loop.last }}
                {%- endfor %}
            ) as hugeint)) % 9223372036854775807 as bigint
        ) as rows_hash,
        {{ sql_text(tojson(types.items() | map('list') | list)) }} as columns_json
    from {{ relation }}
    group by all

)

{% else %}

relation_parts as (

    select
        cast(null as string) as file_name,
        cast(null as bigint) as count_rows,
        cast(null as bigint) as rows_hash,
        cast(null as string) as columns_json
    where false

)

{% endif %}

select * from relation_parts
