with

event_types as (

    select * from {{ source('settings', 'event_types') }}

)

select
    event_name,
    role as event_role,
    coalesce(label, event_name) as label
from event_types
