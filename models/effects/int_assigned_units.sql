{# Who or what was assigned, once for each intervention, by its first assignment, and
   what became of it. #}
with

assignments as (

    select * from {{ ref('int_assignments') }}

),

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}

),

outcomes as (

    select * from {{ ref('int_sessions__outcomes') }}

),

users as (

    select * from {{ ref('base_app__users') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

{# of a session that is not there what the ledger says of it is all that is known #}
assignments_with_unit as (

    select
        *,
        case
            when unit = 'session'
                then coalesce(cast(session_key as string), '?' || session_id, '?')
        end as unit_session
    from assignments

),

units as (

    select
        *,
        min(arm) over assignments_of_unit
        != max(arm) over assignments_of_unit as is_in_both_arms
    from assignments_with_unit
    window
        assignments_of_unit as (partition by intervention, unit, user_id, unit_session)
    qualify
        row_number() over (
            partition by intervention, unit, user_id, unit_session
            order by assigned_at, assignment_id
        ) = 1

),

sessions_converted as (

    select
        sessions.session_key,
        users.user_id,
        outcomes.converted_at
    from outcomes
    inner join sessions
        on outcomes.session_key = sessions.session_key
    inner join users
        on sessions.user_number = users.user_number
    where
        outcomes.converted_at is not null
        and users.user_id in (select units.user_id from units)

),

units_converted as (

    select distinct units.assignment_id
    from units
    inner join sessions_converted
        on
            units.user_id = sessions_converted.user_id
            and sessions_converted.converted_at between units.assigned_at
            and units.assigned_at + {{ effect_window() }}
            and (
                units.unit = 'user'
                or units.session_key = sessions_converted.session_key
            )

),

units_with_outcome as (

    select
        units.assignment_id,
        units.intervention,
        units.unit,
        units.user_id,
        sessions.session_id,
        units.stage,
        units.arm,
        units.planned_treated_share,
        units.assigned_at,
        {{ reporting_date('units.assigned_at') }} as assigned_date,
        case
            when units.is_in_both_arms then 'in_both_arms'
            when units.session_key is null then 'unmatched'
            when
                units.assigned_at + {{ effect_window() }} <= as_of.as_of
                and (units.unit = 'user' or outcomes.outcome != 'open')
                then 'matured'
            else 'pending'
        end as unit_state,
        units_converted.assignment_id is not null as is_converted,
        coalesce(sessions.platform, '(unknown)') as platform,
        coalesce(sessions.app_version, '(unknown)') as app_version,
        coalesce(sessions.city, '(unknown)') as city,
        {{ user_type('sessions.user_session_number') }} as user_type,
        coalesce({{ hours_band('sessions.session_started_at') }}, '(unknown)')
            as hour_of_day
    from units
    cross join as_of
    left join sessions
        on units.session_key = sessions.session_key
    left join outcomes
        on units.session_key = outcomes.session_key
    left join units_converted
        on units.assignment_id = units_converted.assignment_id

)

select * from units_with_outcome
