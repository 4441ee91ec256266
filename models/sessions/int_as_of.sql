{# The warehouse's clock: data time, so that old data rebuilds the same. #}
with

events_daily as (

    select * from {{ ref('int_events_daily') }}

),

newest_times as (

    select
        max(last_received_at) as newest_received_at,
        max(last_event_at) as newest_event_at
    from events_daily

)

select
    coalesce(
        {{ timestamp_literal(var('as_of')) }}, newest_received_at, newest_event_at
    ) as as_of
from newest_times
