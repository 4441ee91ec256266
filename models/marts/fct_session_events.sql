{# a view: the sessionized events are stored once #}
{{ config(materialized='view') }}

with

session_events as (

    select * from {{ ref('int_events__sessionized') }}

)

select
    event_id,
    session_id,
    user_id,
    event_name,
    event_role,
    event_number,
    event_at
from session_events
