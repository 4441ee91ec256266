{# two clocks: from the start of the session that books, and from a user's first one,
   the second only for users who have had seven days #}
with sessions as (
    select * from {{ ref('fct_sessions') }}
),

settings as (
    select * from {{ ref('dim_settings') }}
),

bookings as (
    select
        count(*) as count_bookings,
        quantile_cont(epoch(converted_at - session_started_at) / 60, 0.5)
            as minutes_median,
        quantile_cont(epoch(converted_at - session_started_at) / 60, 0.9)
            as minutes_ninth_tenth,
        count(*) filter (where converted_at - session_started_at > interval 30 minute)
            as count_over_half_an_hour
    from sessions
    where is_converted
),

users as (
    select
        user_id,
        min(session_started_at) as first_started_at,
        min(converted_at) as first_booked_at,
        min(user_session_number) filter (where is_converted)
            as first_booked_session_number
    from sessions
    group by user_id
),

users_with_seven_days as (
    select users.*
    from users
    cross join settings
    where users.first_started_at <= settings.as_of - interval 7 day
),

first_bookings as (
    select
        count(*) as count_users,
        count(*) filter (where first_booked_session_number = 1) / count(*)
            as share_in_first_session,
        count(*) filter (where first_booked_at <= first_started_at + interval 1 day)
        / count(*)
            as share_within_a_day,
        count(*) filter (where first_booked_at <= first_started_at + interval 7 day)
        / count(*)
            as share_within_seven_days
    from users_with_seven_days
)

select
    bookings.*,
    first_bookings.*,
    bookings.count_over_half_an_hour
    / bookings.count_bookings as share_over_half_an_hour,
    first_bookings.share_within_seven_days
    - 1.96 * sqrt(
        first_bookings.share_within_seven_days
        * (1 - first_bookings.share_within_seven_days)
        / first_bookings.count_users
    ) as seven_days_low,
    first_bookings.share_within_seven_days
    + 1.96 * sqrt(
        first_bookings.share_within_seven_days
        * (1 - first_bookings.share_within_seven_days)
        / first_bookings.count_users
    ) as seven_days_high
from bookings
cross join first_bookings
