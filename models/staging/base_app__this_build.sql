{# a view: what a build says of itself when it begins, for models that are no SQL #}
{{ config(materialized='view') }}

with

builds as (

    select * from {{ builds_relation() }}

),

this_build as (

    select
        build_number,
        is_incremental,
        coalesce(refits, false) as refits
    from builds
    where build_number = {{ this_build_number() }}

)

select * from this_build
