with

end_events_daily as (

    select * from {{ ref('fct_end_events_daily') }}

),

sessions_daily as (

    select * from {{ ref('fct_sessions_daily') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

sessions_that_ended as (

    select
        starter_event_name,
        sum(count_sessions - count_open) as count_sessions
    from sessions_daily
    group by starter_event_name

),

events_summed as (

    select
        starter_event_name,
        event_name,
        event_short_name,
        is_likely_exit,
        cast(sum(count_ended) as bigint) as count_ended,
        cast(sum(count_reached) as bigint) as count_reached
    from end_events_daily
    group by starter_event_name, event_name, event_short_name, is_likely_exit
    having sum(count_ended) > 0

),

events_rated as (

    select
        events_summed.starter_event_name,
        events_summed.event_name,
        events_summed.event_short_name,
        events_summed.count_ended,
        {{ ratio('events_summed.count_ended', 'sessions_that_ended.count_sessions') }}
            as share_of_sessions,
        events_summed.count_reached,
        {{ ratio('events_summed.count_ended', 'events_summed.count_reached') }}
            as exit_rate,
        events_summed.is_likely_exit
    from events_summed
    inner join sessions_that_ended
        on events_summed.starter_event_name = sessions_that_ended.starter_event_name

),

events_flagged as (

    select
        events_rated.*,
        case
            when
                events_rated.share_of_sessions >= {{ var('high_drop_share') }}
                and not events_rated.is_likely_exit
                then 'HIGH'
            else 'NORMAL'
        end as severity,
        as_of.as_of
    from events_rated
    cross join as_of

)

select * from events_flagged
