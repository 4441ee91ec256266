with

fitted_patterns as (

    select * from {{ ref('fitted_patterns') }}

),

pattern_changes as (

    select distinct
        pattern_id,
        pattern_name,
        change
    from fitted_patterns
    where pattern_id is not null

)

select * from pattern_changes
