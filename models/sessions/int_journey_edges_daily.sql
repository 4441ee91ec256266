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
        row_number() over (order by session_date, starters, platform) as slice_number
    from sessions
    group by session_date, starters, platform

),

session_paths as (

    select
        slices.slice_number,
        case
            when sessions.path_codes is null then {{ list_of([0]) }}
            else {{ event_codes_of(
                first_elements('sessions.path_codes', var('journey_max_steps'))
            ) }}
        end as source_codes,
        case
            when {{ count_of('sessions.path_codes') }} > {{ var('journey_max_steps') }}
                then -4
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

steps_numbered as (

    select
        slice_number,
        {{ each_of(places_of('source_codes')) }} as step_number,
        source_codes,
        end_code
    from session_paths

),

transitions as (

    select
        slice_number,
        step_number,
        {{ element_of('source_codes', 'step_number') }} as source_code,
        coalesce({{ element_of('source_codes', 'step_number + 1') }}, end_code)
            as target_code
    from steps_numbered

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
