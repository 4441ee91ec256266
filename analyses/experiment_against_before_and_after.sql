{# the seat notice as the experiment has it, and as it is read without a control arm:
   those who reached the seats before it began and while it ran #}
with intervention_results as (
    select * from {{ ref('fct_intervention_results') }}
),

sessions as (
    select * from {{ ref('fct_sessions') }}
),

seat_notice as (
    select *
    from intervention_results
    where intervention = 'limited_seats_notice' and segment = '(all)'
),

seat_pages as (
    select
        sessions.user_id,
        sessions.is_converted,
        sessions.is_new_user,
        sessions.session_started_at >= seat_notice.first_assigned_at as is_during
    from sessions
    cross join seat_notice
    where
        sessions.furthest_funnel = 'booking'
        and sessions.furthest_stage_order >= 5
        and sessions.outcome != 'open'
        and sessions.session_started_at <= seat_notice.last_assigned_at
),

seat_pages_of_users as (
    select
        is_during,
        user_id,
        count(*) as count_sessions,
        count(*) filter (where is_converted) as count_converted,
        count(*) filter (where is_new_user) as count_new
    from seat_pages
    group by is_during, user_id
),

periods as (
    select
        is_during,
        sum(count_sessions) as count_sessions,
        sum(count_new) / sum(count_sessions) as share_new_users,
        sum(count_converted) / sum(count_sessions) as conversion_rate,
        {{ variance_of_ratio('count_converted', 'count_sessions') }} as variance
    from seat_pages_of_users
    group by is_during
),

before_and_after as (
    select
        'before and after' as method,
        periods_after.count_sessions as count_with,
        periods_before.count_sessions as count_without,
        periods_after.conversion_rate as rate_with,
        periods_before.conversion_rate as rate_without,
        periods_after.share_new_users as share_new_with,
        periods_before.share_new_users as share_new_without,
        periods_after.conversion_rate - periods_before.conversion_rate as effect,
        periods_after.conversion_rate - periods_before.conversion_rate
        - 1.96 * sqrt(periods_after.variance + periods_before.variance) as effect_low,
        periods_after.conversion_rate - periods_before.conversion_rate
        + 1.96 * sqrt(periods_after.variance + periods_before.variance) as effect_high
    from periods as periods_after
    cross join periods as periods_before
    where periods_after.is_during and not periods_before.is_during
),

experiment as (
    select
        'experiment' as method,
        count_treated as count_with,
        count_control as count_without,
        rate_treated as rate_with,
        rate_control as rate_without,
        null as share_new_with,
        null as share_new_without,
        effect,
        effect_low,
        effect_high
    from seat_notice
),

both_methods as (
    select * from before_and_after
    union all
    select * from experiment
)

select * from both_methods
order by method
