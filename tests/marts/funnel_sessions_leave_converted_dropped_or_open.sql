{# who reached a stage reached the next one, or was dropped or is open there; before the
   conversion of the primary funnel there is no other way to leave #}
with

stages as (

    select
        *,
        lead(count_sessions, 1, 0) over (
            partition by funnel, starter_event_name, segment, segment_value
            order by stage_order
        ) as count_next
    from {{ ref('fct_funnel_stages') }}

)

select *
from stages
where
    count_sessions < count_next + count_dropped + count_open
    or (
        funnel = (select primary_funnel from {{ ref('dim_settings') }})
        and stage_outcome is null
        and stage_order < (
            select min(outcome_stages.stage_order)
            from {{ ref('stg_settings__funnel_stages') }} as outcome_stages
            where
                outcome_stages.funnel = stages.funnel
                and outcome_stages.stage_outcome = 'conversion'
        )
        and count_sessions != count_next + count_dropped + count_open
    )
