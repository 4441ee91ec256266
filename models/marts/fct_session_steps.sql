{# a view: the steps are told by the events, which are stored once #}
{{ config(materialized='view') }}

with

session_steps as (

    select * from {{ ref('int_session_steps') }}

),

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}

),

steps_of_sessions as (

    select
        sessions.session_id,
        session_steps.step_number,
        session_steps.event_name,
        session_steps.count_repeats,
        session_steps.started_at
    from session_steps
    inner join sessions
        on session_steps.session_key = sessions.session_key

)

select * from steps_of_sessions
