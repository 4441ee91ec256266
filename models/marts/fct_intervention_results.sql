with

unit_segments as (

    select * from {{ ref('int_unit_segments') }}

),

effect_sums as (

    select * from {{ ref('int_effect_sums') }}
    where up_to_date is null

),

effects as (

    select * from {{ ref('int_effects') }}
    where up_to_date is null

),

interventions as (

    select
        intervention,
        stage,
        unit
    from unit_segments
    where segment = '(all)'
    qualify
        row_number() over (
            partition by intervention
            order by assigned_at, assignment_id
        ) = 1

),

{# shares as decimals, whose sum does not depend on the order of its rows; a unit in
   both arms is in neither count #}
units_with_share as (

    select
        *,
        case when unit_state != 'in_both_arms' then arm end as only_arm,
        cast(planned_treated_share as decimal(18, 15)) as share
    from unit_segments

),

units_counted as (

    select
        intervention,
        segment,
        segment_value,
        count(*) as count_assigned,
        count(case when unit_state = 'pending' then 1 end) as count_pending,
        count(case when unit_state = 'unmatched' then 1 end) as count_unmatched,
        count(case when unit_state = 'in_both_arms' then 1 end) as count_in_both_arms,
        count(case when only_arm = 'treated' then 1 end) as count_assigned_treated,
        count(case when only_arm = 'control' then 1 end) as count_assigned_control,
        cast(sum(share) as double) / count(*) as planned_treated_share,
        cast(sum(case when only_arm is not null then share end) as double)
            as expected_treated,
        cast(sum(case when only_arm is not null then 1 - share end) as double)
            as expected_control,
        sum(
            case
                when only_arm is not null
                    then cast(share * (1 - share) as decimal(18, 15))
            end
        ) as variance_of_treated,
        min(assigned_at) as first_assigned_at,
        max(assigned_at) as last_assigned_at
    from units_with_share
    group by
        intervention,
        segment,
        segment_value

),

units_with_z as (

    select
        *,
        {# below five in an arm the normal distribution is no measure of chance #}
        case
            when least(expected_treated, expected_control) >= 5
                then
                    abs(count_assigned_treated - expected_treated)
                    / sqrt(cast(variance_of_treated as double))
        end as z,
        least(
            sum(count_assigned_treated) over whole_intervention,
            sum(count_assigned_control) over whole_intervention
        ) > 0 as has_both_arms
    from units_counted
    window whole_intervention as (partition by intervention)

),

units_with_split as (

    select
        *,
        case
            when has_both_arms and z is not null then least({{ two_tails('z') }}, 1)
        end as srm_p_value
    from units_with_z

),

{# where the split of all is broken, that of a segment is no better #}
units_with_warning as (

    select
        *,
        coalesce(srm_p_value < 0.001, false) as is_srm_warning,
        coalesce(
            0.001
            > min(case when segment = '(all)' then srm_p_value end)
                over whole_intervention,
            false
        ) as is_srm_warning_of_all
    from units_with_split
    window whole_intervention as (partition by intervention)

),

{# all units together are a family of one test #}
effects_ranked as (

    select
        *,
        segment = '(all)' as is_of_all,
        count(*) over (partition by intervention, segment = '(all)') as count_tests,
        row_number() over (
            partition by intervention, segment = '(all)'
            order by p_value, segment, segment_value
        ) as rank
    from effects

),

effects_adjusted as (

    select
        *,
        {{ false_discovery_rate(
            'p_value', 'rank', 'count_tests', 'intervention, is_of_all'
        ) }} as p_value_adjusted
    from effects_ranked

),

results as (

    select
        units.intervention,
        units.segment,
        units.segment_value,
        interventions.stage,
        interventions.unit,
        units.count_assigned,
        units.count_pending,
        units.count_unmatched,
        units.count_in_both_arms,
        coalesce(effect_sums.count_treated, 0) as count_treated,
        coalesce(effect_sums.count_control, 0) as count_control,
        coalesce(effect_sums.converted_treated, 0) as converted_treated,
        coalesce(effect_sums.converted_control, 0) as converted_control,
        {{ ratio('effect_sums.converted_treated', 'effect_sums.count_treated') }}
            as rate_treated,
        {{ ratio('effect_sums.converted_control', 'effect_sums.count_control') }}
            as rate_control,
        effects.effect,
        effects.effect_low,
        effects.effect_high,
        effects.p_value,
        effects.p_value_adjusted,
        units.count_assigned_treated,
        units.count_assigned_control,
        units.planned_treated_share,
        units.srm_p_value,
        units.is_srm_warning,
        units.count_pending = 0 as is_finished,
        units.first_assigned_at,
        units.last_assigned_at,
        case
            when not units.has_both_arms then 'observational'
            when units.is_srm_warning or units.is_srm_warning_of_all
                then 'broken split'
            when effects.effect is null then 'too few'
            when units.count_pending > 0 then 'running'
            else 'measured'
        end as evidence
    from units_with_warning as units
    inner join interventions
        on units.intervention = interventions.intervention
    left join effect_sums
        on
            units.intervention = effect_sums.intervention
            and units.segment = effect_sums.segment
            and units.segment_value = effect_sums.segment_value
    left join effects_adjusted as effects
        on
            units.intervention = effects.intervention
            and units.segment = effects.segment
            and units.segment_value = effects.segment_value

)

select * from results
