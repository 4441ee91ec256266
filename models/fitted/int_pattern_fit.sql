{# Which fit patterns are assigned by, and the build that made it: what was made by an
   earlier one is made again. A fit that came out as the one before is that one. #}
with

fitted_patterns as (

    select * from {{ ref('fitted_patterns') }}

),

fits as (

    select
        md5(coalesce({{ joined_in_order(
            hash_key([
                'pattern_id', 'pattern_name', 'cast(feature_number as string)',
                'cast(weight as string)', 'cast(low as string)',
                'cast(high as string)', 'cast(center as string)',
                'cast(scale as string)', 'cast(value as string)',
            ]),
            'pattern_id, feature_number', ''
        ) }}, '')) as fit_key
    from fitted_patterns
    where is_chosen

),

{% if is_incremental_build() %}

fits_before as (

    select * from {{ before_this_build('int_pattern_fit') }}

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
