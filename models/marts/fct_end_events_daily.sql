{# Additive over dates and platforms, never over starters; open sessions left out. #}
with

sessions as (

    select * from {{ ref('fct_sessions') }}

),

session_events as (

    select * from {{ ref('int_events__sessionized') }}

),

session_groups as (

    select * from {{ ref('int_session_groups') }}

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

events_reached as (

    select distinct
        session_id,
        event_name
    from session_events

),

sessions_that_ended as (

    select
        session_id,
        session_date,
        coalesce(platform, '(unknown)') as platform,
        last_event_name
    from sessions
    where outcome != 'open'

),

events_by_day as (

    select
        sessions_that_ended.session_date,
        session_groups.starter_event_name,
        sessions_that_ended.platform,
        events_reached.event_name,
        count(
            case
                when
                    sessions_that_ended.last_event_name = events_reached.event_name
                    then 1
            end
        ) as count_ended,
        count(*) as count_reached
    from sessions_that_ended
    inner join session_groups
        on sessions_that_ended.session_id = session_groups.session_id
    inner join events_reached
        on sessions_that_ended.session_id = events_reached.session_id
    where session_groups.starter_event_name != '(unmarked)'
    group by
        sessions_that_ended.session_date,
        session_groups.starter_event_name,
        sessions_that_ended.platform,
        events_reached.event_name

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
        events_by_day.count_reached
    from events_by_day
    inner join event_types
        on events_by_day.event_name = event_types.event_name
    left join outcome_events
        on events_by_day.event_name = outcome_events.event_name

)

select * from events_by_day_described
