with

funnel_stages as (

    select * from {{ source('settings', 'funnel_stages') }}

)

select
    funnel,
    cast(stage_order as integer) as stage_order,
    event_name
from funnel_stages
