{# The effect of each intervention, in every segment and up to every date where both
   arms have units enough: rates of all assigned, errors by user, as in
   fct_type_comparisons. A user's sessions may be in both arms; what the arms share is
   taken off. #}
with

effect_sums as (

    select * from {{ ref('int_effect_sums') }}

),

{# one user on a side says nothing of how users differ #}
sums_large_enough as (

    select *
    from effect_sums
    where
        least(count_treated, count_control) >= {{ var('min_comparison_sessions') }}
        and least(count_users_treated, count_users_control) >= 2

),

{# a success and a failure are added to each arm #}
arms_weighed as (

    select
        *,
        {{ ratio('converted_treated', 'count_treated') }}
        - {{ ratio('converted_control', 'count_control') }} as effect,
        cast(count_treated + 2 as double) as weight_treated,
        cast(count_control + 2 as double) as weight_control,
        {{ ratio('(converted_treated + 1)', '(count_treated + 2)') }} as mean_treated,
        {{ ratio('(converted_control + 1)', '(count_control + 2)') }} as mean_control,
        count_users_treated + 2 as count_clusters_treated,
        count_users_control + 2 as count_clusters_control,
        cast(least(count_users_treated, count_users_control) - 1 as double) as df
    from sums_large_enough

),

arms_squared as (

    select
        *,
        {{ squares_of_side(
            'mean_treated', 'count_clusters_treated', 'converted_treated_squared',
            'converted_treated_times_treated', 'treated_squared', 1
        ) }} as squares_treated,
        {{ squares_of_side(
            'mean_control', 'count_clusters_control', 'converted_control_squared',
            'converted_control_times_control', 'control_squared', 1
        ) }} as squares_control
    from arms_weighed

),

effects_with_variance as (

    select
        *,
        mean_treated - mean_control as mean_difference,
        {{ variance_of_difference(
            'squares_treated', 'weight_treated', 'squares_control', 'weight_control'
        ) }} as variance,
        (
            {{ sum_of_residual_products(
                'mean_treated', 'mean_control', 'converted_of_both',
                'converted_treated_times_control', 'converted_control_times_treated',
                'treated_times_control'
            ) }}
        ) / (weight_treated * weight_control) as covariance
    from arms_squared

),

{# what is added to either arm keeps the error above 0 #}
effects_with_error as (

    select
        *,
        sqrt(variance - 2 * covariance) as standard_error
    from effects_with_variance

),

effects_with_t as (

    select
        *,
        mean_difference / standard_error as t
    from effects_with_error

),

effects_scored as (

    select
        *,
        {{ score_of_t('t', 'df') }} as uncorrected_score
    from effects_with_t

),

effects_scored_well as (

    select
        *,
        {{ corrected_score('uncorrected_score', 'df') }} as score
    from effects_scored

),

effects_tested as (

    select
        intervention,
        segment,
        segment_value,
        up_to_date,
        effect,
        {{ interval_low('effect', 'mean_difference', 'df', 'standard_error') }}
            as effect_low,
        {{ interval_high('effect', 'mean_difference', 'df', 'standard_error') }}
            as effect_high,
        {{ p_value_of_t('t', 'df', 'score') }} as p_value
    from effects_scored_well

)

select * from effects_tested
