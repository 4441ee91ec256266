{{ config(materialized='incremental', redone_by='shown_session') }}
{% set redone = is_redone('session') %}

{# The steps of the sessions of the users that pages show. Listed are those of the
   sessions redone, and all of a user who was not shown before. #}
with

shown_users as (

    select * from {{ ref('int_shown_users') }}

),

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}
    where
        user_number in (select shown_users.user_number from shown_users)
    {% if is_incremental_build() %}
        and (
            {{ redone }}
            or user_number not in (
                select steps_before.user_number from {{ this }} as steps_before
            )
        )
    {% endif %}

),

session_events as (

    select * from {{ ref('int_events__sessionized') }}

),

event_names as (

    select * from {{ ref('base_app__event_names') }}

),

{# from the paths, so that only the events that begin a step are looked at #}
steps_numbered as (

    select
        session_key,
        user_number,
        session_started_at,
        count_actions,
        path_codes,
        {{ each_of(places_of('path_codes')) }} as step_number
    from sessions

),

steps as (

    select
        *,
        {{ element_of('path_codes', 'step_number') }} as path_code
    from steps_numbered

),

steps_named as (

    select
        steps.session_key,
        steps.user_number,
        steps.step_number,
        {{ short_name('event_names.event_name') }} as event_short_name,
        {{ path_repeats(
            'steps.path_codes', 'steps.step_number', 'steps.count_actions'
        ) }} as count_repeats,
        {{ rounded(seconds_between(
            'steps.session_started_at', 'session_events.event_at'
        ), 1) }} as seconds_after_start
    from steps
    inner join session_events
        on
            steps.session_key = session_events.session_key
            and {{ action_number_of('steps.path_code') }}
            = session_events.action_number
    inner join event_names
        on {{ event_code_of('steps.path_code') }} = event_names.event_code

),

steps_listed as (

    select
        session_key,
        user_number,
        count(*) as count_path_steps,
        {{ json_list(
            ['event_short_name', 'count_repeats', 'seconds_after_start'],
            'step_number', 'step_number <= ' ~ var('shown_steps_per_session')
        ) }} as path_steps
    from steps_named
    group by session_key, user_number

)

select * from steps_listed
