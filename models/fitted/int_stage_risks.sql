{# a view: of all stages ever reached, few are asked for #}
{{ config(materialized='view') }}

{# The drop risk of a session when it reached a stage, from the table of coefficients;
   terms are added in one order, so that the last digit is the same on any machine. #}
with

stage_moments as (

    select * from {{ ref('int_stage_moments') }}

),

drop_risk_terms as (

    select * from {{ ref('fitted_drop_risk') }}

),

stage_terms as (

    select
        stage_order,
        max(case when term = 'intercept' then coefficient end) as intercept
        {%- for name in risk_numbers() %},
        max(
            case
                when term = 'number' and feature_name = '{{ name }}' then coefficient
            end
        )
            as {{ name }}_coefficient,
        max(
            case
                when term = 'square' and feature_name = '{{ name }}' then coefficient
            end
        )
            as {{ name }}_square,
        max(case when feature_name = '{{ name }}' then low end) as {{ name }}_low,
        max(case when feature_name = '{{ name }}' then high end) as {{ name }}_high,
        max(case when feature_name = '{{ name }}' then center end) as {{ name }}_center,
        max(case when feature_name = '{{ name }}' then scale end) as {{ name }}_scale
        {%- endfor %}
    from drop_risk_terms
    group by stage_order

),

category_terms as (

    select * from drop_risk_terms where term = 'category'

),

{# a number that was always alike, or of a stage with nothing to learn from, is 0 #}
moments_scaled as (

    select
        stage_moments.session_key,
        stage_moments.stage_order,
        stage_moments.reached_at,
        {% for name in risk_categories() %}
        stage_moments.{{ name }},
        {% endfor %}
        {% for name in risk_numbers() %}
        coalesce(
            {{ scaled_number('stage_moments.' ~ name, 'stage_terms.' ~ name) }}, 0
        ) as {{ name }},
        {% endfor %}
        stage_terms.* exclude (stage_order)
    from stage_moments
    inner join stage_terms
        on stage_moments.stage_order = stage_terms.stage_order

),

moments_scored as (

    select
        stage_moments.session_key,
        stage_moments.stage_order,
        stage_moments.reached_at,
        stage_moments.intercept
        {%- for name in risk_numbers() %}
        + coalesce(stage_moments.{{ name }}_coefficient, 0) * stage_moments.{{ name }}
        + coalesce(stage_moments.{{ name }}_square, 0) * pow(stage_moments.{{ name }}, 2)
        {%- endfor %}
        {%- for name in risk_categories() %}
        + coalesce({{ name }}_terms.coefficient, 0)
        {%- endfor %}
            as score
    from moments_scaled as stage_moments
    {%- for name in risk_categories() %}
    left join category_terms as {{ name }}_terms
        on
            stage_moments.stage_order = {{ name }}_terms.stage_order
            and {{ name }}_terms.feature_name = '{{ name }}'
            and stage_moments.{{ name }} = {{ name }}_terms.feature_value
    {%- endfor %}

)

select
    session_key,
    stage_order,
    reached_at,
    round(1 / (1 + exp(0 - score)), 6) as drop_risk
from moments_scored
