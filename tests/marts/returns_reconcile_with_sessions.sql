{# each bracket counts every session of the starter; the eligible are among them #}
with

returns as (

    select * from {{ ref('fct_return_by_starter') }}

),

sessions_daily as (

    select
        starter_event_name,
        sum(count_sessions) as count_sessions
    from {{ ref('fct_sessions_daily') }}
    where starter_event_name != '(unmarked)'
    group by starter_event_name

)

select
    sessions_daily.starter_event_name,
    count(returns.bracket) as count_brackets
from sessions_daily
left join returns
    on sessions_daily.starter_event_name = returns.starter_event_name
group by sessions_daily.starter_event_name
having
    count(returns.bracket) != 4
    or min(returns.count_sessions) != min(sessions_daily.count_sessions)
    or max(returns.count_sessions) != min(sessions_daily.count_sessions)
    or bool_or(returns.count_returned > returns.count_eligible)
    or bool_or(returns.count_eligible > returns.count_sessions)
