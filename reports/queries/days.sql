select
    strftime(first_session_date, '%Y-%m-%d') as first_day,
    strftime(last_session_date, '%Y-%m-%d') as last_day,
from dropoff.dim_settings
