{# only drops with seven days behind them have had the time to come back; a user's first
   drop at a stage counts, or those who drop often would count most #}
with sessions as (
    select * from {{ ref('fct_sessions') }}
),

settings as (
    select * from {{ ref('dim_settings') }}
),

drops as (
    select
        user_id,
        furthest_stage,
        session_ended_at as dropped_at
    from sessions
    where outcome = 'dropped' and furthest_funnel = 'booking'
    qualify row_number() over (
        partition by user_id, furthest_stage order by user_session_number
    ) = 1
),

drops_with_seven_days as (
    select drops.*
    from drops
    cross join settings
    where drops.dropped_at <= settings.as_of - interval 7 day
),

drops_and_bookings as (
    select
        drops.user_id,
        drops.furthest_stage,
        min(bookings.converted_at - drops.dropped_at) as time_to_booking
    from drops_with_seven_days as drops
    left join sessions as bookings
        on
            drops.user_id = bookings.user_id
            and drops.dropped_at < bookings.session_started_at
            and bookings.is_converted
    group by drops.user_id, drops.furthest_stage
),

returns as (
    select
        furthest_stage as dropped_at_stage,
        count(*) as count_users,
        count(*) filter (where time_to_booking <= interval 1 day) as count_within_a_day,
        count(*) filter (where time_to_booking <= interval 7 day)
            as count_within_seven_days
    from drops_and_bookings
    group by furthest_stage
),

{# Wilson (1927): one row per user and stage, so these are independent #}
return_rates as (
    select
        *,
        count_within_a_day / count_users as rate_within_a_day,
        count_within_seven_days / count_users as rate_within_seven_days,
        (count_within_seven_days + 1.92) / (count_users + 3.84)
        - 1.96 / (count_users + 3.84) * sqrt(
            count_within_seven_days
            * (count_users - count_within_seven_days)
            / count_users
            + 0.96
        ) as rate_low,
        (count_within_seven_days + 1.92) / (count_users + 3.84)
        + 1.96 / (count_users + 3.84) * sqrt(
            count_within_seven_days
            * (count_users - count_within_seven_days)
            / count_users
            + 0.96
        ) as rate_high
    from returns
)

select * from return_rates
order by rate_within_seven_days desc, dropped_at_stage
