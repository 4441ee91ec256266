with

funnels as (

    select * from {{ source('settings', 'funnels') }}

)

select
    funnel,
    lower(is_primary) = 'true' as is_primary,
    order_mode,
    {# 3,000 years are no limit, and a time plus more than that is no time #}
    case
        when cast(conversion_window_seconds as double) < 1e11
            then cast(conversion_window_seconds as double)
    end as conversion_window_seconds,
    starters = '(all)' as is_for_all_starters,
    {{ texts_between('starters', '|') }} as starter_event_names
from funnels
