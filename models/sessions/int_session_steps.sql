{# A session's path: its starters and steps, equal neighbours collapsed with a count. #}
with

session_events as (

    select * from {{ ref('int_events__sessionized') }}

),

actions_lagged as (

    select
        session_id,
        event_name,
        event_at,
        event_number,
        lag(event_name)
            over (partition by session_id order by event_number)
            as previous_event_name
    from session_events
    where event_role in ('starter', 'step')

),

actions_numbered as (

    select
        *,
        count(case when event_name is distinct from previous_event_name then 1 end)
            over (
                partition by session_id
                order by event_number
                rows between unbounded preceding and current row
            ) as step_number
    from actions_lagged

),

actions_collapsed as (

    select
        session_id,
        step_number,
        event_name,
        count(*) as count_repeats,
        min(event_at) as started_at
    from actions_numbered
    group by session_id, step_number, event_name

)

select * from actions_collapsed
