{# a view: the starters are stored with the session #}
{{ config(materialized='view') }}

with

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}

),

session_starters as (

    select
        session_id,
        unnest(starters) as starter_event_name,
        cast(generate_subscripts(starters, 1) as bigint) as starter_position
    from sessions

)

select * from session_starters
