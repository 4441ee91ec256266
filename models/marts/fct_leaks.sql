{# Where sessions are lost, and in which segments more than in the rest. Errors are by
   user, who may be in several values of a segment; see DECISIONS.md, "Leaks". #}
with

step_sums as (

    select * from {{ ref('int_step_sums') }}

),

leaking_stages as (

    select * from {{ ref('int_leaking_stages') }}

),

steps_with_stages as (

    select
        leaking_stages.funnel,
        leaking_stages.is_primary,
        leaking_stages.stage,
        leaking_stages.stage_label,
        leaking_stages.next_stage_label,
        leaking_stages.goal_label,
        in_funnel.count_reached as count_in_funnel,
        coalesce(at_goal.count_reached, 0) as count_at_goal,
        step_sums.* {{ without(['funnel']) }}
    from step_sums
    inner join leaking_stages
        on
            step_sums.funnel = leaking_stages.funnel
            and step_sums.stage_order = leaking_stages.stage_order
    inner join step_sums as in_funnel
        on
            step_sums.funnel = in_funnel.funnel
            and step_sums.segment = in_funnel.segment
            and step_sums.segment_value = in_funnel.segment_value
            and in_funnel.stage_order = 0
    left join step_sums as at_goal
        on
            step_sums.funnel = at_goal.funnel
            and step_sums.segment = at_goal.segment
            and step_sums.segment_value = at_goal.segment_value
            and leaking_stages.goal_stage_order = at_goal.stage_order

),

{# a success and a failure are added to either side #}
sides_weighed as (

    select
        *,
        {{ ratio('count_went_on', 'count_reached') }} as step_rate,
        {{ ratio('rest_went_on', 'rest_reached') }} as rest_step_rate,
        {{ ratio('count_at_goal', 'count_went_on') }} as later_rate,
        cast(count_reached + 2 as double) as weight,
        cast(rest_reached + 2 as double) as rest_weight,
        {{ ratio('(count_went_on + 1)', '(count_reached + 2)') }} as mean,
        {{ ratio('(rest_went_on + 1)', '(rest_reached + 2)') }} as rest_mean,
        count_users + 2 as count_clusters,
        rest_users + 2 as rest_clusters,
        cast(least(count_users, rest_users) - 1 as double) as df
    from steps_with_stages

),

sides_squared as (

    select
        *,
        {{ squares_of_side(
            'mean', 'count_clusters', 'went_on_squared', 'went_on_times_reached',
            'reached_squared', 1
        ) }} as squares,
        {{ squares_of_side(
            'rest_mean', 'rest_clusters', 'rest_went_on_squared',
            'rest_went_on_times_reached', 'rest_reached_squared', 1
        ) }} as rest_squares
    from sides_weighed

),

differences_with_error as (

    select
        *,
        mean - rest_mean as mean_difference,
        sqrt(squares) / weight as rate_error,
        case
            when df >= 1 and segment != '(all)'
                then
                    sqrt(greatest(
                        {{ variance_of_difference(
                            'squares', 'weight', 'rest_squares', 'rest_weight'
                        ) }} - 2 * (
                            {{ sum_of_residual_products(
                                'mean', 'rest_mean', 'went_on_times_rest_went_on',
                                'went_on_times_rest', 'reached_times_rest_went_on',
                                'reached_times_rest'
                            ) }}
                        ) / (weight * rest_weight),
                        0
                    ))
        end as standard_error
    from sides_squared

),

differences_with_t as (

    select
        *,
        case
            when standard_error > 0 then mean_difference / standard_error
        end as t
    from differences_with_error

),

differences_scored as (

    select
        *,
        {{ score_of_t('t', 'df') }} as uncorrected_score
    from differences_with_t

),

differences_scored_well as (

    select
        *,
        {{ corrected_score('uncorrected_score', 'df') }} as score
    from differences_scored

),

{# small segments are held back: their rate would be read, whatever is said beside it #}
differences_tested as (

    select
        *,
        least(count_reached, rest_reached)
        < {{ var('min_comparison_sessions') }}
        and segment != '(all)' as is_held_back,
        {{ p_value_of_t('t', 'df', 'score') }} as p_value
    from differences_scored_well

),

differences_ranked as (

    select
        funnel,
        stage_order,
        segment,
        segment_value,
        p_value,
        count(*) over () as count_tests,
        row_number() over (
            order by p_value, funnel, stage_order, segment, segment_value
        ) as rank
    from differences_tested
    where t is not null and not is_held_back

),

differences_adjusted as (

    select
        funnel,
        stage_order,
        segment,
        segment_value,
        {{ false_discovery_rate('p_value', 'rank', 'count_tests') }} as p_value_adjusted
    from differences_ranked

),

leaks as (

    select
        differences.funnel,
        differences.is_primary,
        differences.stage_order,
        differences.stage,
        differences.stage_label,
        differences.next_stage_label,
        differences.goal_label,
        differences.segment,
        differences.segment_value,
        differences.count_in_funnel,
        differences.count_reached,
        differences.count_went_on,
        differences.count_reached - differences.count_went_on as count_lost,
        {{ ratio(
            'differences.count_reached - differences.count_went_on',
            'differences.count_in_funnel'
        ) }} as share_lost,
        differences.is_held_back,
        case when not differences.is_held_back then differences.step_rate end
            as step_rate,
        case when not differences.is_held_back then differences.rate_error end
            as step_rate_error,
        case when not differences.is_held_back then differences.later_rate end
            as later_rate,
        case when not differences.is_held_back then differences.rest_step_rate end
            as rest_step_rate,
        case
            when adjusted.p_value_adjusted is not null
                then differences.step_rate - differences.rest_step_rate
        end as difference,
        case
            when adjusted.p_value_adjusted is not null
                then
                    {{ interval_low(
                        '(differences.step_rate - differences.rest_step_rate)',
                        'differences.mean_difference', 'differences.df',
                        'differences.standard_error'
                    ) }}
        end as difference_low,
        case
            when adjusted.p_value_adjusted is not null
                then
                    {{ interval_high(
                        '(differences.step_rate - differences.rest_step_rate)',
                        'differences.mean_difference', 'differences.df',
                        'differences.standard_error'
                    ) }}
        end as difference_high,
        adjusted.p_value_adjusted,
        case
            when adjusted.p_value_adjusted >= 0.05 then 'no clear difference'
            when adjusted.p_value_adjusted < 0.05 and differences.mean_difference < 0
                then 'worse'
            when adjusted.p_value_adjusted < 0.05 then 'better'
        end as verdict
    from differences_tested as differences
    left join differences_adjusted as adjusted
        on
            differences.funnel = adjusted.funnel
            and differences.stage_order = adjusted.stage_order
            and differences.segment = adjusted.segment
            and differences.segment_value = adjusted.segment_value

)

select * from leaks
