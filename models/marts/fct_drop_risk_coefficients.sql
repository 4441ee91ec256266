with

fitted_drop_risk as (

    select * from {{ ref('fitted_drop_risk') }}

),

funnel_stages as (

    select * from {{ ref('stg_settings__funnel_stages') }}

),

funnels as (

    select * from {{ ref('stg_settings__funnels') }}

),

primary_stages as (

    select funnel_stages.*
    from funnel_stages
    inner join funnels
        on funnel_stages.funnel = funnels.funnel
    where funnels.is_primary

),

terms_with_stages as (

    select
        fitted_drop_risk.stage_order,
        coalesce(primary_stages.stage, '(start)') as stage,
        fitted_drop_risk.term,
        coalesce(fitted_drop_risk.feature_name, '(intercept)') as feature_name,
        coalesce(fitted_drop_risk.feature_value, '(any)') as feature_value,
        fitted_drop_risk.coefficient,
        fitted_drop_risk.low,
        fitted_drop_risk.high,
        fitted_drop_risk.center,
        fitted_drop_risk.scale,
        fitted_drop_risk.trained_until,
        fitted_drop_risk.count_trained
    from fitted_drop_risk
    left join primary_stages
        on fitted_drop_risk.stage_order = primary_stages.stage_order

)

select * from terms_with_stages
