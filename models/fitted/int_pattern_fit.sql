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

fits_of_builds as (

    select
        fit_key,
        {{ build_of_fit('fits.fit_key', 'int_pattern_fit') }} as build_number
    from fits

)

select * from fits_of_builds
