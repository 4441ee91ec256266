select event_short_name as name
from dropoff.dim_event_types
where event_role = 'starter'
order by name
