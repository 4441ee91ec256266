{# counted apart from the models: parquet by its footers, text by its records, a table
   by itself #}
{% set parquet_groups = parquet_file_groups(ref('base_app__files'), 'true') %}
with

landed as (

    select count(*) as count_rows
    from {{ ref('base_app__text_records') }}
    {% for group in parquet_groups %}
    union all
    {% if group.relation %}
    select count(*) as count_rows
    from {{ group.relation }}
    {% else %}
    select coalesce(sum(num_rows), 0) as count_rows
    from parquet_file_metadata({{ file_list(group.file_names) }})
    {% endif %}
    {% endfor %}

),

judged as (

    select
        (select count(*) from {{ ref('base_app__staged_rows') }}) as count_staged,
        (select count(*) from {{ ref('stg_app__rejected_rows') }}) as count_rejected,
        (select sum(count_rows) from landed) as count_landed

)

select *
from judged
where count_landed != count_staged + count_rejected
