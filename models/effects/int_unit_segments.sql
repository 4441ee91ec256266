{# a view: seven rows for each unit #}
{{ config(materialized='view') }}

{# Units by what was known of them when their session began. #}
with

units as (

    select * from {{ ref('int_assigned_units') }}

),

segments as (

    select * from (
        values
        ('(all)'),
        ('platform'),
        ('app_version'),
        ('city'),
        ('user_type'),
        ('hour_of_day')
    ) as segments (segment)

),

units_by_segment as (

    select
        units.assignment_id,
        units.intervention,
        segments.segment,
        case segments.segment
            when '(all)' then '(all)'
            when 'platform' then units.platform
            when 'app_version' then units.app_version
            when 'city' then units.city
            when 'user_type' then units.user_type
            when 'hour_of_day' then units.hour_of_day
        end as segment_value,
        units.unit,
        units.user_id,
        units.stage,
        units.arm,
        units.planned_treated_share,
        units.assigned_at,
        units.unit_state,
        units.is_converted
    from units
    cross join segments

)

select * from units_by_segment
