with

funnel_sessions_daily as (

    select * from {{ ref('int_funnel_daily') }}

),

funnels as (

    select * from {{ ref('stg_settings__funnels') }}

),

funnel_stages as (

    select * from {{ ref('stg_settings__funnel_stages') }}

),

sessions_by_furthest_stage as (

    select
        funnel,
        starter_event_name,
        segment,
        segment_value,
        furthest_stage_order,
        sum(count_sessions) as count_sessions,
        sum(count_dropped) as count_dropped,
        sum(count_open) as count_open
    from funnel_sessions_daily
    group by
        funnel,
        starter_event_name,
        segment,
        segment_value,
        furthest_stage_order

),

{# a funnel nobody entered still shows its stages #}
funnel_rows as (

    select distinct
        funnel,
        starter_event_name,
        segment,
        segment_value
    from sessions_by_furthest_stage
    union
    select
        funnel,
        '(all)' as starter_event_name,
        '(all)' as segment,
        '(all)' as segment_value
    from funnels

),

stages_counted as (

    select
        funnel_rows.funnel,
        funnel_rows.starter_event_name,
        funnel_rows.segment,
        funnel_rows.segment_value,
        funnel_stages.phase,
        funnel_stages.stage_order,
        funnel_stages.stage,
        funnel_stages.stage_label,
        funnel_stages.stage_outcome,
        coalesce(sum(sessions_by_furthest_stage.count_sessions), 0) as count_in_funnel,
        {{ sum_where(
            'sessions_by_furthest_stage.count_sessions',
            'sessions_by_furthest_stage.furthest_stage_order >= funnel_stages.stage_order'
        ) }} as count_sessions,
        {{ sum_where(
            'sessions_by_furthest_stage.count_dropped',
            'sessions_by_furthest_stage.furthest_stage_order = funnel_stages.stage_order'
        ) }} as count_dropped,
        {{ sum_where(
            'sessions_by_furthest_stage.count_open',
            'sessions_by_furthest_stage.furthest_stage_order = funnel_stages.stage_order'
        ) }} as count_open
    from funnel_rows
    inner join funnel_stages
        on funnel_rows.funnel = funnel_stages.funnel
    left join sessions_by_furthest_stage
        on
            funnel_rows.funnel = sessions_by_furthest_stage.funnel
            and funnel_rows.starter_event_name
            = sessions_by_furthest_stage.starter_event_name
            and funnel_rows.segment = sessions_by_furthest_stage.segment
            and funnel_rows.segment_value = sessions_by_furthest_stage.segment_value
    group by all

),

stages_beside_previous as (

    select
        *,
        lag(count_sessions, 1, count_in_funnel) over (
            partition by funnel, starter_event_name, segment, segment_value
            order by stage_order
        ) as count_previous
    from stages_counted

),

stages_rated as (

    select
        *,
        {{ ratio('count_sessions', 'count_in_funnel') }} as share_of_sessions,
        {{ ratio('count_sessions', 'count_previous') }} as step_conversion_rate
    from stages_beside_previous

)

select
    funnel,
    starter_event_name,
    segment,
    segment_value,
    phase,
    stage_order,
    stage,
    stage_label,
    stage_outcome,
    cast(count_in_funnel as bigint) as count_in_funnel,
    cast(count_sessions as bigint) as count_sessions,
    share_of_sessions,
    step_conversion_rate,
    cast(count_dropped as bigint) as count_dropped,
    cast(count_open as bigint) as count_open,
    coalesce(
        step_conversion_rate < {{ var('drop_off_step_rate') }}
        and stage_outcome is null,
        false
    )
        as is_drop_off
from stages_rated
