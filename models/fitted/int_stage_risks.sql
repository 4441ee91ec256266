{{ config(materialized='incremental', redone_by='session_or_drop_risk') }}

{# The drop risk of a session when it reached a stage, from the table of coefficients;
   terms are added in one order, so that the last digit is the same on any machine. Only
   of those it is asked of: open sessions, and those that the backtest is about. #}
with

stage_moments as (

    select * from {{ ref('int_stage_moments') }}
    {{ only_redone('session_or_drop_risk') }}

),

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}
    {{ only_redone('session_or_drop_risk') }}

),

outcomes as (

    select * from {{ ref('int_sessions__outcomes') }}
    {{ only_redone('session_or_drop_risk') }}

),

drop_risk_terms as (

    select * from {{ ref('fitted_drop_risk') }}

),

stage_terms as (

    select
        stage_order,
        {% for name in risk_numbers() %}
        {{ fitted_number(name, 'number', 'coefficient') }} as {{ name }}_coefficient,
        {{ fitted_number(name, 'square', 'coefficient') }} as {{ name }}_square,
        {{ fitted_number(name, 'number', 'low') }} as {{ name }}_low,
        {{ fitted_number(name, 'number', 'high') }} as {{ name }}_high,
        {{ fitted_number(name, 'number', 'center') }} as {{ name }}_center,
        {{ fitted_number(name, 'number', 'scale') }} as {{ name }}_scale,
        {% endfor %}
        max(case when term = 'intercept' then coefficient end) as intercept,
        max(trained_until) as trained_until
    from drop_risk_terms
    group by stage_order

),

category_terms as (

    select *
    from drop_risk_terms
    where term = 'category'

),

{# a number that was always alike, or of a stage with nothing to learn from, is 0 #}
moments_scaled as (

    select
        stage_moments.session_key,
        stage_moments.stage_order,
        stage_moments.reached_at,
        sessions.session_id,
        outcomes.outcome,
        {% for name in risk_categories() %}
        stage_moments.{{ name }},
        {% endfor %}
        {% for name in risk_numbers() %}
        coalesce(
            {{ scaled_number('stage_moments.' ~ name, 'stage_terms.' ~ name) }}, 0
        ) as {{ name }},
        {% endfor %}
        stage_terms.* {{ without(['stage_order']) }}
    from stage_moments
    inner join stage_terms
        on stage_moments.stage_order = stage_terms.stage_order
    inner join sessions
        on stage_moments.session_key = sessions.session_key
    inner join outcomes
        on stage_moments.session_key = outcomes.session_key
    where
        sessions.session_started_at >= stage_terms.trained_until
        or outcomes.outcome = 'open'

),

moments_scored as (

    select
        moments_scaled.session_key,
        moments_scaled.session_id,
        moments_scaled.outcome,
        moments_scaled.stage_order,
        moments_scaled.reached_at,
        {{ risk_score('moments_scaled') }} as score
    from moments_scaled
    {% for name in risk_categories() %}
    left join category_terms as {{ name }}_terms
        on
            moments_scaled.stage_order = {{ name }}_terms.stage_order
            and {{ name }}_terms.feature_name = '{{ name }}'
            and moments_scaled.{{ name }} = {{ name }}_terms.feature_value
    {% endfor %}

)

select
    session_key,
    session_id,
    outcome,
    stage_order,
    reached_at,
    round(1 / (1 + exp(0 - score)), 6) as drop_risk
from moments_scored
