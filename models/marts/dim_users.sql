with

typed_events as (

    select * from {{ ref('int_events__typed') }}

),

sessions as (

    select * from {{ ref('fct_sessions') }}

),

users as (

    select
        user_id,
        min(event_at) as first_seen_at
    from typed_events
    group by user_id

),

sessions_aggregated as (

    select
        user_id,
        count(*) as count_sessions,
        max(case when user_session_number = 1 then lead_starter end) as first_starter,
        bool_or(is_converted) as is_converted
    from sessions
    group by user_id

),

users_with_sessions as (

    select
        users.user_id,
        {{ display_name('users.user_id') }} as display_name,
        users.first_seen_at,
        sessions_aggregated.first_starter,
        coalesce(sessions_aggregated.count_sessions, 0) as count_sessions,
        coalesce(sessions_aggregated.is_converted, false) as is_converted
    from users
    left join sessions_aggregated
        on users.user_id = sessions_aggregated.user_id

)

select * from users_with_sessions
