{# Each session's nearest pattern. Not incremental: a new fit moves every session, and
   a few distances a session cost less than knowing which moved. #}
with

session_features as (

    select * from {{ ref('int_session_features') }}

),

fitted_patterns as (

    select * from {{ ref('fitted_patterns') }}

),

chosen_patterns as (

    select *
    from fitted_patterns
    where is_chosen

),

pattern_centroids as (

    select
        pattern_id,
        {{ list_in_order('value', 'feature_number') }} as centroid
    from chosen_patterns
    group by pattern_id

),

patterns_listed as (

    select
        {{ list_in_order(
            'struct_pack(pattern_id := pattern_id, centroid := centroid)', 'pattern_id'
        ) }} as patterns
    from pattern_centroids

),

feature_scales as (

    select distinct
        feature_number,
        low,
        high,
        center,
        case when scale > 0 then weight / scale else 0 end as factor
    from chosen_patterns

),

scales_listed as (

    select
        struct_pack(
            lows := {{ list_in_order('low', 'feature_number') }},
            highs := {{ list_in_order('high', 'feature_number') }},
            centers := {{ list_in_order('center', 'feature_number') }},
            factors := {{ list_in_order('factor', 'feature_number') }}
        ) as scales
    from feature_scales

),

sessions_scaled as (

    select
        session_features.session_key,
        session_features.session_id,
        {{ scaled_features('session_features.features', 'scales_listed.scales') }}
            as features
    from session_features
    cross join scales_listed

),

sessions_with_nearest as (

    select
        sessions_scaled.session_key,
        sessions_scaled.session_id,
        {{ nearest_pattern('sessions_scaled.features', 'patterns_listed.patterns') }}
            as nearest
    from sessions_scaled
    cross join patterns_listed

)

select
    session_key,
    session_id,
    nearest.pattern_id,
    nearest.distance
from sessions_with_nearest
