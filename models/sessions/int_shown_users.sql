{# Those that pages show of single people: the users seen last, so many and with so many
   sessions together. #}
with

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}

),

users as (

    select * from {{ ref('base_app__users') }}

),

shown_users as (

    select
        users.user_number,
        {{ short_name(display_name('users.user_id')) }} as display_name,
        cast(row_number() over newest_first as bigint) as shown_user_number,
        sum(least(sessions.user_session_number, {{ var('shown_rows_per_user') }}))
            over newest_first as count_sessions_so_far
    from sessions
    inner join users
        on sessions.user_number = users.user_number
    where sessions.is_last_of_user
    window
        newest_first as (
            order by sessions.session_started_at desc, users.user_id asc
            rows between unbounded preceding and current row
        )
    qualify
        shown_user_number <= {{ var('shown_users') }}
        and count_sessions_so_far <= {{ var('shown_sessions') }}

)

select
    user_number,
    display_name,
    shown_user_number
from shown_users
