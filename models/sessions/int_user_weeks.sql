{{ config(materialized='incremental', redone_by='user_number') }}

{# When each user came first, and in which of the weeks after that again. #}
with

sessions as (

    select * from {{ ref('int_sessions') }}
    {{ only_redone('user_number') }}

),

first_sessions as (

    select
        user_number,
        session_date as first_session_date,
        starters
    from sessions
    where user_session_number = 1

),

sessions_by_week as (

    select
        sessions.user_number,
        first_sessions.first_session_date,
        first_sessions.starters,
        {{ whole_division(days_between(
            'first_sessions.first_session_date', 'sessions.session_date'
        ), 7) }} + 1 as week_number
    from sessions
    inner join first_sessions
        on sessions.user_number = first_sessions.user_number

),

users_with_weeks as (

    select
        user_number,
        first_session_date,
        starters,
        array_sort(
            array_agg(distinct week_number) filter (
                where week_number <= {{ var('retention_weeks') }}
            )
        ) as week_numbers
    from sessions_by_week
    group by user_number, first_session_date, starters

)

select * from users_with_weeks
