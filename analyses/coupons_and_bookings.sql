{# the same comparison twice: over all sessions, and among those that saw the payment #}
with sessions as (
    select * from {{ ref('fct_sessions') }}
),

session_events as (
    select * from {{ ref('fct_session_events') }}
),

coupon_sessions as (
    select distinct session_id
    from session_events
    where event_name = 'coupon_applied'
),

ended_sessions as (
    select
        sessions.user_id,
        sessions.is_converted,
        coupon_sessions.session_id is not null as has_coupon,
        coalesce(
            sessions.furthest_funnel = 'booking' and sessions.furthest_stage_order >= 7,
            false
        ) as has_seen_payment
    from sessions
    left join coupon_sessions on sessions.session_id = coupon_sessions.session_id
    where sessions.outcome != 'open'
),

groups as (
    select
        'all sessions' as among,
        user_id,
        has_coupon,
        is_converted
    from ended_sessions
    union all
    select
        'reached the payment page' as among,
        user_id,
        has_coupon,
        is_converted
    from ended_sessions
    where has_seen_payment
),

sessions_of_users as (
    select
        among,
        has_coupon,
        user_id,
        count(*) as count_sessions,
        count(*) filter (where is_converted) as count_converted
    from groups
    group by among, has_coupon, user_id
),

rates as (
    select
        among,
        has_coupon,
        sum(count_sessions) as count_sessions,
        sum(count_converted) / sum(count_sessions) as conversion_rate,
        {{ variance_of_ratio('count_converted', 'count_sessions') }} as variance
    from sessions_of_users
    group by among, has_coupon
),

rates_compared as (
    select
        with_coupon.among,
        with_coupon.count_sessions as count_with_coupon,
        without_coupon.count_sessions as count_without_coupon,
        with_coupon.conversion_rate as rate_with_coupon,
        without_coupon.conversion_rate as rate_without_coupon,
        with_coupon.conversion_rate - without_coupon.conversion_rate as difference,
        with_coupon.conversion_rate - without_coupon.conversion_rate
        - 1.96 * sqrt(with_coupon.variance + without_coupon.variance) as difference_low,
        with_coupon.conversion_rate - without_coupon.conversion_rate
        + 1.96 * sqrt(with_coupon.variance + without_coupon.variance) as difference_high
    from rates as with_coupon
    inner join rates as without_coupon on with_coupon.among = without_coupon.among
    where with_coupon.has_coupon and not without_coupon.has_coupon
)

select * from rates_compared
order by among
