with

funnels as (

    select * from {{ source('settings', 'funnels') }}

)

select
    funnel,
    lower(is_primary) = 'true' as is_primary,
    order_mode,
    cast(conversion_window_seconds as double) as conversion_window_seconds,
    starters = '(all)' as is_for_all_starters,
    string_split(starters, '|') as starter_event_names
from funnels
