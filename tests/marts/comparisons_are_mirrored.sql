{# b against a is a against b turned round, and the difference lies in its interval #}
with

comparisons as (

    select * from {{ ref('fct_type_comparisons') }}

)

select
    comparisons.starter_a,
    comparisons.starter_b,
    comparisons.metric
from comparisons
left join comparisons as mirrored
    on
        comparisons.starter_a = mirrored.starter_b
        and comparisons.starter_b = mirrored.starter_a
        and comparisons.metric = mirrored.metric
where
    comparisons.value_a is distinct from mirrored.value_b
    or comparisons.difference is distinct from -mirrored.difference
    or comparisons.difference_low is distinct from -mirrored.difference_high
    or comparisons.p_value_adjusted is distinct from mirrored.p_value_adjusted
    or comparisons.difference not between
    comparisons.difference_low and comparisons.difference_high
