with

session_starters as (

    select * from {{ ref('fct_session_starters') }}

),

starters_counted as (

    select
        starter_event_name,
        count(*) as count_sessions
    from session_starters
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
