{{ config(materialized='incremental', redone_by='session_or_patterns') }}

{# Each session's nearest pattern, and what patterns are told by. Kept side by side,
   so that what is counted of all of them each day is one scan. #}
with

session_features as (

    select * from {{ ref('int_session_features') }}
    {{ only_redone('session_or_patterns') }}

),

sessions as (

    select * from {{ ref('int_sessions') }}
    {{ only_redone('session_or_patterns') }}

),

outcomes as (

    select * from {{ ref('int_sessions__outcomes') }}
    {{ only_redone('session_or_patterns') }}

),

session_stages as (

    select * from {{ ref('int_session_stages') }}
    {{ only_redone('session_or_patterns') }}

),

funnel_stages as (

    select * from {{ ref('stg_settings__funnel_stages') }}

),

fitted_patterns as (

    select * from {{ ref('fitted_patterns') }}

),

chosen_patterns as (

    select *
    from fitted_patterns
    where is_chosen

),

pattern_centroids as (

    select
        pattern_id,
        {{ list_in_order('value', 'feature_number') }} as centroid
    from chosen_patterns
    group by pattern_id

),

patterns_listed as (

    select
        {{ list_in_order(
            struct_of({'pattern_id': 'pattern_id', 'centroid': 'centroid'}), 'pattern_id'
        ) }} as patterns
    from pattern_centroids

),

feature_scales as (

    select distinct
        feature_number,
        low,
        high,
        center,
        case when scale > 0 then weight / scale else 0 end as factor
    from chosen_patterns

),

scales_listed as (

    select
        {{ struct_of({
            'lows': list_in_order('low', 'feature_number'),
            'highs': list_in_order('high', 'feature_number'),
            'centers': list_in_order('center', 'feature_number'),
            'factors': list_in_order('factor', 'feature_number'),
        }) }} as scales
    from feature_scales

),

sessions_scaled as (

    select
        session_features.session_key,
        session_features.session_id,
        {{ scaled_features('session_features.features', 'scales_listed.scales') }}
            as features
    from session_features
    cross join scales_listed

),

sessions_with_nearest as (

    select
        sessions_scaled.session_key,
        sessions_scaled.session_id,
        {{ nearest_pattern('sessions_scaled.features', 'patterns_listed.patterns') }}
            as nearest
    from sessions_scaled
    cross join patterns_listed

),

sessions_assigned as (

    select
        session_key,
        session_id,
        nearest.pattern_id,
        nearest.distance
    from sessions_with_nearest

),

{# what a session did, told by the stages it reached, of whatever funnel #}
stages_in_order as (

    select
        session_stages.session_key,
        {{ joined_in_order(
            'funnel_stages.stage_label',
            'session_stages.event_number, session_stages.funnel, '
            ~ 'session_stages.stage_order',
            ' → '
        ) }} as stage_path
    from session_stages
    inner join funnel_stages
        on
            session_stages.funnel = funnel_stages.funnel
            and session_stages.stage_order = funnel_stages.stage_order
    group by session_stages.session_key

),

sessions_told as (

    select
        sessions_assigned.session_key,
        sessions_assigned.session_id,
        sessions_assigned.pattern_id,
        sessions_assigned.distance,
        sessions.session_date,
        sessions.platform,
        sessions.outcome,
        sessions.is_bounce,
        sessions.duration_seconds,
        sessions.last_event_code,
        outcomes.furthest_funnel,
        outcomes.furthest_stage_order,
        concat_ws(
            ' → ',
            coalesce({{ element_of('sessions.starters', 1) }}, '(unmarked)'),
            stages_in_order.stage_path,
            case when sessions.outcome = 'dropped' then 'leaves' end
        ) as told_path
    from sessions_assigned
    inner join sessions
        on sessions_assigned.session_key = sessions.session_key
    inner join outcomes
        on sessions_assigned.session_key = outcomes.session_key
    left join stages_in_order
        on sessions_assigned.session_key = stages_in_order.session_key

)

select * from sessions_told
