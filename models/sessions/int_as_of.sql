{# The warehouse's clock: data time, so that old data rebuilds the same; and how far
   behind it the newest event lies. #}
with

events_daily as (

    select * from {{ ref('int_events_daily') }}

),

newest_times as (

    select
        max(last_received_at) as newest_received_at,
        max(last_event_at) as newest_event_at
    from events_daily

),

clock as (

    select
        newest_event_at,
        coalesce(
            {{ timestamp_literal(var('as_of')) }}, newest_received_at, newest_event_at
        ) as as_of
    from newest_times

)

select
    as_of,
    greatest({{ seconds_between('newest_event_at', 'as_of') }}, 0) as data_lag_seconds
from clock
