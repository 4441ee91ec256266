with

user_weeks as (

    select * from {{ ref('int_user_weeks') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

weeks as (

    select {{ each_of(numbers_between(1, var('retention_weeks'))) }} as week_number

),

cohort_users as (

    select
        {{ groups_of('starters') }} as starter_event_name,
        first_session_date,
        week_numbers,
        cast(date_trunc('week', first_session_date) as date) as cohort_week
    from user_weeks

),

{# eligible: the user's week lies wholly before the date of as_of #}
cohort_users_by_week as (

    select
        cohort_users.starter_event_name,
        cohort_users.cohort_week,
        cast(weeks.week_number as bigint) as week_number,
        cohort_users.first_session_date + cast(7 * weeks.week_number as integer)
        <= {{ reporting_date('as_of.as_of') }} as is_eligible,
        array_contains(cohort_users.week_numbers, weeks.week_number) as is_active
    from cohort_users
    cross join weeks
    cross join as_of
    where cohort_users.starter_event_name != '(unmarked)'

),

cohorts_counted as (

    select
        starter_event_name,
        cohort_week,
        week_number,
        count(*) as count_cohort,
        count(case when is_eligible then 1 end) as count_eligible,
        count(case when is_eligible and is_active then 1 end) as count_retained
    from cohort_users_by_week
    group by starter_event_name, cohort_week, week_number

),

{# a cell that is not yet mature has no rate #}
cohorts_rated as (

    select
        *,
        case
            when count_eligible = count_cohort
                then {{ ratio('count_retained', 'count_eligible') }}
        end as retention_rate
    from cohorts_counted

)

select * from cohorts_rated
