{# ambient events and those of excluded bots in none, every other one in exactly one #}
with

expected as (

    select
        event_uuid,
        event_text
    from {{ ref('int_events__typed') }}
    where event_role != 'ambient' and is_excluded is not true

),

found as (

    select
        session_events.event_uuid,
        session_events.event_text
    from {{ ref('int_events__sessionized') }} as session_events
    inner join {{ ref('int_sessions__aggregated') }} as sessions
        on session_events.session_key = sessions.session_key

)

(
    select * from expected
    except all
    select * from found
)
union all
(
    select * from found
    except all
    select * from expected
)
