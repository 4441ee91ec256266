with

sessions as (

    select
        count(*) as count_sessions,
        coalesce(sum(count_starters), 0) as count_system_marked,
        count(case when outcome = 'converted' then 1 end) as count_converted,
        count(case when outcome = 'open' then 1 end) as count_open,
        count(case when is_bounce then 1 end) as count_bounces
    from {{ ref('fct_sessions') }}

),

overview as (

    select
        coalesce(sum(count_sessions), 0) as count_sessions,
        coalesce(sum(count_system_marked), 0) as count_system_marked,
        coalesce(sum(count_converted), 0) as count_converted,
        coalesce(sum(count_open), 0) as count_open,
        coalesce(sum(count_bounces), 0) as count_bounces
    from {{ ref('fct_overview_daily') }}

),

sessions_daily as (

    select
        coalesce(sum(count_sessions), 0) as count_sessions,
        coalesce(sum(count_system_marked), 0) as count_system_marked,
        coalesce(sum(count_converted), 0) as count_converted,
        coalesce(sum(count_open), 0) as count_open,
        coalesce(sum(count_bounces), 0) as count_bounces
    from {{ ref('fct_sessions_daily') }}
    where starter_event_name = '(all)'

)

select * from sessions
except
select * from overview
union all
(
    select * from sessions
    except
    select * from sessions_daily
)
