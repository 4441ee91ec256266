with

backtest as (

    select * from {{ ref('fct_drop_risk_backtest') }}

),

stages_that_differ as (

    select
        stage_order,
        sum(count_sessions) as count_sessions,
        max(count_tested) as count_tested
    from backtest
    group by stage_order
    having
        sum(count_sessions) != max(count_tested)
        or count(distinct auc) > 1
        or max(bin) > 10
        or max(count_sessions) - min(count_sessions) > 1

)

select * from stages_that_differ
