{# and the last day of an intervention tells the effect of all its units #}
with

results as (

    select * from {{ ref('fct_intervention_results') }}

),

last_days as (

    select *
    from {{ ref('fct_intervention_daily') }}
    qualify
        row_number() over (
            partition by intervention
            order by assigned_date desc
        ) = 1

)

select
    results.intervention,
    results.segment,
    results.segment_value
from results
left join last_days
    on
        results.intervention = last_days.intervention
        and results.segment = '(all)'
where
    results.effect not between results.effect_low and results.effect_high
    or (results.effect is null) != (results.effect_low is null)
    or (
        results.segment = '(all)'
        and (results.effect, results.effect_low, results.effect_high)
        is distinct from
        (last_days.effect, last_days.effect_low, last_days.effect_high)
    )
