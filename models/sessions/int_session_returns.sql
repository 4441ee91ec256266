{{ config(materialized='incremental', redone_by='user_number') }}

{# Did the user come again: later that day, the next, in days 2 to 7, in days 8 to 14?
   #}
with

sessions as (

    select * from {{ ref('int_sessions') }}
    {{ only_redone('user_number') }}

),

sessions_with_returns as (

    select
        user_number,
        session_date,
        starters,
        user_session_number
        < max(user_session_number) over (partition by user_number, session_date)
            as is_same_day,
        count(*) over next_day > 0 as is_next_day,
        count(*) over days_2_7 > 0 as is_days_2_7,
        count(*) over days_8_14 > 0 as is_days_8_14
    from sessions
    window
        next_day as (
            partition by user_number
            order by session_date
            range between interval 1 day following and interval 1 day following
        ),
        days_2_7 as (
            partition by user_number
            order by session_date
            range between interval 2 days following and interval 7 days following
        ),
        days_8_14 as (
            partition by user_number
            order by session_date
            range between interval 8 days following and interval 14 days following
        )

)

select * from sessions_with_returns
