{# Two kinds of session side by side. A session with both starters is on both sides, and
   a user's sessions are alike: errors are by user, and what the sides share is taken
   off. DECISIONS.md, "Comparisons", says how and what was tried. #}
with

user_starters as (

    select * from {{ ref('int_user_starters') }}

),

session_types as (

    select * from {{ ref('fct_session_types') }}

),

end_events_daily as (

    select * from {{ ref('fct_end_events_daily') }}

),

{# how each is better, if it is, and how many successes and failures are added #}
metrics as (

    select * from (
        values
        ('avg_events', 0, 0, 1),
        ('avg_duration_seconds', 0, 0, 1000000),
        ('conversion_rate', 1, 1, 1),
        ('bounce_rate', -1, 1, 1),
        ('top_drop_off', 0, 0, 1)
    ) as metrics (metric, good_direction, count_added, units)

),

user_metrics as (

    select
        user_starters.user_number,
        user_starters.starter_event_name,
        metrics.metric,
        cast(user_starters.count_sessions as {{ type_of_large_numbers() }})
            as count_sessions,
        cast(
            case metrics.metric
                when 'avg_events' then user_starters.count_events
                when 'avg_duration_seconds' then user_starters.duration_microseconds
                when 'conversion_rate' then user_starters.count_converted
                when 'bounce_rate' then user_starters.count_bounces
            end as {{ type_of_large_numbers() }}
        ) as total
    from user_starters
    cross join metrics

),

sides_summed as (

    select
        user_metrics.starter_event_name,
        metrics.metric,
        metrics.good_direction,
        metrics.count_added,
        count(*) as count_users,
        cast(sum(user_metrics.count_sessions) as double) as count_sessions,
        cast(sum(user_metrics.total) as double) / metrics.units as total,
        cast(sum(user_metrics.total * user_metrics.total) as double)
        / metrics.units / metrics.units as total_squared,
        cast(sum(user_metrics.total * user_metrics.count_sessions) as double)
        / metrics.units as total_times_sessions,
        cast(sum(user_metrics.count_sessions * user_metrics.count_sessions) as double)
            as sessions_squared
    from user_metrics
    inner join metrics
        on user_metrics.metric = metrics.metric
    group by
        user_metrics.starter_event_name,
        metrics.metric,
        metrics.good_direction,
        metrics.count_added,
        metrics.units

),

sides_weighed as (

    select
        *,
        total / count_sessions as value,
        count_sessions + 2 * count_added as weight,
        (total + count_added) / (count_sessions + 2 * count_added) as mean,
        count_users + 2 * count_added as count_clusters
    from sides_summed

),

sides as (

    select
        *,
        {{ squares_of_side(
            'mean', 'count_clusters', 'total_squared', 'total_times_sessions',
            'sessions_squared', 'count_added'
        ) }} as squares
    from sides_weighed

),

users_on_both_sides as (

    select
        sides_a.starter_event_name as starter_a,
        sides_b.starter_event_name as starter_b,
        metrics.metric,
        cast(sum(sides_a.total * sides_b.total) as double)
        / metrics.units / metrics.units as totals,
        cast(sum(sides_a.total * sides_b.count_sessions) as double)
        / metrics.units as total_a_times_sessions_b,
        cast(sum(sides_b.total * sides_a.count_sessions) as double)
        / metrics.units as total_b_times_sessions_a,
        cast(sum(sides_a.count_sessions * sides_b.count_sessions) as double)
            as sessions
    from user_metrics as sides_a
    inner join user_metrics as sides_b
        on
            sides_a.user_number = sides_b.user_number
            and sides_a.metric = sides_b.metric
            and sides_a.starter_event_name < sides_b.starter_event_name
    inner join metrics
        on sides_a.metric = metrics.metric
    group by
        sides_a.starter_event_name,
        sides_b.starter_event_name,
        metrics.metric,
        metrics.units

),

pairs as (

    select
        types_a.starter_event_name as starter_a,
        types_b.starter_event_name as starter_b
    from session_types as types_a
    inner join session_types as types_b
        on types_a.starter_event_name < types_b.starter_event_name

),

pairs_measured as (

    select
        pairs.starter_a,
        pairs.starter_b,
        metrics.metric,
        metrics.good_direction,
        coalesce(sides_a.count_sessions, 0) as count_sessions_a,
        coalesce(sides_b.count_sessions, 0) as count_sessions_b,
        coalesce(sides_a.count_users, 0) as count_users_a,
        coalesce(sides_b.count_users, 0) as count_users_b,
        sides_a.value as value_a,
        sides_b.value as value_b,
        sides_b.value - sides_a.value as difference,
        sides_b.mean - sides_a.mean as mean_difference,
        cast(least(sides_a.count_users, sides_b.count_users) - 1 as double) as df,
        {{ variance_of_difference(
            'sides_a.squares', 'sides_a.weight', 'sides_b.squares', 'sides_b.weight'
        ) }} as variance,
        coalesce(
            {{ sum_of_residual_products(
                'sides_a.mean', 'sides_b.mean', 'users_on_both_sides.totals',
                'users_on_both_sides.total_a_times_sessions_b',
                'users_on_both_sides.total_b_times_sessions_a',
                'users_on_both_sides.sessions'
            ) }},
            0
        ) / (sides_a.weight * sides_b.weight) as covariance
    from pairs
    cross join metrics
    left join sides as sides_a
        on
            pairs.starter_a = sides_a.starter_event_name
            and metrics.metric = sides_a.metric
    left join sides as sides_b
        on
            pairs.starter_b = sides_b.starter_event_name
            and metrics.metric = sides_b.metric
    left join users_on_both_sides
        on
            pairs.starter_a = users_on_both_sides.starter_a
            and pairs.starter_b = users_on_both_sides.starter_b
            and metrics.metric = users_on_both_sides.metric

),

pairs_with_errors as (

    select
        *,
        case
            when df >= 1 then sqrt(greatest(variance - 2 * covariance, 0))
        end as standard_error
    from pairs_measured

),

pairs_with_t as (

    select
        *,
        case
            when standard_error > 0 then mean_difference / standard_error
            when standard_error = 0 and mean_difference = 0 then 0
        end as t
    from pairs_with_errors

),

pairs_scored as (

    select
        *,
        {{ score_of_t('t', 'df') }} as uncorrected_score
    from pairs_with_t

),

pairs_scored_well as (

    select
        *,
        {{ corrected_score('uncorrected_score', 'df') }} as score
    from pairs_scored

),

pairs_tested as (

    select
        *,
        case
            when t is not null
                then {{ interval_low(
                    'difference', 'mean_difference', 'df', 'standard_error'
                ) }}
        end as difference_low,
        case
            when t is not null
                then {{ interval_high(
                    'difference', 'mean_difference', 'df', 'standard_error'
                ) }}
        end as difference_high,
        {{ p_value_of_t('t', 'df', 'score') }} as p_value
    from pairs_scored_well

),

pairs_ranked as (

    select
        starter_a,
        starter_b,
        metric,
        p_value,
        count(*) over () as count_tests,
        row_number() over (order by p_value, starter_a, starter_b, metric) as rank
    from pairs_tested
    where
        t is not null
        and least(count_sessions_a, count_sessions_b)
        >= {{ var('min_comparison_sessions') }}

),

pairs_adjusted as (

    select
        starter_a,
        starter_b,
        metric,
        {{ false_discovery_rate('p_value', 'rank', 'count_tests') }} as p_value_adjusted
    from pairs_ranked

),

pairs_judged as (

    select
        pairs_tested.*,
        pairs_adjusted.p_value_adjusted,
        case
            when pairs_adjusted.p_value_adjusted < 0.05
                then sign(pairs_tested.difference)
            when pairs_adjusted.p_value_adjusted >= 0.05 then 0
        end as direction
    from pairs_tested
    left join pairs_adjusted
        on
            pairs_tested.starter_a = pairs_adjusted.starter_a
            and pairs_tested.starter_b = pairs_adjusted.starter_b
            and pairs_tested.metric = pairs_adjusted.metric

),

drop_offs_counted as (

    select
        starter_event_name,
        event_name,
        sum(count_dropped) as count_dropped
    from end_events_daily
    where not is_likely_exit
    group by starter_event_name, event_name

),

top_drop_offs as (

    select *
    from drop_offs_counted
    where count_dropped > 0
    qualify
        row_number() over (
            partition by starter_event_name
            order by count_dropped desc, event_name asc
        ) = 1

),

pairs_both_ways as (

    select
        starter_a,
        starter_b,
        metric,
        good_direction,
        count_sessions_a,
        count_sessions_b,
        count_users_a,
        count_users_b,
        value_a,
        value_b,
        difference,
        difference_low,
        difference_high,
        p_value,
        p_value_adjusted,
        direction
    from pairs_judged
    union all
    select
        starter_b as starter_a,
        starter_a as starter_b,
        metric,
        good_direction,
        count_sessions_b as count_sessions_a,
        count_sessions_a as count_sessions_b,
        count_users_b as count_users_a,
        count_users_a as count_users_b,
        value_b as value_a,
        value_a as value_b,
        0 - difference as difference,
        0 - difference_high as difference_low,
        0 - difference_low as difference_high,
        p_value,
        p_value_adjusted,
        0 - direction as direction
    from pairs_judged

),

comparisons as (

    select
        pairs_both_ways.starter_a,
        pairs_both_ways.starter_b,
        pairs_both_ways.metric,
        cast(pairs_both_ways.count_sessions_a as bigint) as count_sessions_a,
        cast(pairs_both_ways.count_sessions_b as bigint) as count_sessions_b,
        pairs_both_ways.count_users_a,
        pairs_both_ways.count_users_b,
        pairs_both_ways.value_a,
        pairs_both_ways.value_b,
        drop_offs_a.event_name as text_a,
        drop_offs_b.event_name as text_b,
        pairs_both_ways.difference,
        pairs_both_ways.difference_low,
        pairs_both_ways.difference_high,
        pairs_both_ways.p_value,
        pairs_both_ways.p_value_adjusted,
        case
            when direction = 0 then 'no clear difference'
            when direction * good_direction > 0 then 'better'
            when direction * good_direction < 0 then 'worse'
            when direction > 0 then 'higher'
            when direction < 0 then 'lower'
        end as verdict
    from pairs_both_ways
    left join top_drop_offs as drop_offs_a
        on
            pairs_both_ways.metric = 'top_drop_off'
            and pairs_both_ways.starter_a = drop_offs_a.starter_event_name
    left join top_drop_offs as drop_offs_b
        on
            pairs_both_ways.metric = 'top_drop_off'
            and pairs_both_ways.starter_b = drop_offs_b.starter_event_name

)

select * from comparisons
