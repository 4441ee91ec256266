{# The groups a session is counted in: (all), and each starter it has or (unmarked). #}
with

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}

),

session_starters as (

    select * from {{ ref('int_session_starters') }}

),

session_groups as (

    select
        session_id,
        '(all)' as starter_event_name
    from sessions
    union all
    select
        session_id,
        starter_event_name
    from session_starters
    union all
    select
        session_id,
        '(unmarked)' as starter_event_name
    from sessions
    where lead_starter is null

)

select * from session_groups
