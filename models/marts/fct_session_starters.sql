{# a view: the starters are stored with the session #}
{{ config(materialized='view') }}

with

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}

),

starters_numbered as (

    select
        session_id,
        starters,
        {{ each_of(places_of('starters')) }} as starter_position
    from sessions

),

session_starters as (

    select
        session_id,
        {{ element_of('starters', 'starter_position') }} as starter_event_name,
        cast(starter_position as bigint) as starter_position
    from starters_numbered

)

select * from session_starters
