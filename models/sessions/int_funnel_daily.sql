{{ config(materialized='incremental', redone_by='session_date') }}

{# Sessions by how far they came in each funnel: additive over dates, never over
   segments or starters. #}
with

sessions as (

    select * from {{ ref('int_sessions') }}
    {{ only_redone('session_date') }}

),

funnel_results as (

    select * from {{ ref('int_session_funnel_results') }}

),

funnels as (

    select * from {{ ref('stg_settings__funnels') }}

),

sessions_in_funnels as (

    select
        funnel_results.funnel,
        funnel_results.furthest_stage_order,
        sessions.session_date,
        sessions.starters,
        sessions.outcome,
        sessions.platform,
        sessions.app_version,
        sessions.city,
        {{ user_type('sessions.user_session_number') }} as user_type
    from sessions
    inner join funnel_results
        on sessions.session_key = funnel_results.session_key

),

{# as of the session's start: nothing here is known only later #}
sessions_by_segment as (

    {% for segment in ['(all)', 'platform', 'app_version', 'city', 'user_type'] %}
    {% set value = "'(all)'" if segment == '(all)' else segment %}
    select
        session_date,
        funnel,
        starters,
        '{{ segment }}' as segment,
        {{ value }} as segment_value,
        furthest_stage_order,
        count(*) as count_sessions,
        count(case when outcome = 'dropped' then 1 end) as count_dropped,
        count(case when outcome = 'open' then 1 end) as count_open
    from sessions_in_funnels
    group by
        session_date,
        funnel,
        starters,
        furthest_stage_order
        {%- if segment != '(all)' %}, {{ segment }}{% endif %}
    {{ "union all" if not loop.last }}
    {% endfor %}

),

sessions_by_group as (

    select
        *,
        {{ groups_of('starters') }} as starter_event_name
    from sessions_by_segment

),

sessions_by_furthest_stage as (

    select
        sessions_by_group.session_date,
        sessions_by_group.funnel,
        sessions_by_group.starter_event_name,
        sessions_by_group.segment,
        sessions_by_group.segment_value,
        sessions_by_group.furthest_stage_order,
        sum(sessions_by_group.count_sessions) as count_sessions,
        sum(sessions_by_group.count_dropped) as count_dropped,
        sum(sessions_by_group.count_open) as count_open
    from sessions_by_group
    inner join funnels
        on sessions_by_group.funnel = funnels.funnel
    where
        sessions_by_group.starter_event_name != '(unmarked)'
        and (
            funnels.is_for_all_starters
            or sessions_by_group.starter_event_name = '(all)'
            or array_contains(
                funnels.starter_event_names, sessions_by_group.starter_event_name
            )
        )
    group by all

)

select * from sessions_by_furthest_stage
