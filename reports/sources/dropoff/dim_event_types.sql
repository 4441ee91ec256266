-- an event name may be a megabyte long: pages show its short form
select * exclude (event_name, label),
from marts.dim_event_types
