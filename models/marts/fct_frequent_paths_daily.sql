{# The paths that most sessions of a starter took, told without their repeats: with them
   hardly two are alike. Additive over dates and platforms, never over starters. #}
with

sessions as (

    select
        *,
        {{ event_codes_of('path_codes') }} as event_codes
    from {{ ref('int_sessions') }}

),

nodes as (

    select * from {{ ref('int_journey_nodes') }}

),

event_names as (

    select {{ list_in_order('node_short_name', 'node_code') }} as names
    from nodes
    where node_kind = 'event'

),

paths_by_starters as (

    select
        session_date,
        starters,
        platform,
        event_codes,
        count(*) as count_sessions,
        count(case when outcome = 'converted' then 1 end) as count_converted,
        count(case when outcome = 'open' then 1 end) as count_open
    from sessions
    group by session_date, starters, platform, event_codes

),

paths_by_group as (

    select
        *,
        {{ groups_of('starters') }} as starter_event_name
    from paths_by_starters

),

paths_counted as (

    select
        starter_event_name,
        event_codes,
        sum(count_sessions) as count_sessions
    from paths_by_group
    group by starter_event_name, event_codes

),

paths_ranked as (

    select
        starter_event_name,
        event_codes,
        count_sessions
    from paths_counted
    qualify
        rank() over (
            partition by starter_event_name
            order by count_sessions desc
        ) <= {{ var('journey_top_paths') }}

),

paths_named as (

    select
        paths_ranked.starter_event_name,
        paths_ranked.event_codes,
        paths_ranked.count_sessions,
        coalesce(
            {{ joined(
                names_of_codes('paths_ranked.event_codes', 'event_names.names'), ' → '
            ) }},
            '(none)'
        ) as path
    from paths_ranked
    cross join event_names

),

{# as many are so frequent, their names decide: numbers are this warehouse's own #}
frequent_paths as (

    select
        *,
        row_number() over (
            partition by starter_event_name
            order by count_sessions desc, path asc
        ) as path_number
    from paths_named
    qualify path_number <= {{ var('journey_top_paths') }}

),

frequent_paths_by_day as (

    select
        paths_by_group.session_date,
        paths_by_group.starter_event_name,
        paths_by_group.platform,
        cast(frequent_paths.path_number as bigint) as path_number,
        frequent_paths.path,
        cast(sum(paths_by_group.count_sessions) as bigint) as count_sessions,
        cast(sum(paths_by_group.count_converted) as bigint) as count_converted,
        cast(sum(paths_by_group.count_open) as bigint) as count_open
    from paths_by_group
    inner join frequent_paths
        on
            paths_by_group.starter_event_name = frequent_paths.starter_event_name
            and paths_by_group.event_codes
            is not distinct from frequent_paths.event_codes
    group by
        paths_by_group.session_date,
        paths_by_group.starter_event_name,
        paths_by_group.platform,
        frequent_paths.path_number,
        frequent_paths.path

)

select * from frequent_paths_by_day
