with

health as (

    select
        coalesce(sum(count_landed), 0) as count_landed,
        coalesce(sum(count_staged), 0) as count_staged,
        coalesce(sum(count_rejected), 0) as count_rejected
    from {{ ref('fct_data_health') }}

),

reasons as (

    {% for reason in reject_reasons() %}
    select coalesce(sum(count_{{ reason }}), 0) as count_rows
    from {{ ref('fct_data_health') }}
    {{ "union all" if not loop.last }}
    {% endfor %}

),

counted as (

    select
        (select count(*) from {{ ref('stg_app__events') }}) as staged,
        (select count(*) from {{ ref('stg_app__rejected_rows') }}) as rejected,
        (select sum(count_rows) from reasons) as rejected_for_a_reason

)

select *
from health
cross join counted
where
    count_landed != staged + rejected
    or count_staged != staged
    or count_rejected != rejected
    or rejected_for_a_reason != rejected
