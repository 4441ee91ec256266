with

fitted_patterns as (

    select * from {{ ref('fitted_patterns') }}

),

session_patterns as (

    select * from {{ ref('int_session_patterns') }}

),

funnel_stages as (

    select * from {{ ref('stg_settings__funnel_stages') }}

),

event_roles as (

    select * from {{ ref('int_event_roles') }}

),

event_types as (

    select * from {{ ref('dim_event_types') }}

),

patterns_named as (

    select distinct
        pattern_id,
        pattern_name
    from fitted_patterns
    where is_chosen

),

patterns_counted as (

    select
        pattern_id,
        count(*) as count_sessions,
        count(case when outcome = 'open' then 1 end) as count_open,
        count(case when outcome = 'converted' then 1 end) as count_converted,
        count(case when is_bounce then 1 end) as count_bounces,
        {{ sum_of_seconds('duration_seconds', "outcome != 'open'") }}
            as duration_seconds
    from session_patterns
    group by pattern_id

),

paths_counted as (

    select
        pattern_id,
        told_path,
        count(*) as count_sessions
    from session_patterns
    where outcome != 'open'
    group by pattern_id, told_path

),

typical_paths as (

    select *
    from paths_counted
    qualify
        row_number() over (
            partition by pattern_id
            order by count_sessions desc, told_path asc
        ) = 1

),

stages_counted as (

    select
        session_patterns.pattern_id,
        funnel_stages.stage_label,
        count(*) as count_sessions
    from session_patterns
    left join funnel_stages
        on
            session_patterns.furthest_funnel = funnel_stages.funnel
            and session_patterns.furthest_stage_order = funnel_stages.stage_order
    where session_patterns.outcome != 'open'
    group by session_patterns.pattern_id, funnel_stages.stage_label

),

typical_stages as (

    select *
    from stages_counted
    qualify
        row_number() over (
            partition by pattern_id
            order by count_sessions desc, stage_label asc nulls last
        ) = 1

),

end_events_counted as (

    select
        session_patterns.pattern_id,
        event_types.label,
        count(*) as count_sessions
    from session_patterns
    inner join event_roles
        on session_patterns.last_event_code = event_roles.event_code
    inner join event_types
        on event_roles.event_name = event_types.event_name
    where session_patterns.outcome != 'open'
    group by session_patterns.pattern_id, event_types.label

),

typical_end_events as (

    select *
    from end_events_counted
    qualify
        row_number() over (
            partition by pattern_id
            order by count_sessions desc, label asc
        ) = 1

),

patterns_rated as (

    select
        patterns_named.pattern_id,
        patterns_named.pattern_name,
        coalesce(patterns_counted.count_sessions, 0) as count_sessions,
        coalesce(patterns_counted.count_open, 0) as count_open,
        {{ ratio(
            'coalesce(patterns_counted.count_sessions, 0)',
            'sum(patterns_counted.count_sessions) over ()'
        ) }} as share_of_sessions,
        {{ ratio(
            'patterns_counted.duration_seconds',
            'patterns_counted.count_sessions - patterns_counted.count_open'
        ) }} as avg_duration_seconds,
        {{ ratio(
            'patterns_counted.count_converted',
            'patterns_counted.count_sessions - patterns_counted.count_open'
        ) }} as conversion_rate,
        {{ ratio(
            'patterns_counted.count_bounces',
            'patterns_counted.count_sessions - patterns_counted.count_open'
        ) }} as bounce_rate,
        typical_paths.told_path as typical_path,
        {{ ratio(
            'typical_paths.count_sessions',
            'patterns_counted.count_sessions - patterns_counted.count_open'
        ) }} as typical_path_share,
        coalesce(typical_stages.stage_label, '(none)') as typical_stage_label,
        {{ ratio(
            'typical_stages.count_sessions',
            'patterns_counted.count_sessions - patterns_counted.count_open'
        ) }} as typical_stage_share,
        typical_end_events.label as typical_end_event_label,
        {{ ratio(
            'typical_end_events.count_sessions',
            'patterns_counted.count_sessions - patterns_counted.count_open'
        ) }} as typical_end_event_share
    from patterns_named
    left join patterns_counted
        on patterns_named.pattern_id = patterns_counted.pattern_id
    left join typical_paths
        on patterns_named.pattern_id = typical_paths.pattern_id
    left join typical_stages
        on patterns_named.pattern_id = typical_stages.pattern_id
    left join typical_end_events
        on patterns_named.pattern_id = typical_end_events.pattern_id

),

patterns_explained as (

    select
        *,
        case
            when count_sessions = count_open then 'No session has ended this way yet.'
            else
                case
                    when typical_stage_label = '(none)' then 'Reaches no stage ('
                    else 'Gets to ' || typical_stage_label || ' at most ('
                end
                || {{ percent('typical_stage_share') }} || ' of them)'
                || case
                    when typical_end_event_share >= 0.3
                        then
                            ' and ends on ' || typical_end_event_label || ' ('
                            || {{ percent('typical_end_event_share') }} || ')'
                    else ''
                end
                || '; lasts ' || {{ told_duration('avg_duration_seconds') }}
                || ' on average, and ' || {{ percent('conversion_rate') }}
                || ' convert.'
        end as behaviour,
        coalesce(
            share_of_sessions >= {{ var('pattern_target_share') }}
            and conversion_rate < 0.5,
            false
        ) as is_intervention_target
    from patterns_rated

)

select
    pattern_id,
    pattern_name,
    count_sessions,
    count_open,
    share_of_sessions,
    avg_duration_seconds,
    conversion_rate,
    bounce_rate,
    typical_path,
    typical_path_share,
    typical_stage_label,
    typical_stage_share,
    typical_end_event_label,
    typical_end_event_share,
    behaviour,
    is_intervention_target
from patterns_explained
