{# What went on at each step, and which share of the rows was bad, on each whole day,
   beside what was usual before. A quasi-binomial model with a rate for each weekday is
   fitted to the days before, in closed form: its dispersion says how much more days
   differ than the sampling of sessions alone would make them. #}
with

as_of as (

    select * from {{ ref('int_as_of') }}

),

funnel_sessions_daily as (

    select * from {{ ref('int_funnel_daily') }}

),

funnel_stages as (

    select * from {{ ref('stg_settings__funnel_stages') }}

),

data_health as (

    select * from {{ ref('fct_data_health') }}

),

{# a session that is still open at the stage before may yet go on: it is not asked #}
steps_counted as (

    select
        funnel_sessions_daily.session_date as measured_date,
        'step' as measure,
        funnel_sessions_daily.funnel,
        funnel_sessions_daily.starter_event_name,
        funnel_stages.stage_order,
        funnel_stages.stage,
        {{ sum_where(
            'funnel_sessions_daily.count_sessions',
            'funnel_sessions_daily.furthest_stage_order >= funnel_stages.stage_order - 1'
        ) }} - {{ sum_where(
            'funnel_sessions_daily.count_open',
            'funnel_sessions_daily.furthest_stage_order = funnel_stages.stage_order - 1'
        ) }} as count_of,
        {{ sum_where(
            'funnel_sessions_daily.count_sessions',
            'funnel_sessions_daily.furthest_stage_order >= funnel_stages.stage_order'
        ) }} as count_in
    from funnel_sessions_daily
    inner join funnel_stages
        on funnel_sessions_daily.funnel = funnel_stages.funnel
    where funnel_sessions_daily.segment = '(all)'
    group by
        funnel_sessions_daily.session_date,
        funnel_sessions_daily.funnel,
        funnel_sessions_daily.starter_event_name,
        funnel_stages.stage_order,
        funnel_stages.stage

),

{% set shares = {
    'rejected_rows': ['count_rejected', 'count_landed'],
    'late_rows': ['count_late', 'count_staged'],
    'unknown_events': ['count_unknown_events', 'count_staged'],
} %}
measures as (

    select * from steps_counted
    {% for measure, counts in shares.items() %}
    union all
    select
        received_date as measured_date,
        '{{ measure }}' as measure,
        cast(null as string) as funnel,
        cast(null as string) as starter_event_name,
        cast(null as integer) as stage_order,
        cast(null as string) as stage,
        {{ counts[1] }} as count_of,
        {{ counts[0] }} as count_in
    from data_health
    {% endfor %}

),

{# where nobody came there is no rate #}
measures_keyed as (

    select
        * {{ without(['count_of', 'count_in']) }},
        cast(count_of as bigint) as count_of,
        cast(count_in as bigint) as count_in,
        dayofweek(measured_date) as weekday,
        {{ hash_key([
            'measure', 'funnel', 'starter_event_name', 'cast(stage_order as string)'
        ]) }} as measure_key
    from measures
    where
        measured_date is not null
        and count_of > 0

),

last_whole_days as (

    select {{ last_whole_day('as_of') }} as last_whole_day
    from as_of

),

judged_measures as (

    select measures_keyed.*
    from measures_keyed
    cross join last_whole_days
    where
        measures_keyed.measured_date <= last_whole_days.last_whole_day
        and measures_keyed.measured_date
        > last_whole_days.last_whole_day - {{ var('alert_judged_days') }}

),

days_before as (

    select
        judged_measures.measure_key,
        judged_measures.measured_date,
        earlier.weekday,
        earlier.count_of,
        earlier.count_in
    from judged_measures
    inner join measures_keyed as earlier
        on
            judged_measures.measure_key = earlier.measure_key
            and earlier.measured_date < judged_measures.measured_date
            and earlier.measured_date
            >= judged_measures.measured_date - {{ var('alert_history_days') }}

),

{# the median, since one day on which something broke would take the mean along #}
rates_before as (

    select
        *,
        median(count_in / count_of) over (
            partition by measure_key, measured_date, weekday
        ) as rate_of_weekday
    from days_before

),

noise_before as (

    select
        *,
        {{ rate_of_five('rate_of_weekday', 'count_of') }} as noisy_rate
    from rates_before

),

{# Pearson's residuals #}
residuals_before as (

    select
        *,
        abs(count_in - count_of * rate_of_weekday)
        / sqrt(count_of * noisy_rate * (1 - noisy_rate)) as residual
    from noise_before

),

residuals_scaled as (

    select
        *,
        {# a normal variable lies within 0.6745 of its mean half of the time #}
        median(residual) over (partition by measure_key, measured_date) / 0.6745
            as usual_residual
    from residuals_before

),

{# a day on which something broke says nothing about usual days #}
usual_days as (

    select
        measure_key,
        measured_date,
        weekday,
        count_of,
        count_in
    from residuals_scaled
    where residual <= 6 * greatest(usual_residual, 1)

),

usual_weekdays as (

    select
        *,
        sum(count_of) over weekdays as count_of_weekday,
        sum(count_in) over weekdays / sum(count_of) over weekdays as usual_value
    from usual_days
    window weekdays as (partition by measure_key, measured_date, weekday)

),

usual_weekdays_with_noise as (

    select
        *,
        {{ rate_of_five('usual_value', 'count_of') }} as noisy_rate
    from usual_weekdays

),

{# never less than the sampling of sessions makes; of whole billionths, so that no order
   of days shows #}
dispersions as (

    select
        measure_key,
        measured_date,
        count(*) as count_days,
        count(*) - count(distinct weekday) as degrees_of_freedom,
        greatest(
            sum(cast(round(
                1e9 * pow(count_in - count_of * usual_value, 2)
                / (count_of * noisy_rate * (1 - noisy_rate))
            ) as bigint)) / 1e9 / nullif(count(*) - count(distinct weekday), 0),
            1
        ) as dispersion
    from usual_weekdays_with_noise
    group by measure_key, measured_date

),

usual_values as (

    select
        measure_key,
        measured_date,
        weekday,
        count(*) as count_same_weekday,
        any_value(count_of_weekday) as count_of_weekday,
        any_value(usual_value) as usual_value
    from usual_weekdays
    group by measure_key, measured_date, weekday

),

measures_with_usual as (

    select
        judged_measures.*,
        judged_measures.count_in / judged_measures.count_of as measured_value,
        usual_values.usual_value,
        usual_values.count_of_weekday,
        dispersions.count_days,
        dispersions.degrees_of_freedom,
        dispersions.dispersion,
        {{ rate_of_five('usual_values.usual_value', 'judged_measures.count_of') }}
            as noisy_rate
    from judged_measures
    inner join usual_values
        on
            judged_measures.measure_key = usual_values.measure_key
            and judged_measures.measured_date = usual_values.measured_date
            and judged_measures.weekday = usual_values.weekday
    inner join dispersions
        on
            judged_measures.measure_key = dispersions.measure_key
            and judged_measures.measured_date = dispersions.measured_date
    where
        judged_measures.count_of >= {{ var('alert_min_count') }}
        and dispersions.count_days >= {{ var('alert_min_days') }}
        and usual_values.count_same_weekday >= 2

),

{# as many false alarms a month as alert_false_alarms_per_month says, shared among all
   that is judged on a day: that holds however they hang together #}
tails_shared as (

    select
        *,
        least(
            {{ var('alert_false_alarms_per_month') }}
            / (30e0 * count(*) over (partition by measured_date)),
            0.025
        ) as tail_probability
    from measures_with_usual

),

scores_of_tails as (

    select
        *,
        {{ score_of_tail('tail_probability') }} as score
    from tails_shared

),

errors_estimated as (

    select
        *,
        {{ t_of_score('score', 'degrees_of_freedom') }} as t,
        sqrt(
            dispersion * noisy_rate * (1 - noisy_rate)
            * (1 / count_of + 1 / count_of_weekday)
        ) as standard_error,
        {# of a beta-binomial variable of this dispersion, to 2 / (a + b + 2) of it #}
        (1 - 2 * noisy_rate) * (2 * dispersion - 1)
        / sqrt(count_of * noisy_rate * (1 - noisy_rate) * dispersion) as skewness
    from scores_of_tails

),

ranges_estimated as (

    select
        *,
        greatest(
            usual_value - standard_error * {{ errors_to_limit('t', 'skewness', -1) }}, 0
        ) as usual_low,
        least(
            usual_value + standard_error * {{ errors_to_limit('t', 'skewness', 1) }}, 1
        ) as usual_high
    from errors_estimated

)

select
    measured_date,
    measure,
    funnel,
    starter_event_name,
    stage_order,
    stage,
    count_of,
    count_in,
    measured_value,
    usual_value,
    usual_low,
    usual_high,
    (measured_value - usual_value) / standard_error as standard_errors,
    dispersion,
    cast(count_days as bigint) as count_days,
    tail_probability,
    case
        when measure = 'step' then measured_value < usual_low
        else measured_value > usual_high
    end as is_beyond
from ranges_estimated
