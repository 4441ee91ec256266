-- an event name may be a megabyte long: pages show its short form and need only tell it from others
select
    * replace (
        if(length(event_name) > 80, event_short_name || ' ' || md5(event_name), event_name)
        as event_name
    ),
from marts.fct_end_events_daily
