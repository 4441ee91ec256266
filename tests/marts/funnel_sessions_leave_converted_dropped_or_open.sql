{# at a stage without a later one: reached here = reached next + dropped here + open here +
   converted by another way than this funnel #}
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
            where outcome_stages.funnel = stages.funnel and outcome_stages.stage_outcome = 'conversion'
        )
        and count_sessions != count_next + count_dropped + count_open
    )
