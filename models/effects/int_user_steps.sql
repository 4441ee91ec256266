{{ config(materialized='incremental', redone_by='user_or_patterns') }}

{# How often each user came to a stage and went on to the next, in every segment of the
   sessions; the errors of a leak are by user. Stage 0 is the start of a session. #}
with

session_segments as (

    select * from {{ ref('int_session_segments') }}
    {{ only_redone('user_or_patterns') }}

),

funnel_results as (

    select * from {{ ref('int_session_funnel_results') }}

),

{% set segments = [
    'platform', 'app_version', 'city', 'user_type', 'hour_of_day', 'previous_pattern'
] %}

sessions_counted as (

    select
        funnel_results.funnel,
        funnel_results.furthest_stage_order,
        session_segments.user_number,
        {% for segment in segments %}
        session_segments.{{ segment }},
        {% endfor %}
        count(*) as count_sessions
    from session_segments
    inner join funnel_results
        on session_segments.session_key = funnel_results.session_key
    group by all

),

sessions_by_segment as (

    {% for segment in ['(all)'] + segments %}
    select
        funnel,
        furthest_stage_order,
        user_number,
        '{{ segment }}' as segment,
        {{ "'(all)'" if segment == '(all)' else segment }} as segment_value,
        count_sessions
    from sessions_counted
    {{ "union all" if not loop.last }}
    {% endfor %}

),

sessions_by_stage as (

    select
        *,
        {{ each_of(numbers_between(0, 'furthest_stage_order')) }} as stage_order
    from sessions_by_segment

),

user_steps as (

    select
        funnel,
        cast(stage_order as integer) as stage_order,
        segment,
        segment_value,
        user_number,
        cast(sum(count_sessions) as bigint) as count_reached,
        cast(
            sum(
                case
                    when furthest_stage_order > stage_order then count_sessions else 0
                end
            ) as bigint
        ) as count_went_on
    from sessions_by_stage
    group by
        funnel,
        stage_order,
        segment,
        segment_value,
        user_number

),

{# of a user: all sessions that came to the stage, whatever their segment #}
user_steps_beside_all as (

    select
        *,
        cast(sum(count_reached) over of_user as bigint) as all_reached,
        cast(sum(count_went_on) over of_user as bigint) as all_went_on
    from user_steps
    window
        of_user as (partition by funnel, stage_order, segment, user_number)

)

select * from user_steps_beside_all
