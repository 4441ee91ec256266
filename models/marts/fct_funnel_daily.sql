{# Additive over dates and platforms, never over starters or stages. #}
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
        *,
        segment_value as platform
    from funnel_sessions_daily
    where segment = 'platform'

),

{# whoever reached a later stage has reached this one #}
stages_counted as (

    select
        sessions_by_furthest_stage.session_date,
        sessions_by_furthest_stage.funnel,
        funnels.is_primary,
        sessions_by_furthest_stage.starter_event_name,
        sessions_by_furthest_stage.platform,
        {{ short_name('funnel_stages.phase') }} as phase,
        funnel_stages.stage_order,
        funnel_stages.stage,
        {{ short_name('funnel_stages.stage_label') }} as stage_label,
        funnel_stages.stage_outcome,
        sum(sessions_by_furthest_stage.count_sessions) as count_sessions,
        {{ sum_where(
            'sessions_by_furthest_stage.count_sessions',
            'sessions_by_furthest_stage.furthest_stage_order >= funnel_stages.stage_order'
        ) }} as count_reached,
        {{ sum_where(
            'sessions_by_furthest_stage.count_sessions',
            'coalesce(sessions_by_furthest_stage.furthest_stage_order, 0)'
            ~ ' >= funnel_stages.stage_order - 1'
        ) }} as count_reached_before,
        {{ sum_where(
            'sessions_by_furthest_stage.count_dropped',
            'sessions_by_furthest_stage.furthest_stage_order = funnel_stages.stage_order'
        ) }} as count_dropped,
        {{ sum_where(
            'sessions_by_furthest_stage.count_open',
            'sessions_by_furthest_stage.furthest_stage_order = funnel_stages.stage_order'
        ) }} as count_open
    from sessions_by_furthest_stage
    inner join funnel_stages
        on sessions_by_furthest_stage.funnel = funnel_stages.funnel
    inner join funnels
        on sessions_by_furthest_stage.funnel = funnels.funnel
    group by all

)

select
    session_date,
    funnel,
    is_primary,
    starter_event_name,
    platform,
    phase,
    stage_order,
    stage,
    stage_label,
    stage_outcome,
    cast(count_sessions as bigint) as count_sessions,
    cast(count_reached as bigint) as count_reached,
    cast(count_reached_before as bigint) as count_reached_before,
    cast(count_dropped as bigint) as count_dropped,
    cast(count_open as bigint) as count_open
from stages_counted
