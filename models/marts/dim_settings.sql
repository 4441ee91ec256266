{# What the pages say of themselves, so that no page repeats a var. #}
with

as_of as (

    select * from {{ ref('int_as_of') }}

),

sessions as (

    select * from {{ ref('fct_sessions') }}

),

funnels as (

    select * from {{ ref('stg_settings__funnels') }}

),

sessions_aggregated as (

    select
        min(session_date) as first_session_date,
        max(session_date) as last_session_date,
        count(*) as count_sessions
    from sessions

),

primary_funnels as (

    select funnel as primary_funnel
    from funnels
    where is_primary

),

settings as (

    select
        as_of.as_of,
        sessions_aggregated.first_session_date,
        sessions_aggregated.last_session_date,
        sessions_aggregated.count_sessions,
        primary_funnels.primary_funnel,
        '{{ var("reporting_timezone") }}' as reporting_timezone,
        {{ timestamp_literal(var('oldest_event_time')) }} as oldest_event_time,
        {% for name in [
            'future_tolerance_seconds', 'late_after_seconds', 'session_timeout_minutes',
            'starter_join_seconds', 'session_open_minutes', 'bounce_under_seconds',
            'bounce_max_steps', 'drop_off_step_rate', 'high_drop_share',
        ] %}
        cast({{ 'null' if var(name) is none else var(name) }} as double) as {{ name }}{{ "," if not loop.last }}
        {% endfor %}
    from as_of
    cross join sessions_aggregated
    cross join primary_funnels

)

select * from settings
