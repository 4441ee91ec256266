{# The rows of a funnel: (all) its sessions, and those of each of its starters. #}
with

funnel_results as (

    select * from {{ ref('int_session_funnel_results') }}

),

session_groups as (

    select * from {{ ref('int_session_groups') }}

),

funnels as (

    select * from {{ ref('stg_settings__funnels') }}

),

funnel_groups as (

    select
        funnel_results.session_id,
        funnel_results.funnel,
        session_groups.starter_event_name,
        funnel_results.furthest_stage_order
    from funnel_results
    inner join funnels
        on funnel_results.funnel = funnels.funnel
    inner join session_groups
        on funnel_results.session_id = session_groups.session_id
    where
        session_groups.starter_event_name != '(unmarked)'
        and (
            funnels.is_for_all_starters
            or session_groups.starter_event_name = '(all)'
            or list_contains(
                funnels.starter_event_names, session_groups.starter_event_name
            )
        )

)

select * from funnel_groups
