{# The funnels a session is evaluated on: those for all, and those for one of its
   starters. #}
with

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}

),

session_starters as (

    select * from {{ ref('int_session_starters') }}

),

funnels as (

    select * from {{ ref('stg_settings__funnels') }}

),

funnels_for_all as (

    select
        sessions.session_id,
        funnels.funnel
    from sessions
    cross join funnels
    where funnels.is_for_all_starters

),

funnels_for_starters as (

    select distinct
        session_starters.session_id,
        funnels.funnel
    from session_starters
    inner join funnels
        on
            list_contains(
                funnels.starter_event_names, session_starters.starter_event_name
            )
    where not funnels.is_for_all_starters

),

session_funnels as (

    select * from funnels_for_all
    union all
    select * from funnels_for_starters

)

select * from session_funnels
