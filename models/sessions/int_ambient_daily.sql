{{ config(materialized='incremental', redone_by='changed_user') }}

{# What happened without the person, by day: the timeline shows it in its gaps. #}
with

typed_events as (

    select * from {{ ref('int_events__typed') }}
    {{ only_redone('changed_user') }}

),

ambient_events as (

    select
        user_number,
        event_code,
        {{ reporting_date('event_at') }} as event_date
    from typed_events
    where event_role = 'ambient' and is_excluded is not true

),

events_by_day as (

    select
        user_number,
        event_date,
        event_code,
        count(*) as count_events
    from ambient_events
    group by user_number, event_date, event_code

)

select * from events_by_day
