with

session_events as (

    select
        *,
        {{ event_id_of('session_events') }} as event_id,
        lag(event_number, 1, 0) over session_order as previous_number,
        lag(event_at) over session_order as previous_event_at,
        lag({{ event_id_of('session_events') }}) over session_order as previous_event_id
    from {{ ref('int_events__sessionized') }} as session_events
    window session_order as (partition by session_key order by event_number)

)

select *
from session_events
where
    event_number != previous_number + 1
    or (
        event_number > 1
        and (event_at, event_id) <= (previous_event_at, previous_event_id)
    )
