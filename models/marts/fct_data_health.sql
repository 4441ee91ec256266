with

events_daily as (

    select * from {{ ref('int_events_daily') }}

),

rejected_rows as (

    select * from {{ ref('stg_app__rejected_rows') }}

),

staged_by_day as (

    select
        received_date,
        cast(sum(count_events) as bigint) as count_staged,
        cast(sum(count_late) as bigint) as count_late,
        cast({{ sum_where('count_events', 'not is_known') }} as bigint)
            as count_unknown_events,
        cast(sum(count_over_an_hour) as bigint) as count_over_an_hour,
        cast(sum(count_over_a_day) as bigint) as count_over_a_day,
        max(max_lag_seconds) as max_lag_seconds,
        cast(sum(count_ahead) as bigint) as count_ahead,
        max(case when count_ahead > 0 then max_ahead_seconds end) as max_ahead_seconds
    from events_daily
    group by received_date

),

rejected_by_day as (

    select
        received_date,
        {% for reason in reject_reasons() %}
        count(case when reject_reason = '{{ reason }}' then 1 end)
            as count_{{ reason }},
        {% endfor %}
        count(*) as count_rejected
    from rejected_rows
    group by received_date

),

days_joined as (

    select
        coalesce(staged_by_day.received_date, rejected_by_day.received_date)
            as received_date,
        coalesce(staged_by_day.count_staged, 0)
        + coalesce(rejected_by_day.count_rejected, 0) as count_landed,
        coalesce(staged_by_day.count_staged, 0) as count_staged,
        coalesce(rejected_by_day.count_rejected, 0) as count_rejected,
        {% for reason in reject_reasons() %}
        coalesce(rejected_by_day.count_{{ reason }}, 0) as count_{{ reason }},
        {% endfor %}
        coalesce(staged_by_day.count_late, 0) as count_late,
        coalesce(staged_by_day.count_unknown_events, 0) as count_unknown_events,
        {{ ratio('staged_by_day.count_late', 'staged_by_day.count_staged') }}
            as share_late,
        {{ ratio('staged_by_day.count_unknown_events', 'staged_by_day.count_staged') }}
            as share_unknown_events,
        staged_by_day.max_lag_seconds,
        coalesce(staged_by_day.count_over_an_hour, 0) as count_over_an_hour,
        coalesce(staged_by_day.count_over_a_day, 0) as count_over_a_day,
        coalesce(staged_by_day.count_ahead, 0) as count_ahead,
        staged_by_day.max_ahead_seconds
    from staged_by_day
    full outer join rejected_by_day
        on (
            staged_by_day.received_date
            is not distinct from rejected_by_day.received_date
        )

)

select * from days_joined
