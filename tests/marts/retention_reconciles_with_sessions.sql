{# every user with a session is in one cohort, and came back in the first week by coming
   #}
with

first_weeks as (

    select
        sum(count_cohort) as count_users,
        count(case when count_eligible != count_retained then 1 end) as count_unequal
    from {{ ref('fct_retention_weekly') }}
    where starter_event_name = '(all)' and week_number = 1

),

users as (

    select count(*) as count_users
    from {{ ref('dim_users') }}
    where count_sessions > 0

)

select *
from first_weeks
cross join users
where
    coalesce(first_weeks.count_users, 0) != users.count_users
    or first_weeks.count_unequal > 0
