{# The warehouse's clock: data time, so that old data rebuilds the same. #}
with

staged_events as (

    select * from {{ ref('stg_app__events') }}

),

newest_times as (

    select
        max(case when has_valid_received_at then received_at end) as newest_received_at,
        max(event_at) as newest_event_at
    from staged_events

)

select
    coalesce(
        {{ timestamp_literal(var('as_of')) }}, newest_received_at, newest_event_at
    ) as as_of
from newest_times
