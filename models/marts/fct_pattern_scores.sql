with

fitted_patterns as (

    select * from {{ ref('fitted_patterns') }}

),

scores as (

    select distinct
        count_patterns,
        silhouette,
        stability,
        is_chosen
    from fitted_patterns
    where count_patterns is not null and coalesce(change, '') != 'vanished'

)

select * from scores
