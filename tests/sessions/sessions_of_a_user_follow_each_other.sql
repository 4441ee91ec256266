{# numbered without a hole, and none begins before the one before it has ended #}
with

sessions as (

    select
        *,
        lag(user_session_number, 1, 0) over user_sessions as previous_number,
        lag(session_ended_at) over user_sessions as previous_ended_at
    from {{ ref('fct_sessions') }}
    window user_sessions as (partition by user_id order by user_session_number)

)

select *
from sessions
where
    user_session_number != previous_number + 1
    or session_started_at < previous_ended_at
