{# counted apart from the models: parquet by its footers, text by its records #}
{% set zones = {
    'interventions': [
        ref('stg_ledger__assignments'),
        ref('stg_ledger__rejected_rows'),
        ref('fct_ledger_health')
    ],
    'identities': [
        ref('stg_identities__people'),
        ref('stg_identities__rejected_rows'),
        ref('fct_identity_health')
    ]
} %}
with

landed as (

    select
        landing_zone,
        count(*) as count_rows
    from {{ ref('base_app__cut_records') }}
    group by landing_zone
    {% for zone in zones %}
    {% for group in parquet_file_groups(
        ref('base_app__landing_files'), "landing_zone = '" ~ zone ~ "'"
    ) %}
    union all
    select
        '{{ zone }}' as landing_zone,
        coalesce(sum(num_rows), 0) as count_rows
    from parquet_file_metadata({{ file_list(group.file_names) }})
    {% endfor %}
    {% endfor %}

),

judged as (

    {% for zone, (taken, rejected, health) in zones.items() %}
    select
        '{{ zone }}' as landing_zone,
        (select count(*) from {{ taken }}) as count_taken,
        (select count(*) from {{ rejected }}) as count_rejected,
        (select sum(count_rows) from {{ health }}) as count_told,
        (
            select coalesce(sum(landed.count_rows), 0)
            from landed
            where landed.landing_zone = '{{ zone }}'
        ) as count_landed
    {{ "union all" if not loop.last }}
    {% endfor %}

)

select *
from judged
where
    count_landed != count_taken + count_rejected
    or count_landed != count_told
