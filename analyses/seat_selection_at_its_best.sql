{# every segment that is large enough to be a benchmark, what its step rate would win
   among all that reach the page, carried through the later stages #}
with leaks as (
    select * from {{ ref('fct_leaks') }}
),

recommendations as (
    select * from {{ ref('fct_recommendations') }}
),

seat_selection as (
    select *
    from leaks
    where funnel = 'booking' and stage = 'select_seat' and not is_held_back
),

everybody as (
    select *
    from seat_selection
    where segment = '(all)'
),

benchmarks as (
    select
        segment,
        segment_value,
        count_reached,
        step_rate,
        step_rate_error,
        count(*) over () as count_segments,
        row_number() over (
            order by step_rate desc, count_reached desc, segment asc, segment_value asc
        ) as benchmark_rank
    from seat_selection
    where
        segment in ('platform', 'app_version', 'city')
        and count_reached >= {{ var('min_benchmark_sessions') }}
),

bookings_won as (
    select
        benchmarks.benchmark_rank,
        benchmarks.segment,
        benchmarks.segment_value,
        benchmarks.count_reached,
        benchmarks.count_segments,
        benchmarks.step_rate,
        everybody.step_rate as step_rate_now,
        everybody.count_reached as count_reached_now,
        everybody.later_rate,
        everybody.count_reached * everybody.later_rate
        * (benchmarks.step_rate - everybody.step_rate) as bookings_if_as_observed,
        {# the best of many is partly luck: a bound that holds for all of them #}
        everybody.count_reached * everybody.later_rate * greatest(
            benchmarks.step_rate
            - ({{ score_of_tail('(0.025 / benchmarks.count_segments)') }})
            * sqrt(
                pow(benchmarks.step_rate_error, 2) + pow(everybody.step_rate_error, 2)
            )
            - everybody.step_rate,
            0
        ) as bookings_without_luck
    from benchmarks
    cross join everybody
),

bookings_beside_the_experiment as (
    select
        bookings_won.*,
        recommendations.evidence,
        recommendations.conversions_low,
        recommendations.conversions_high
    from bookings_won
    left join recommendations
        on recommendations.stage = 'select_seat' and recommendations.segment = '(all)'
)

select * from bookings_beside_the_experiment
order by benchmark_rank
