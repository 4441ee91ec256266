with

usual_ranges as (

    select * from {{ ref('fct_usual_ranges') }}

)

select *
from usual_ranges
where
    {# beside a rate of all or none the range ends where rates do #}
    not coalesce(usual_low between 0 and usual_value, false)
    or not coalesce(usual_high between usual_value and 1, false)
    or not coalesce(measured_value between 0 and 1, false)
    or tail_probability > 0.025
