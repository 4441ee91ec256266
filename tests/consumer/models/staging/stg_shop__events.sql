{{ config(materialized='table') }}

{# The shop's own events, as it calls them; dropoff's var event_columns says what is what. #}
select
    id as event_id,
    visitor,
    action,
    happened_at,
    received_at,
    platform
from {{ source('shop', 'app_events') }}
where action != 'heartbeat'
