select
    session_date,
    count(*) as count_sessions,
    count(case when is_converted then 1 end) as count_converted
from {{ ref('dropoff', 'fct_sessions') }}
group by session_date
