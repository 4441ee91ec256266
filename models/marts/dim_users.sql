{{ config(materialized='incremental', redone_by='user') }}

with

users as (

    select * from {{ ref('base_app__users') }}
    {{ only_redone('user') }}

),

staged_rows as (

    select * from {{ ref('base_app__staged_rows') }}

),

sessions as (

    select * from {{ ref('int_sessions') }}

),

likely_bots as (

    select * from {{ ref('int_likely_bots') }}

),

users_seen as (

    select
        users.user_id,
        users.user_number,
        min(staged_rows.event_at) as first_seen_at
    from staged_rows
    inner join users
        on staged_rows.user_number = users.user_number
    group by users.user_id, users.user_number

),

sessions_aggregated as (

    select
        user_number,
        count(*) as count_sessions,
        max(case when user_session_number = 1 then {{ element_of('starters', 1) }} end)
            as first_starter,
        bool_or(outcome = 'converted') as is_converted
    from sessions
    group by user_number

),

users_with_sessions as (

    select
        users_seen.user_id,
        {{ display_name('users_seen.user_id') }} as display_name,
        users_seen.first_seen_at,
        sessions_aggregated.first_starter,
        coalesce(sessions_aggregated.count_sessions, 0) as count_sessions,
        coalesce(sessions_aggregated.is_converted, false) as is_converted,
        users_seen.user_number in (select likely_bots.user_number from likely_bots)
            as is_likely_bot
    from users_seen
    left join sessions_aggregated
        on users_seen.user_number = sessions_aggregated.user_number

)

select * from users_with_sessions
