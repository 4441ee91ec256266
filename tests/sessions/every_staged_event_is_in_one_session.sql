{# ambient events in none, every other one in exactly one #}
with

expected as (

    select event_id
    from {{ ref('int_events__typed') }}
    where event_role != 'ambient'

),

found as (

    select
        session_events.event_id,
        sessions.session_id
    from {{ ref('fct_session_events') }} as session_events
    inner join {{ ref('fct_sessions') }} as sessions
        on session_events.session_id = sessions.session_id

)

select
    expected.event_id as expected_event_id,
    found.event_id as found_event_id
from expected
full outer join found
    on expected.event_id = found.event_id
where expected.event_id is null or found.event_id is null
