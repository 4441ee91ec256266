with

health as (

    select
        coalesce(sum(count_landed), 0) as count_landed,
        coalesce(sum(count_staged), 0) as count_staged,
        coalesce(sum(count_rejected), 0) as count_rejected,
        coalesce(sum({% for reason in reject_reasons() %}count_{{ reason }}{{ " + " if not loop.last }}{% endfor %}), 0) as count_by_reason
    from {{ ref('fct_data_health') }}

),

counted as (

    select
        (select count(*) from {{ ref('stg_app__events') }}) as staged,
        (select count(*) from {{ ref('stg_app__rejected_rows') }}) as rejected

)

select *
from health
cross join counted
where
    count_landed != staged + rejected
    or count_staged != staged
    or count_rejected != rejected
    or count_by_reason != rejected
