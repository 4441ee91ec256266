{{ config(materialized='incremental', redone_by='session') }}

{# What was known when a session began (stage 0) and when it first reached a stage of
   the primary funnel, before its conversion: of the session up to that event, and of the
   user's earlier sessions. #}
with

session_stages as (

    select * from {{ ref('int_session_stages') }}
    {{ only_redone('session') }}

),

session_funnels as (

    select * from {{ ref('int_session_funnels') }}
    {{ only_redone('session') }}

),

session_events as (

    select * from {{ ref('int_events__sessionized') }}
    {{ only_made_now() }}

),

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}
    {{ only_redone('session') }}

),

outcomes as (

    select * from {{ ref('int_sessions__outcomes') }}
    {{ only_redone('user_of_session') }}

),

contexts as (

    select * from {{ ref('base_app__contexts') }}

),

funnels as (

    select * from {{ ref('stg_settings__funnels') }}

),

funnel_stages as (

    select * from {{ ref('stg_settings__funnel_stages') }}

),

conversion_stages as (

    select
        funnel_stages.funnel,
        funnel_stages.stage_order
    from funnel_stages
    inner join funnels
        on funnel_stages.funnel = funnels.funnel
    where funnels.is_primary and funnel_stages.stage_outcome = 'conversion'

),

stages_before_conversion as (

    select
        session_stages.session_key,
        session_stages.stage_order,
        session_stages.first_event_number
    from session_stages
    inner join conversion_stages
        on
            session_stages.funnel = conversion_stages.funnel
            and session_stages.stage_order < conversion_stages.stage_order
    union all
    select
        session_funnels.session_key,
        0 as stage_order,
        1 as first_event_number
    from session_funnels
    inner join conversion_stages
        on session_funnels.funnel = conversion_stages.funnel

),

stage_moments as (

    select
        stages_before_conversion.session_key,
        stages_before_conversion.stage_order,
        session_events.event_number,
        session_events.action_number,
        session_events.event_at as reached_at,
        lag(session_events.event_at) over (
            partition by stages_before_conversion.session_key
            order by stages_before_conversion.stage_order
        ) as stage_before_at
    from stages_before_conversion
    inner join session_events
        on
            stages_before_conversion.session_key = session_events.session_key
            and stages_before_conversion.first_event_number
            = session_events.event_number

),

{# the context that came with a session's first event; what its later ones add is not
   known yet #}
opening_contexts as (

    select
        session_events.session_key,
        contexts.platform,
        contexts.app_version,
        contexts.city
    from session_events
    inner join contexts
        on session_events.context_code = contexts.context_code
    where session_events.event_number = 1

),

first_conversions as (

    select
        {{ user_number_of('session_key') }} as user_number,
        min(session_key) as session_key
    from outcomes
    where outcome = 'converted'
    group by {{ user_number_of('session_key') }}

),

moments_described as (

    select
        stage_moments.session_key,
        stage_moments.stage_order,
        stage_moments.reached_at,
        ln(1 + {{ seconds_between(
            'sessions.session_started_at', 'stage_moments.reached_at'
        ) }}) as log_seconds_since_start,
        ln(1 + {{ seconds_between(
            'coalesce(stage_moments.stage_before_at, sessions.session_started_at)',
            'stage_moments.reached_at'
        ) }}) as log_seconds_since_stage_before,
        ln(stage_moments.event_number) as log_events,
        case
            when stage_moments.action_number is null then 0
            else
                1 - cast({{ count_of(list_where(
                    'sessions.path_codes', 'code',
                    action_number_of('code') ~ ' <= stage_moments.action_number'
                )) }} as double) / stage_moments.action_number
        end as repeat_share,
        ln(sessions.user_session_number) as log_earlier_sessions,
        coalesce(
            cast(first_conversions.session_key < stage_moments.session_key as double), 0
        ) as has_converted_before,
        coalesce({{ element_of('sessions.starters', 1) }}, '(unmarked)')
            as lead_starter,
        coalesce(opening_contexts.platform, '(unknown)') as platform,
        coalesce(opening_contexts.app_version, '(unknown)') as app_version,
        coalesce(opening_contexts.city, '(unknown)') as city,
        {{ hours_band('sessions.session_started_at') }} as hour_of_day
    from stage_moments
    inner join sessions
        on stage_moments.session_key = sessions.session_key
    left join opening_contexts
        on stage_moments.session_key = opening_contexts.session_key
    left join first_conversions
        on sessions.user_number = first_conversions.user_number

)

select * from moments_described
