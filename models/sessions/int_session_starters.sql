{# A starter in a session opened it or joined; each counts once, in the order they
   came. #}
with

session_events as (

    select * from {{ ref('int_events__sessionized') }}

),

starters_deduplicated as (

    select
        session_id,
        event_name as starter_event_name,
        min(event_number) as event_number
    from session_events
    where event_role = 'starter'
    group by session_id, event_name

),

starters_numbered as (

    select
        session_id,
        starter_event_name,
        row_number()
            over (partition by session_id order by event_number)
            as starter_position
    from starters_deduplicated

)

select * from starters_numbered
