{# MetricFlow looks days up here that a metric has no row of. #}
with

settings as (

    select * from {{ ref('dim_settings') }}

),

data_health as (

    select * from {{ ref('fct_data_health') }}

),

range_of_days as (

    select
        least(
            min(data_health.received_date), min(settings.first_session_date)
        ) as first_day,
        greatest(
            max(data_health.received_date), max(settings.last_session_date)
        ) as last_day
    from settings
    left join data_health
        on
            {# of a rejected row it may be any day, or no end of days #}
            data_health.received_date between
            {{ reporting_date(timestamp_literal(var('oldest_event_time'))) }}
            and {{ reporting_date(build_clock()) }}

),

days as (

    select {{ each_day('first_day', 'last_day') }} as date_day
    from range_of_days

)

select * from days
