{# What is lost at a stage is what the funnel shows as dropped there, in all and in each
   segment that both know; and the values of a segment sum to all. #}
with

leaks as (

    select * from {{ ref('fct_leaks') }}

),

funnel_stages as (

    select * from {{ ref('fct_funnel_stages') }}

),

funnels as (

    select * from {{ ref('stg_settings__funnels') }}

),

{# a session that converted may have left another funnel: there, outcomes say nothing #}
leaks_unlike_the_funnel as (

    select
        leaks.funnel,
        leaks.stage_order,
        leaks.segment,
        leaks.segment_value
    from leaks
    inner join funnels
        on leaks.funnel = funnels.funnel
    inner join funnel_stages
        on
            leaks.funnel = funnel_stages.funnel
            and leaks.stage_order = funnel_stages.stage_order
            and leaks.segment = funnel_stages.segment
            and leaks.segment_value = funnel_stages.segment_value
            and funnel_stages.starter_event_name = '(all)'
    where funnels.is_primary and leaks.count_lost != funnel_stages.count_dropped

),

segments_summed as (

    select
        funnel,
        stage_order,
        segment,
        sum(count_reached) as count_reached,
        sum(count_lost) as count_lost
    from leaks
    group by
        funnel,
        stage_order,
        segment

),

segments_unlike_all as (

    select
        segments_summed.funnel,
        segments_summed.stage_order,
        segments_summed.segment,
        '(sum)' as segment_value
    from segments_summed
    inner join leaks
        on
            segments_summed.funnel = leaks.funnel
            and segments_summed.stage_order = leaks.stage_order
            and leaks.segment = '(all)'
    where
        segments_summed.count_reached != leaks.count_reached
        or segments_summed.count_lost != leaks.count_lost

)

select * from leaks_unlike_the_funnel
union all
select * from segments_unlike_all
