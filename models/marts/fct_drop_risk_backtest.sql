{# Predicted against what happened, on the sessions that began after those that drop
   risk was fitted on. Sums are of whole millionths, so that no order of rows shows. #}
with

stage_risks as (

    select * from {{ ref('int_stage_risks') }}

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
        session_id,
        stage_order,
        case when outcome = 'dropped' then 1 else 0 end as is_dropped,
        cast(round(drop_risk * 1000000) as bigint) as risk_millionths
    from stage_risks
    where outcome != 'open'

),

{# many sessions have the same risk: what holds for them all needs no look at each #}
risks_counted as (

    select
        stage_order,
        risk_millionths,
        count(*) as count_sessions,
        sum(is_dropped) as count_dropped
    from later_sessions
    group by stage_order, risk_millionths

),

risks_ranked as (

    select
        *,
        sum(count_sessions) over (
            partition by stage_order
            order by risk_millionths
            rows between unbounded preceding and current row
        ) - count_sessions as count_lower,
        sum(count_sessions) over (partition by stage_order) as count_tested
    from risks_counted

),

risks_with_bins as (

    select
        *,
        {{ part_of_place('count_lower + 1', 'count_tested', 10) }} as first_bin,
        {{ part_of_place('count_lower + count_sessions', 'count_tested', 10) }}
            as last_bin
    from risks_ranked

),

{# the area under the ROC curve from ranks (Mann and Whitney 1947), ties at their middle
   #}
stages_summed as (

    select
        stage_order,
        max(count_tested) as count_tested,
        sum(count_dropped) as count_dropped,
        sum(count_dropped * (2 * count_lower + count_sessions + 1))
            as twice_ranks_of_dropped,
        sum(
            (count_sessions - count_dropped)
            * cast(risk_millionths as {{ type_of_large_numbers() }}) * risk_millionths
            + count_dropped
            * cast(1000000 - risk_millionths as {{ type_of_large_numbers() }})
            * (1000000 - risk_millionths)
        ) as squared_errors
    from risks_with_bins
    group by stage_order

),

stages_measured as (

    select
        stages_summed.stage_order,
        cast(stages_summed.count_tested as bigint) as count_tested,
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

{# where the border of two bins is among sessions of one risk, they are told apart by
   session_id #}
sessions_at_borders as (

    select
        later_sessions.stage_order,
        later_sessions.risk_millionths,
        later_sessions.is_dropped,
        risks_with_bins.count_tested,
        risks_with_bins.count_lower + row_number() over (
            partition by later_sessions.stage_order, later_sessions.risk_millionths
            order by later_sessions.session_id
        ) as place
    from later_sessions
    inner join risks_with_bins
        on
            later_sessions.stage_order = risks_with_bins.stage_order
            and later_sessions.risk_millionths = risks_with_bins.risk_millionths
    where risks_with_bins.first_bin < risks_with_bins.last_bin

),

parts_of_bins as (

    select
        stage_order,
        first_bin as bin,
        risk_millionths,
        count_sessions,
        count_dropped
    from risks_with_bins
    where first_bin = last_bin
    union all
    select
        stage_order,
        {{ part_of_place('place', 'count_tested', 10) }} as bin,
        risk_millionths,
        1 as count_sessions,
        is_dropped as count_dropped
    from sessions_at_borders

),

bins_counted as (

    select
        stage_order,
        bin,
        cast(sum(count_sessions) as bigint) as count_sessions,
        cast(sum(risk_millionths * count_sessions) as double) / 1000000
        / sum(count_sessions) as mean_predicted,
        {{ ratio('sum(count_dropped)', 'sum(count_sessions)') }} as observed_rate
    from parts_of_bins
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
