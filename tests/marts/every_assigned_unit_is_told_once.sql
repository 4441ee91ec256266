{# matured, pending, unmatched or in both arms; the values of a segment sum to all, and
   the days to what has matured #}
with

results as (

    select * from {{ ref('fct_intervention_results') }}

),

days as (

    select
        intervention,
        sum(count_treated) as count_treated,
        sum(count_control) as count_control,
        sum(converted_treated) as converted_treated,
        sum(converted_control) as converted_control
    from {{ ref('fct_intervention_daily') }}
    group by intervention

),

segments as (

    select
        intervention,
        segment,
        sum(count_assigned) as count_assigned,
        sum(count_pending) as count_pending,
        sum(count_unmatched) as count_unmatched,
        sum(count_in_both_arms) as count_in_both_arms,
        sum(count_treated) as count_treated,
        sum(count_control) as count_control,
        sum(converted_treated) as converted_treated,
        sum(converted_control) as converted_control
    from results
    group by intervention, segment

)

select
    segments.intervention,
    segments.segment
from segments
inner join segments as all_units
    on
        segments.intervention = all_units.intervention
        and all_units.segment = '(all)'
left join days
    on segments.intervention = days.intervention
where
    segments.count_assigned != all_units.count_assigned
    or segments.count_pending != all_units.count_pending
    or segments.count_unmatched != all_units.count_unmatched
    or segments.count_in_both_arms != all_units.count_in_both_arms
    or segments.count_treated != coalesce(days.count_treated, 0)
    or segments.count_control != coalesce(days.count_control, 0)
    or segments.converted_treated != coalesce(days.converted_treated, 0)
    or segments.converted_control != coalesce(days.converted_control, 0)
    or segments.count_assigned
    != segments.count_treated
    + segments.count_control
    + segments.count_pending
    + segments.count_unmatched
    + segments.count_in_both_arms
