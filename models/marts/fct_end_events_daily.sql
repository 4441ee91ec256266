{{ config(materialized='incremental', redone_by='session_date') }}

{# Additive over dates and platforms, never over starters; open sessions left out. #}
with

sessions as (

    select * from {{ ref('int_sessions') }}
    {{ only_redone('session_date') }}

),

session_events as (

    select * from {{ ref('int_events__sessionized') }}

),

event_names as (

    select * from {{ ref('base_app__event_names') }}

),

event_types as (

    select * from {{ ref('dim_event_types') }}

),

funnels as (

    select * from {{ ref('stg_settings__funnels') }}

),

funnel_stages as (

    select * from {{ ref('stg_settings__funnel_stages') }}

),

funnel_stage_events as (

    select * from {{ ref('stg_settings__funnel_stage_events') }}

),

outcome_events as (

    select distinct funnel_stage_events.event_name
    from funnel_stage_events
    inner join funnel_stages
        on
            funnel_stage_events.funnel = funnel_stages.funnel
            and funnel_stage_events.stage_order = funnel_stages.stage_order
    inner join funnels
        on funnel_stages.funnel = funnels.funnel
    where funnels.is_primary and funnel_stages.stage_outcome is not null

),

sessions_that_ended as (

    select * from sessions
    where outcome != 'open'

),

slices as (

    select
        session_date,
        starters,
        platform,
        row_number() over (order by session_date, starters, platform) as slice_number
    from sessions_that_ended
    group by session_date, starters, platform

),

sessions_in_slices as (

    select
        sessions_that_ended.session_key,
        sessions_that_ended.last_event_code,
        sessions_that_ended.outcome,
        slices.slice_number
    from sessions_that_ended
    inner join slices
        on
            sessions_that_ended.session_date = slices.session_date
            and sessions_that_ended.starters = slices.starters
            and sessions_that_ended.platform = slices.platform

),

events_reached as (

    select
        sessions_in_slices.slice_number,
        sessions_in_slices.session_key,
        sessions_in_slices.last_event_code,
        sessions_in_slices.outcome,
        session_events.event_code
    from session_events
    inner join sessions_in_slices
        on session_events.session_key = sessions_in_slices.session_key
    group by all

),

events_counted as (

    select
        slice_number,
        event_code,
        count(case when last_event_code = event_code then 1 end) as count_ended,
        count(
            case when last_event_code = event_code and outcome = 'dropped' then 1 end
        ) as count_dropped,
        count(*) as count_reached
    from events_reached
    group by slice_number, event_code

),

events_by_starters as (

    select
        slices.session_date,
        slices.starters,
        slices.platform,
        events_counted.event_code,
        events_counted.count_ended,
        events_counted.count_dropped,
        events_counted.count_reached
    from events_counted
    inner join slices
        on events_counted.slice_number = slices.slice_number

),

events_by_group as (

    select
        *,
        {{ groups_of('starters') }} as starter_event_name
    from events_by_starters

),

events_by_day as (

    select
        events_by_group.session_date,
        events_by_group.starter_event_name,
        events_by_group.platform,
        event_names.event_name,
        cast(sum(events_by_group.count_ended) as bigint) as count_ended,
        cast(sum(events_by_group.count_dropped) as bigint) as count_dropped,
        cast(sum(events_by_group.count_reached) as bigint) as count_reached
    from events_by_group
    inner join event_names
        on events_by_group.event_code = event_names.event_code
    where events_by_group.starter_event_name != '(unmarked)'
    group by
        events_by_group.session_date,
        events_by_group.starter_event_name,
        events_by_group.platform,
        event_names.event_name

),

events_by_day_described as (

    select
        events_by_day.session_date,
        events_by_day.starter_event_name,
        events_by_day.platform,
        events_by_day.event_name,
        event_types.event_short_name,
        event_types.event_role = 'telemetry' as is_telemetry,
        event_types.event_role = 'telemetry'
        or outcome_events.event_name is not null as is_likely_exit,
        events_by_day.count_ended,
        events_by_day.count_dropped,
        events_by_day.count_reached
    from events_by_day
    inner join event_types
        on events_by_day.event_name = event_types.event_name
    left join outcome_events
        on events_by_day.event_name = outcome_events.event_name

)

select * from events_by_day_described
