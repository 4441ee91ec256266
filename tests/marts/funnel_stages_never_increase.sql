with

stages as (

    select
        *,
        lag(count_sessions, 1, count_in_funnel) over (
            partition by funnel, starter_event_name, segment, segment_value
            order by stage_order
        ) as count_previous
    from {{ ref('fct_funnel_stages') }}

)

select *
from stages
where count_sessions > count_previous
