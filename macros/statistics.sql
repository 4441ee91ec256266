{# Statistics as expressions, held against scipy's in tests/python/test_statistics.py; each says
   how near it comes. Degrees of freedom are doubles, since decimals of one engine are cut off. #}

{% macro whole_division(dividend, divisor) -%}
    {{ return(adapter.dispatch('whole_division')(dividend, divisor)) }}
{%- endmacro %}

{% macro duckdb__whole_division(dividend, divisor) -%}
    {{ dividend }} // {{ divisor }}
{%- endmacro %}

{% macro spark__whole_division(dividend, divisor) -%}
    {{ dividend }} div {{ divisor }}
{%- endmacro %}

{# half up, as the same number on any engine; their own ways of rounding differ #}
{% macro rounded(number, digits) -%}
    floor(1e{{ digits }} * ({{ number }}) + 0.5e0) / 1e{{ digits }}
{%- endmacro %}

{# The squared residuals of users about a ratio of sums, sum(total) / sum(count), from sums alone:
   a user's residual is total - mean x count. Exact sums, so that no order of rows shows; what
   rounding leaves where all are alike is taken off, and no spread is made of it. #}
{% macro sum_of_squared_residuals(mean, sum_total_squared, sum_total_times_count, sum_count_squared) -%}
    greatest(
        {{ sum_total_squared }} - 2 * {{ mean }} * {{ sum_total_times_count }}
        + {{ mean }} * {{ mean }} * {{ sum_count_squared }}
        - 1e-13 * {{ sum_total_squared }},
        0
    )
{%- endmacro %}

{# Agresti and Caffo (2000): a success and a failure are added to either side of a rate, so that
   none of thirty is no certainty. What both together add to the squared residuals #}
{% macro added_squares(mean, count_added) -%}
    {{ count_added }} * ({{ mean }} * {{ mean }} + (1 - {{ mean }}) * (1 - {{ mean }}))
{%- endmacro %}

{# The squares of one side of a difference of ratios, with what is added to it, and
   with Bessel's correction for the clusters they are of. #}
{% macro squares_of_side(mean, count_clusters, sum_total_squared, sum_total_times_count, sum_count_squared, count_added) -%}
    cast({{ count_clusters }} as double) / nullif({{ count_clusters }} - 1, 0) * (
        {{ sum_of_squared_residuals(mean, sum_total_squared, sum_total_times_count, sum_count_squared) }}
        + {{ added_squares(mean, count_added) }}
    )
{%- endmacro %}

{# an aggregate over clusters, one row each: the variance of sum(total) / sum(count), nothing added #}
{% macro variance_of_ratio(total, count) -%}
    {{ squares_of_side(
        'sum(' ~ total ~ ') / sum(' ~ count ~ ')',
        'count(*)',
        'sum(' ~ total ~ ' * ' ~ total ~ ')',
        'sum(' ~ total ~ ' * ' ~ count ~ ')',
        'sum(' ~ count ~ ' * ' ~ count ~ ')',
        '0'
    ) }} / pow(sum({{ count }}), 2)
{%- endmacro %}

{# The larger of two variances of a difference of ratios, each side's own and one for both: a small
   side of a long-tailed metric knows too little of its own. #}
{% macro variance_of_difference(squares_a, weight_a, squares_b, weight_b) -%}
    greatest(
        {{ squares_a }} / pow({{ weight_a }}, 2) + {{ squares_b }} / pow({{ weight_b }}, 2),
        ({{ squares_a }} + {{ squares_b }}) / ({{ weight_a }} + {{ weight_b }})
        * (1 / {{ weight_a }} + 1 / {{ weight_b }})
    )
{%- endmacro %}

{# the products of users' residuals on two sides, from sums of products alone #}
{% macro sum_of_residual_products(mean_a, mean_b, totals, total_a_times_count_b, total_b_times_count_a, counts) -%}
    {{ totals }}
    - {{ mean_b }} * {{ total_a_times_count_b }}
    - {{ mean_a }} * {{ total_b_times_count_a }}
    + {{ mean_a }} * {{ mean_b }} * {{ counts }}
{%- endmacro %}

{# 95 % intervals: the difference as it is lies within, though they are about another mean #}
{% macro interval_low(difference, mean_difference, df, standard_error) -%}
    least({{ mean_difference }} - {{ t_of_95_percent(df) }} * {{ standard_error }}, {{ difference }})
{%- endmacro %}

{% macro interval_high(difference, mean_difference, df, standard_error) -%}
    greatest({{ mean_difference }} + {{ t_of_95_percent(df) }} * {{ standard_error }}, {{ difference }})
{%- endmacro %}

{# Hill (1970), Algorithm 395: a t of some degrees of freedom as a score of the normal
   distribution, in two steps; from 3 degrees on to 2e-5 of the p-value, from 5 on to 5e-7 #}
{% macro score_of_t(t, df) -%}
    sqrt(({{ df }} - 0.5) * ln(1 + {{ t }} * {{ t }} / {{ df }}))
{%- endmacro %}

{% macro corrected_score(score, df) -%}
    {%- set b = '48 * pow(' ~ df ~ ' - 0.5, 2)' -%}
    {{ score }} + (pow({{ score }}, 3) + 3 * {{ score }}) / ({{ b }})
    - (4 * pow({{ score }}, 7) + 33 * pow({{ score }}, 5) + 240 * pow({{ score }}, 3) + 855 * {{ score }})
    / (10 * {{ b }} * ({{ b }} + 0.8 * pow({{ score }}, 4) + 100))
{%- endmacro %}

{# Abramowitz and Stegun 26.2.17, both tails, of a score of at least 0 #}
{% macro two_tails(score) -%}
    {%- set t = '1 / (1 + 0.2316419 * ' ~ score ~ ')' -%}
    2 * exp(-{{ score }} * {{ score }} / 2) / sqrt(2 * pi()) * (
        0.319381530 * {{ t }} - 0.356563782 * pow({{ t }}, 2) + 1.781477937 * pow({{ t }}, 3)
        - 1.821255978 * pow({{ t }}, 4) + 1.330274429 * pow({{ t }}, 5)
    )
{%- endmacro %}

{# two-sided p-value of Student's t; t_score is the corrected score of the same t #}
{% macro p_value_of_t(t, df, t_score) -%}
    case
        when {{ df }} = 1 then 1 - 2 / pi() * atan(abs({{ t }}))
        when {{ df }} = 2 then 1 - abs({{ t }}) / sqrt(2 + {{ t }} * {{ t }})
        when {{ t }} is not null then least({{ two_tails(t_score) }}, 1)
    end
{%- endmacro %}

{# half the width of a 95 % interval in standard errors: the 97.5 % point of Student's t;
   from 3 degrees on Abramowitz and Stegun 26.7.5, about the normal point: to 0.004 with 3, to 0.0003 from 5 on #}
{% macro t_of_95_percent(df) -%}
    case
        when {{ df }} = 1 then 12.706205
        when {{ df }} = 2 then 4.302653
        else 1.95996398 + 2.37227123 / {{ df }} + 2.82249862 / pow({{ df }}, 2)
            + 2.55584968 / pow({{ df }}, 3) + 1.58953407 / pow({{ df }}, 4)
    end
{%- endmacro %}

{# Benjamini and Hochberg (1995): ranks from the smallest p-value, 1.. of count_tests, in each family
   of tests #}
{% macro false_discovery_rate(p_value, rank, count_tests, family=none) -%}
    least(1, min({{ p_value }} * {{ count_tests }} / {{ rank }}) over (
        {{ 'partition by ' ~ family if family }}
        order by {{ rank }} desc
        rows between unbounded preceding and current row
    ))
{%- endmacro %}

{# Abramowitz and Stegun 26.2.23: the score of the normal distribution above which lies this
   probability, of 0.5 at most; to 0.0005 #}
{% macro score_of_tail(probability) -%}
    {%- set t = 'sqrt(-2 * ln(' ~ probability ~ '))' -%}
    {{ t }} - (2.515517 + 0.802853 * {{ t }} + 0.010328 * pow({{ t }}, 2))
    / (1 + 1.432788 * {{ t }} + 0.189269 * pow({{ t }}, 2) + 0.001308 * pow({{ t }}, 3))
{%- endmacro %}

{# the t of some degrees of freedom with the tail of a score of the normal distribution, by Hill's
   first step turned round; from 7 degrees on to 0.002 of it, down to a tail of 1e-4 #}
{% macro t_of_score(score, df) -%}
    sqrt({{ df }} * (exp(
        pow({{ score }} - (pow({{ score }}, 3) + 3 * {{ score }}) / (48 * pow({{ df }} - 0.5, 2)), 2)
        / ({{ df }} - 0.5)
    ) - 1))
{%- endmacro %}

{# Of a rate, where fewer than five of a count would be on one side of it, five are: what is rarer
   is no longer near to normal #}
{% macro rate_of_five(rate, count) -%}
    greatest(least({{ rate }}, 1 - least(5 / {{ count }}, 0.5e0)), least(5 / {{ count }}, 0.5e0))
{%- endmacro %}

{# Winterbottom (1993): control limits of a rate of so many, corrected for its skewness. How many
   standard errors of the rate a limit lies away; side is -1 for the lower one, 1 for the upper #}
{% macro errors_to_limit(t, skewness, side) -%}
    greatest({{ t }} + ({{ side }}) * {{ skewness }} * ({{ t }} * {{ t }} - 1) / 6, {{ t }} / 2)
{%- endmacro %}

{# The part, 1.., of a row at this place among so many, as ntile gives it: parts of one size, the
   first ones larger by one where it does not come out even. #}
{% macro part_of_place(place, count, parts) -%}
    {%- set size = 'floor(' ~ count ~ ' / ' ~ parts ~ ')' -%}
    {%- set count_larger = 'mod(' ~ count ~ ', ' ~ parts ~ ')' -%}
    case
        when {{ place }} <= {{ count_larger }} * ({{ size }} + 1)
            then floor(({{ place }} - 1) / ({{ size }} + 1)) + 1
        else
            floor(({{ place }} - 1 - {{ count_larger }}) / {{ size }}) + 1
    end
{%- endmacro %}
