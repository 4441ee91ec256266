with

session_returns as (

    select * from {{ ref('int_session_returns') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

brackets as (

    select * from (
        values
        ('same_day', 1, 0),
        ('next_day', 2, 1),
        ('days_2_7', 3, 7),
        ('days_8_14', 4, 14)
    ) as brackets (bracket, bracket_order, last_day)

),

sessions_by_starters as (

    select
        session_date,
        starters,
        count(*) as count_sessions,
        count(case when is_same_day then 1 end) as count_same_day,
        count(case when is_next_day then 1 end) as count_next_day,
        count(case when is_days_2_7 then 1 end) as count_days_2_7,
        count(case when is_days_8_14 then 1 end) as count_days_8_14
    from session_returns
    group by session_date, starters

),

sessions_by_group as (

    select
        *,
        {{ groups_of('starters') }} as starter_event_name
    from sessions_by_starters

),

{# eligible: the bracket lies wholly before the date of as_of #}
sessions_by_bracket as (

    select
        sessions_by_group.starter_event_name,
        brackets.bracket,
        brackets.bracket_order,
        sessions_by_group.count_sessions,
        sessions_by_group.session_date + brackets.last_day
        < {{ reporting_date('as_of.as_of') }} as is_eligible,
        case brackets.bracket
            when 'same_day' then sessions_by_group.count_same_day
            when 'next_day' then sessions_by_group.count_next_day
            when 'days_2_7' then sessions_by_group.count_days_2_7
            else sessions_by_group.count_days_8_14
        end as count_returned
    from sessions_by_group
    cross join brackets
    cross join as_of
    where sessions_by_group.starter_event_name != '(unmarked)'

),

returns_counted as (

    select
        starter_event_name,
        bracket,
        cast(bracket_order as bigint) as bracket_order,
        cast(sum(count_sessions) as bigint) as count_sessions,
        cast({{ sum_where('count_sessions', 'is_eligible') }} as bigint)
            as count_eligible,
        cast({{ sum_where('count_returned', 'is_eligible') }} as bigint)
            as count_returned
    from sessions_by_bracket
    group by starter_event_name, bracket, bracket_order

),

returns_rated as (

    select
        returns_counted.*,
        {{ ratio('returns_counted.count_returned', 'returns_counted.count_eligible') }}
            as return_rate,
        as_of.as_of
    from returns_counted
    cross join as_of

)

select * from returns_rated
