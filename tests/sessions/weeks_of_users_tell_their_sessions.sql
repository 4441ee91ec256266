{# week n: days 7(n-1) to 7n-1 after the date of the first session #}
with

sessions as (

    select
        user_number,
        session_date,
        min(session_date) over (partition by user_number) as first_session_date
    from {{ ref('int_sessions') }}

),

weeks as (

    select range as week_number
    from range(1, {{ var('retention_weeks') }} + 1)

),

expected as (

    select distinct
        sessions.user_number,
        sessions.first_session_date,
        weeks.week_number
    from sessions
    inner join weeks
        on
            sessions.session_date - sessions.first_session_date
            between 7 * (weeks.week_number - 1) and 7 * weeks.week_number - 1

),

found as (

    select
        user_number,
        first_session_date,
        unnest(week_numbers) as week_number
    from {{ ref('int_user_weeks') }}

)

(
    select * from expected
    except all
    select * from found
)
union all
(
    select * from found
    except all
    select * from expected
)
