{# a view: one short join, and nothing to store #}
{{ config(materialized='view') }}

{# The funnels a session is evaluated on: those for all, and those for one of its
   starters. #}
with

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}

),

funnels as (

    select * from {{ ref('stg_settings__funnels') }}

),

session_funnels as (

    select
        sessions.session_key,
        funnels.funnel
    from sessions
    inner join funnels
        on
            funnels.is_for_all_starters
            or {{ lists_meet('funnels.starter_event_names', 'sessions.starters') }}

)

select * from session_funnels
