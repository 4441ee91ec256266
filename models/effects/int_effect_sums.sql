{# What the effect and its error are computed from: sums over users of what the matured
   units of each have in either arm, for every segment, and for all units up to every
   date. Whole numbers, so that no order of rows shows. #}
{% set counts = [
    'count_treated', 'converted_treated', 'count_control', 'converted_control'
] %}
{% set products = {
    'treated_squared': ('count_treated', 'count_treated'),
    'converted_treated_squared': ('converted_treated', 'converted_treated'),
    'converted_treated_times_treated': ('converted_treated', 'count_treated'),
    'control_squared': ('count_control', 'count_control'),
    'converted_control_squared': ('converted_control', 'converted_control'),
    'converted_control_times_control': ('converted_control', 'count_control'),
    'treated_times_control': ('count_treated', 'count_control'),
    'converted_treated_times_control': ('converted_treated', 'count_control'),
    'converted_control_times_treated': ('converted_control', 'count_treated'),
    'converted_of_both': ('converted_treated', 'converted_control'),
} %}

with

unit_segments as (

    select * from {{ ref('int_unit_segments') }}
    where unit_state = 'matured'

),

units as (

    select * from {{ ref('int_assigned_units') }}
    where unit_state = 'matured'

),

users_by_segment as (

    select
        intervention,
        segment,
        segment_value,
        {{ counts_by_arm() }}
    from unit_segments
    group by
        intervention,
        segment,
        segment_value,
        user_id

),

sums_by_segment as (

    select
        intervention,
        segment,
        segment_value,
        cast(null as date) as up_to_date,
        {% for count in counts %}
        sum({{ count }}) as {{ count }},
        {% endfor %}
        {% for name, (first, second) in products.items() %}
        sum({{ first }} * {{ second }}) as {{ name }},
        {% endfor %}
        count(case when count_treated > 0 then 1 end) as count_users_treated,
        count(case when count_control > 0 then 1 end) as count_users_control
    from users_by_segment
    group by
        intervention,
        segment,
        segment_value

),

users_by_date as (

    select
        intervention,
        assigned_date,
        user_id,
        {{ counts_by_arm() }}
    from units
    group by
        intervention,
        assigned_date,
        user_id

),

users_up_to_date as (

    select
        {% for count in counts %}
        {{ count }},
        sum({{ count }}) over user_so_far as {{ count }}_so_far,
        {% endfor %}
        intervention,
        assigned_date
    from users_by_date
    window
        user_so_far as (
            partition by intervention, user_id
            order by assigned_date
            rows between unbounded preceding and current row
        )

),

{# what the date adds to each sum; a user whose units are all of this date is new #}
sums_added_by_date as (

    select
        intervention,
        assigned_date,
        {% for count in counts %}
        sum({{ count }}) as {{ count }},
        {% endfor %}
        {% for name, (first, second) in products.items() %}
        sum(
            {{ first }}_so_far * {{ second }}_so_far
            - ({{ first }}_so_far - {{ first }})
            * ({{ second }}_so_far - {{ second }})
        ) as {{ name }},
        {% endfor %}
        count(
            case
                when count_treated > 0 and count_treated_so_far = count_treated then 1
            end
        ) as count_users_treated,
        count(
            case
                when count_control > 0 and count_control_so_far = count_control then 1
            end
        ) as count_users_control
    from users_up_to_date
    group by
        intervention,
        assigned_date

),

sums_up_to_date as (

    select
        intervention,
        '(all)' as segment,
        '(all)' as segment_value,
        assigned_date as up_to_date,
        {% for number in counts + products | list %}
        sum({{ number }}) over up_to_date as {{ number }},
        {% endfor %}
        sum(count_users_treated) over up_to_date as count_users_treated,
        sum(count_users_control) over up_to_date as count_users_control
    from sums_added_by_date
    window
        up_to_date as (
            partition by intervention
            order by assigned_date
            rows between unbounded preceding and current row
        )

),

all_sums as (

    select * from sums_by_segment
    union all
    select * from sums_up_to_date

)

select
    intervention,
    segment,
    segment_value,
    up_to_date,
    {% for count in counts %}
    cast({{ count }} as bigint) as {{ count }},
    {% endfor %}
    {% for name in products %}
    cast({{ name }} as double) as {{ name }},
    {% endfor %}
    cast(count_users_treated as bigint) as count_users_treated,
    cast(count_users_control as bigint) as count_users_control
from all_sums
