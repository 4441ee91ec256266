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

{% if is_incremental_build() %}

fits_before as (

    select * from {{ before_this_build('int_drop_risk_fit') }}

),

fits_of_builds as (

    select
        fits.fit_key,
        coalesce(fits_before.build_number, {{ number_of_this_build() }})
            as build_number
    from fits
    left join fits_before
        on fits.fit_key = fits_before.fit_key

)

{% else %}

fits_of_builds as (

    select
        fit_key,
        {{ number_of_this_build() }} as build_number
    from fits

)

{% endif %}

select * from fits_of_builds
