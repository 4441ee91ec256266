select
    *,
    strftime(as_of, '%Y-%m-%d %H:%M') as as_of_text,
    strftime(oldest_event_time, '%Y-%m-%d') as oldest_event_day,
from dropoff.dim_settings
