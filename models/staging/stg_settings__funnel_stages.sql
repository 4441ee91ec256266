with

funnel_stages as (

    select * from {{ source('settings', 'funnel_stages') }}

)

select
    funnel,
    cast(stage_order as integer) as stage_order,
    min(stage) as stage,
    min(label) as stage_label,
    min(phase) as phase,
    min(outcome) as stage_outcome,
    {# optional, and where it is missing the label says how the session ended #}
    coalesce(
        min({{ optional_column(source('settings', 'funnel_stages'), 'result_label') }}),
        min(label)
    )
        as result_label,
    min(event_name) as first_event_name
from funnel_stages
group by funnel, cast(stage_order as integer)
