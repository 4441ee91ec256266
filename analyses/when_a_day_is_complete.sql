{# how much of what was received came over an hour, over a day after it happened #}
with data_health as (
    select * from {{ ref('fct_data_health') }}
),

lateness as (
    select
        count(*) as count_days,
        sum(count_landed) as count_landed,
        sum(count_staged) as count_staged,
        sum(count_rejected) as count_rejected,
        sum(count_duplicate_event_id) as count_duplicates,
        sum(count_over_an_hour) / sum(count_staged) as share_over_an_hour,
        sum(count_over_a_day) / sum(count_staged) as share_over_a_day,
        max(count_over_a_day / count_staged) as worst_day_over_a_day,
        max(max_lag_seconds) / 3600 as longest_lag_hours,
        sum(count_rejected) / sum(count_landed) as share_rejected
    from data_health
)

select * from lateness
