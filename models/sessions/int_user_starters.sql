{{ config(materialized='incremental', redone_by='user_number') }}

{# What each user's sessions of a starter sum to: the errors of a comparison are by
   user. #}
with

sessions as (

    select * from {{ ref('int_sessions') }}
    {{ only_redone('user_number') }}

),

sessions_by_starter as (

    select
        *,
        {{ each_of('starters') }} as starter_event_name
    from sessions
    where outcome != 'open'

),

users_by_starter as (

    select
        user_number,
        starter_event_name,
        count(*) as count_sessions,
        cast(sum(count_events) as bigint) as count_events,
        cast({{ sum_of_microseconds('duration_seconds') }} as bigint)
            as duration_microseconds,
        count(case when outcome = 'converted' then 1 end) as count_converted,
        count(case when is_bounce then 1 end) as count_bounces
    from sessions_by_starter
    group by user_number, starter_event_name

)

select * from users_by_starter
