select platform as name
from dropoff.fct_sessions_daily
where starter_event_name = '(all)'
group by name
order by sum(count_sessions) desc, name
