{# The stages that sessions can be lost at: those before the goal of their funnel, its
   conversion stage, or where it has none its last. A session may be lost at its start in
   the primary funnel; nobody is asked to begin another. #}
with

funnels as (

    select * from {{ ref('stg_settings__funnels') }}

),

funnel_stages as (

    select * from {{ ref('stg_settings__funnel_stages') }}

),

goals as (

    select
        funnel,
        coalesce(
            max(case when stage_outcome = 'conversion' then stage_order end),
            max(stage_order)
        ) as goal_stage_order
    from funnel_stages
    group by funnel

),

next_stages as (

    select
        funnel_stages.funnel,
        funnels.is_primary,
        funnel_stages.stage_order - 1 as stage_order,
        funnel_stages.stage_label as next_stage_label,
        goals.goal_stage_order
    from funnel_stages
    inner join funnels
        on funnel_stages.funnel = funnels.funnel
    inner join goals
        on funnel_stages.funnel = goals.funnel
    where
        funnel_stages.stage_order <= goals.goal_stage_order
        and (funnels.is_primary or funnel_stages.stage_order > 1)

),

leaking_stages as (

    select
        next_stages.funnel,
        next_stages.is_primary,
        next_stages.stage_order,
        coalesce(stages.stage, '(start)') as stage,
        coalesce(stages.stage_label, 'Start') as stage_label,
        next_stages.next_stage_label,
        next_stages.goal_stage_order,
        goal_stages.stage_label as goal_label
    from next_stages
    left join funnel_stages as stages
        on
            next_stages.funnel = stages.funnel
            and next_stages.stage_order = stages.stage_order
    inner join funnel_stages as goal_stages
        on
            next_stages.funnel = goal_stages.funnel
            and next_stages.goal_stage_order = goal_stages.stage_order

)

select * from leaking_stages
