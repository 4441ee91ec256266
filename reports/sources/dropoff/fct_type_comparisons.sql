-- an event name may be a megabyte long: pages show its short form
select
    comparisons.* replace (
        events_a.event_short_name as text_a,
        events_b.event_short_name as text_b
    ),
from marts.fct_type_comparisons as comparisons
left join marts.dim_event_types as events_a
    on comparisons.text_a = events_a.event_name
left join marts.dim_event_types as events_b
    on comparisons.text_b = events_b.event_name
