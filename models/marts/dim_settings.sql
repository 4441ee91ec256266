{# What the pages say of themselves, so that no page repeats a var. #}
with

as_of as (

    select * from {{ ref('int_as_of') }}

),

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}

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
        {{ number_var('future_tolerance_seconds') }} as future_tolerance_seconds,
        {{ number_var('late_after_seconds') }} as late_after_seconds,
        {{ number_var('bot_events_per_hour') }} as bot_events_per_hour,
        {{ number_var('session_timeout_minutes') }} as session_timeout_minutes,
        {{ number_var('starter_join_seconds') }} as starter_join_seconds,
        {{ number_var('session_open_minutes') }} as session_open_minutes,
        {{ number_var('bounce_under_seconds') }} as bounce_under_seconds,
        {{ number_var('bounce_max_steps') }} as bounce_max_steps,
        {{ number_var('drop_off_step_rate') }} as drop_off_step_rate,
        {{ number_var('high_drop_share') }} as high_drop_share,
        {{ number_var('min_comparison_sessions') }} as min_comparison_sessions,
        {{ number_var('effect_window_minutes') }} as effect_window_minutes,
        {{ number_var('pattern_target_share') }} as pattern_target_share,
        {{ number_var('risk_train_share') }} as risk_train_share,
        {{ number_var('min_benchmark_sessions') }} as min_benchmark_sessions,
        {{ number_var('high_impact_share') }} as high_impact_share,
        {{ number_var('medium_impact_share') }} as medium_impact_share,
        {{ number_var('journey_max_steps') }} as journey_max_steps,
        {{ number_var('journey_shown_steps') }} as journey_shown_steps,
        {{ number_var('journey_top_events') }} as journey_top_events,
        {{ number_var('journey_top_paths') }} as journey_top_paths,
        {{ number_var('retention_weeks') }} as retention_weeks,
        {{ number_var('shown_users') }} as shown_users,
        {{ number_var('shown_sessions') }} as shown_sessions,
        {{ number_var('shown_rows_per_user') }} as shown_rows_per_user
    from as_of
    cross join sessions_aggregated
    cross join primary_funnels

)

select * from settings
