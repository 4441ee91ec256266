with

daily as (

    select
        funnel,
        starter_event_name,
        stage_order,
        sum(count_sessions) as count_in_funnel,
        sum(count_reached) as count_sessions,
        sum(count_dropped) as count_dropped,
        sum(count_open) as count_open
    from {{ ref('fct_funnel_daily') }}
    group by funnel, starter_event_name, stage_order

),

totals as (

    select
        funnel,
        starter_event_name,
        stage_order,
        count_in_funnel,
        count_sessions,
        count_dropped,
        count_open
    from {{ ref('fct_funnel_stages') }}
    where segment = '(all)' and count_in_funnel > 0

)

(
    select * from daily
    except
    select * from totals
)
union all
(
    select * from totals
    except
    select * from daily
)
