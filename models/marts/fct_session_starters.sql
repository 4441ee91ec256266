with

session_starters as (

    select * from {{ ref('int_session_starters') }}

)

select
    session_id,
    starter_event_name,
    starter_position
from session_starters
