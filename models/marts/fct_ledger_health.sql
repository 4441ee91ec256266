with

assignments as (

    select * from {{ ref('stg_ledger__assignments') }}

),

rejected_rows as (

    select * from {{ ref('stg_ledger__rejected_rows') }}

),

reasons as (

    select * from (
        values
        {% for reason in ledger_reject_reasons() %}
        ({{ loop.index }}, '{{ reason }}'),
        {% endfor %}
        (0, '(staged)')
    ) as reasons (reason_number, reject_reason)

),

rows_counted as (

    select
        '(staged)' as reject_reason,
        count(*) as count_rows
    from assignments
    union all
    select
        reject_reason,
        count(*) as count_rows
    from rejected_rows
    group by reject_reason

),

reasons_counted as (

    select
        reasons.reject_reason,
        reasons.reason_number,
        coalesce(rows_counted.count_rows, 0) as count_rows
    from reasons
    left join rows_counted
        on reasons.reject_reason = rows_counted.reject_reason

)

select * from reasons_counted
