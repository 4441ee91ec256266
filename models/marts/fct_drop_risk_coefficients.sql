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

terms_with_stages as (

    select
        fitted_drop_risk.stage_order,
        funnel_stages.stage,
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
    inner join funnel_stages
        on fitted_drop_risk.stage_order = funnel_stages.stage_order
    inner join funnels
        on funnel_stages.funnel = funnels.funnel
    where funnels.is_primary

)

select * from terms_with_stages
