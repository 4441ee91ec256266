{{ config(materialized='incremental', redone_by='session_date') }}

{# The transitions of the paths by position, up to an explicit end: additive over dates
   and platforms, never over starters. Codes below zero are ends, 0 stands for an empty
   path. #}
with

sessions as (

    select * from {{ ref('int_sessions') }}
    {{ only_redone('session_date') }}

),

slices as (

    select
        session_date,
        starters,
        platform,
        row_number() over () as slice_number
    from sessions
    group by session_date, starters, platform

),

session_paths as (

    select
        slices.slice_number,
        case
            when sessions.path_codes is null then [0]
            else list_transform(
                sessions.path_codes[1:{{ var('journey_max_steps') }}],
                lambda code: {{ event_code_of('code') }}
            )
        end as source_codes,
        case
            when len(sessions.path_codes) > {{ var('journey_max_steps') }} then -4
            when sessions.outcome = 'open' then -3
            when sessions.outcome = 'converted' then -2
            else -1
        end as end_code
    from sessions
    inner join slices
        on
            sessions.session_date = slices.session_date
            and sessions.starters = slices.starters
            and sessions.platform = slices.platform

),

transitions as (

    select
        slice_number,
        generate_subscripts(source_codes, 1) as step_number,
        unnest(source_codes) as source_code,
        unnest(list_append(source_codes[2:], end_code)) as target_code
    from session_paths

),

transitions_counted as (

    select
        slice_number,
        step_number,
        source_code,
        target_code,
        count(*) as count_sessions
    from transitions
    group by slice_number, step_number, source_code, target_code

),

transitions_by_group as (

    select
        slices.session_date,
        slices.platform,
        {{ groups_of('slices.starters') }} as starter_event_name,
        transitions_counted.step_number,
        transitions_counted.source_code,
        transitions_counted.target_code,
        transitions_counted.count_sessions
    from transitions_counted
    inner join slices
        on transitions_counted.slice_number = slices.slice_number

),

edges_by_day as (

    select
        session_date,
        starter_event_name,
        platform,
        step_number,
        source_code,
        target_code,
        sum(count_sessions) as count_sessions
    from transitions_by_group
    group by all

)

select * from edges_by_day
