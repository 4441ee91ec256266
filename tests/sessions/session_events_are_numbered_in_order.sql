with

session_events as (

    select
        *,
        lag(event_number, 1, 0) over session_order as previous_number,
        lag(event_at) over session_order as previous_event_at,
        lag(event_id) over session_order as previous_event_id
    from {{ ref('fct_session_events') }}
    window session_order as (partition by session_id order by event_number)

)

select *
from session_events
where
    event_number != previous_number + 1
    or (
        event_number > 1
        and (event_at, event_id) <= (previous_event_at, previous_event_id)
    )
