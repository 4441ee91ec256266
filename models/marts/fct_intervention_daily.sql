with

units as (

    select * from {{ ref('int_assigned_units') }}
    where unit_state = 'matured'

),

effects as (

    select * from {{ ref('int_effects') }}
    where up_to_date is not null

),

units_by_date as (

    select
        intervention,
        assigned_date,
        {{ counts_by_arm() }}
    from units
    group by
        intervention,
        assigned_date

),

dates_with_effect as (

    select
        units_by_date.*,
        effects.effect,
        effects.effect_low,
        effects.effect_high
    from units_by_date
    left join effects
        on
            units_by_date.intervention = effects.intervention
            and units_by_date.assigned_date = effects.up_to_date

)

select * from dates_with_effect
