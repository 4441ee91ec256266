{# Predicted against what happened, on the sessions that began after those that drop
   risk was fitted on. Sums are of whole millionths, so that no order of rows shows. #}
with

stage_risks as (

    select * from {{ ref('int_stage_risks') }}

),

stage_outcomes as (

    select * from {{ ref('int_stage_outcomes') }}

),

fitted_drop_risk as (

    select * from {{ ref('fitted_drop_risk') }}

),

funnel_stages as (

    select * from {{ ref('stg_settings__funnel_stages') }}

),

funnels as (

    select * from {{ ref('stg_settings__funnels') }}

),

stage_fits as (

    select *
    from fitted_drop_risk
    where term = 'intercept'

),

later_sessions as (

    select
        stage_outcomes.session_id,
        stage_outcomes.stage_order,
        stage_outcomes.is_dropped,
        cast(round(stage_risks.drop_risk * 1000000) as bigint) as risk_millionths
    from stage_outcomes
    inner join stage_risks
        on
            stage_outcomes.session_key = stage_risks.session_key
            and stage_outcomes.stage_order = stage_risks.stage_order
    inner join stage_fits
        on stage_outcomes.stage_order = stage_fits.stage_order
    where stage_outcomes.session_started_at >= stage_fits.trained_until

),

sessions_ranked as (

    select
        *,
        rank() over (partition by stage_order order by risk_millionths) as lowest_rank,
        count(*) over (
            partition by stage_order, risk_millionths
        ) as count_of_this_risk,
        ntile(10) over (
            partition by stage_order
            order by risk_millionths, session_id
        ) as bin
    from later_sessions

),

{# the area under the ROC curve from ranks (Mann and Whitney 1947), ties at their middle
   #}
stages_summed as (

    select
        stage_order,
        count(*) as count_tested,
        sum(is_dropped) as count_dropped,
        sum(is_dropped * (2 * lowest_rank + count_of_this_risk - 1))
            as twice_ranks_of_dropped,
        sum(
            cast(risk_millionths - 1000000 * is_dropped as hugeint)
            * (risk_millionths - 1000000 * is_dropped)
        ) as squared_errors
    from sessions_ranked
    group by stage_order

),

stages_measured as (

    select
        stages_summed.stage_order,
        stages_summed.count_tested,
        cast(
            stages_summed.twice_ranks_of_dropped
            - stages_summed.count_dropped * (stages_summed.count_dropped + 1)
            as double
        ) / nullif(
            2 * stages_summed.count_dropped
            * (stages_summed.count_tested - stages_summed.count_dropped),
            0
        ) as auc,
        cast(stages_summed.squared_errors as double) / 1e12 / stages_summed.count_tested
            as brier,
        stage_fits.base_rate,
        (
            stages_summed.count_dropped * pow(1 - stage_fits.base_rate, 2)
            + (stages_summed.count_tested - stages_summed.count_dropped)
            * pow(stage_fits.base_rate, 2)
        ) / stages_summed.count_tested as brier_of_base_rate,
        stage_fits.boosted_auc,
        stage_fits.boosted_brier,
        stage_fits.trained_until,
        stage_fits.count_trained
    from stages_summed
    inner join stage_fits
        on stages_summed.stage_order = stage_fits.stage_order

),

bins_counted as (

    select
        stage_order,
        bin,
        count(*) as count_sessions,
        cast(sum(risk_millionths) as double) / 1000000 / count(*) as mean_predicted,
        {{ ratio('sum(is_dropped)', 'count(*)') }} as observed_rate
    from sessions_ranked
    group by stage_order, bin

),

primary_stages as (

    select funnel_stages.*
    from funnel_stages
    inner join funnels
        on funnel_stages.funnel = funnels.funnel
    where funnels.is_primary

),

bins_of_stages as (

    select
        coalesce(primary_stages.stage, '(start)') as stage,
        coalesce(primary_stages.stage_label, 'Start of the session') as stage_label,
        bins_counted.stage_order,
        cast(bins_counted.bin as integer) as bin,
        bins_counted.count_sessions,
        bins_counted.mean_predicted,
        bins_counted.observed_rate,
        stages_measured.count_trained,
        stages_measured.count_tested,
        stages_measured.trained_until,
        stages_measured.auc,
        stages_measured.brier,
        stages_measured.base_rate,
        stages_measured.brier_of_base_rate,
        stages_measured.brier < stages_measured.brier_of_base_rate as beats_base_rate,
        stages_measured.boosted_auc,
        stages_measured.boosted_brier
    from bins_counted
    inner join stages_measured
        on bins_counted.stage_order = stages_measured.stage_order
    left join primary_stages
        on bins_counted.stage_order = primary_stages.stage_order

)

select * from bins_of_stages
