{{ config(materialized='incremental', redone_by='session') }}

{# What a session is clustered by, as one list of numbers: int_pattern_features names
   them. #}
with

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}
    {{ only_redone('session') }}

),

outcomes as (

    select * from {{ ref('int_sessions__outcomes') }}
    {{ only_redone('session') }}

),

session_events as (

    select * from {{ ref('int_events__sessionized') }}
    {{ only_made_now() }}

),

event_roles as (

    select * from {{ ref('int_event_roles') }}

),

funnel_stage_events as (

    select * from {{ ref('stg_settings__funnel_stage_events') }}

),

funnels as (

    select * from {{ ref('stg_settings__funnels') }}

),

pattern_features as (

    select * from {{ ref('int_pattern_features') }}

),

{# of each event name: its stage in the primary funnel, and else the other funnels it is
   of #}
event_stages as (

    select
        event_roles.event_code,
        max(case when funnels.is_primary then funnel_stage_events.stage_order end)
            as stage_order,
        array_agg(funnels.funnel) as event_funnels
    from event_roles
    inner join funnel_stage_events
        on event_roles.event_name = funnel_stage_events.event_name
    inner join funnels
        on funnel_stage_events.funnel = funnels.funnel
    group by event_roles.event_code

),

primary_funnels as (

    select funnel
    from funnels
    where is_primary

),

stage_events_counted as (

    select
        session_events.session_key,
        event_stages.stage_order,
        count(*) as count_events
    from session_events
    inner join event_stages
        on session_events.event_code = event_stages.event_code
    where event_stages.stage_order is not null
    group by session_events.session_key, event_stages.stage_order

),

stage_events as (

    select
        session_key,
        {{ map_of('stage_order', 'count_events') }} as events_by_stage
    from stage_events_counted
    group by session_key

),

features_from_settings as (

    select
        coalesce(
            {{ list_in_order(
                'funnel', 'feature_number', 'stage_order is null and funnel is not null'
            ) }},
            {{ list_of([]) }}
        ) as other_funnels,
        {{ list_in_order('stage_order', 'feature_number', 'stage_order is not null') }}
            as stage_orders
    from pattern_features

),

sessions_described as (

    select
        sessions.session_key,
        sessions.session_id,
        sessions.duration_seconds,
        sessions.count_events,
        sessions.count_actions,
        sessions.path_codes,
        outcomes.outcome,
        outcomes.is_bounce,
        event_roles.event_role as last_event_role,
        case
            when
                outcomes.furthest_funnel
                = primary_funnels.funnel
                then outcomes.furthest_stage_order
            else 0
        end as progress,
        case when end_stages.stage_order is null then end_stages.event_funnels end
            as end_funnels,
        stage_events.events_by_stage
    from sessions
    cross join primary_funnels
    inner join outcomes
        on sessions.session_key = outcomes.session_key
    inner join event_roles
        on sessions.last_event_code = event_roles.event_code
    left join event_stages as end_stages
        on sessions.last_event_code = end_stages.event_code
    left join stage_events
        on sessions.session_key = stage_events.session_key

),

sessions_with_features as (

    select
        sessions_described.session_key,
        sessions_described.session_id,
        sessions_described.outcome = 'open' as is_open,
        concat(
            {{ feature_list(session_features()) }},
            {{ list_of_each(
                'features_from_settings.other_funnels', 'funnel',
                'coalesce(cast('
                ~ 'array_contains(sessions_described.end_funnels, funnel) as double), 0)'
            ) }},
            {{ list_of_each(
                'features_from_settings.stage_orders', 'stage_order',
                'ln(1 + coalesce('
                ~ element_of('sessions_described.events_by_stage', 'stage_order')
                ~ ', 0))'
            ) }}
        ) as features
    from sessions_described
    cross join features_from_settings

)

select * from sessions_with_features
