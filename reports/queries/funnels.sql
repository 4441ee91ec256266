select
    funnel as name,
    bool_or(is_primary) as is_primary,
from dropoff.fct_funnel_daily
group by name
order by is_primary desc, name
