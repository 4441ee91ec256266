with

ended as (

    select
        starter_event_name,
        sum(count_ended) as count_ended
    from {{ ref('fct_end_events') }}
    group by starter_event_name

),

sessions as (

    select
        starter_event_name,
        sum(count_sessions - count_open) as count_sessions
    from {{ ref('fct_sessions_daily') }}
    where starter_event_name != '(unmarked)'
    group by starter_event_name

)

select *
from sessions
left join ended
    on sessions.starter_event_name = ended.starter_event_name
where coalesce(ended.count_ended, 0) != sessions.count_sessions
