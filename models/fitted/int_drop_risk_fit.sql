{# Which fit drop risk is scored by, and the build that made it: what was made by an
   earlier one is made again. A fit that came out as the one before is that one. #}
with

fitted_drop_risk as (

    select * from {{ ref('fitted_drop_risk') }}

),

fits as (

    select
        md5(coalesce({{ joined_in_order(
            hash_key([
                'cast(stage_order as string)', 'term', "coalesce(feature_name, '')",
                "coalesce(feature_value, '')", 'cast(coefficient as string)',
                "coalesce(cast(low as string), '')",
                "coalesce(cast(high as string), '')",
                "coalesce(cast(center as string), '')",
                "coalesce(cast(scale as string), '')",
                'cast(trained_until as string)',
            ]),
            'stage_order, term, feature_name, feature_value', ''
        ) }}, '')) as fit_key
    from fitted_drop_risk

),

fits_of_builds as (

    select
        fit_key,
        {{ build_of_fit('fits.fit_key', 'int_drop_risk_fit') }} as build_number
    from fits

)

select * from fits_of_builds
