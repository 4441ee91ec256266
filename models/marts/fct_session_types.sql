with

sessions_daily as (

    select * from {{ ref('fct_sessions_daily') }}

),

starters_counted as (

    select
        starter_event_name,
        cast(sum(count_sessions) as bigint) as count_sessions
    from sessions_daily
    where starter_event_name not in ('(all)', '(unmarked)')
    group by starter_event_name

),

starters_with_shares as (

    select
        starter_event_name,
        count_sessions,
        cast(count_sessions as double) / sum(count_sessions) over () as share_of_marked
    from starters_counted

)

select * from starters_with_shares
