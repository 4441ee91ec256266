with

likely_bots as (

    select * from {{ ref('int_likely_bots') }}

),

users as (

    select * from {{ ref('base_app__users') }}

),

bots_named as (

    select
        users.user_id,
        {{ display_name('users.user_id') }} as display_name,
        likely_bots.count_events,
        likely_bots.busiest_hour_events,
        likely_bots.first_event_at,
        likely_bots.last_event_at,
        {{ var('exclude_bots') | lower }} as is_excluded
    from likely_bots
    inner join users
        on likely_bots.user_number = users.user_number

)

select * from bots_named
