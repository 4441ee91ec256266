with

latest_sessions as (

    select * from {{ ref('int_latest_sessions') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

{# a risk that is not known, or says no more than the stage does, speaks neither for nor
   against a session #}
active_sessions as (

    select
        latest_sessions.*,
        as_of.as_of,
        as_of.data_lag_seconds,
        greatest(
            {{ seconds_between('latest_sessions.last_event_at', 'as_of.as_of') }}, 0
        ) as seconds_since_last_event,
        coalesce(seconds_since_last_event >= latest_sessions.stuck_after_seconds, false)
            as is_silent,
        case
            when latest_sessions.drop_risk != latest_sessions.usual_drop_risk
                then latest_sessions.drop_risk > latest_sessions.usual_drop_risk
        end as is_at_risk
    from latest_sessions
    cross join as_of
    where
        not latest_sessions.is_converted
        and {{ may_go_on('latest_sessions.last_event_at', 'as_of.as_of') }}

),

rules_applied as (

    select
        *,
        case
            when is_silent and coalesce(is_at_risk, true) then 'HIGH'
            when is_silent or is_at_risk then 'MEDIUM'
            else 'ON TRACK'
        end as risk_level,
        case
            when is_silent and coalesce(is_at_risk, true) then 'Stuck on '
            when is_silent then 'Silent at '
            when is_at_risk then 'Likely to leave at '
            else 'Active at '
        end || stage_label as rule
    from active_sessions

),

sessions_ranked as (

    select
        cast(row_number() over (
            order by
                case risk_level when 'HIGH' then 1 when 'MEDIUM' then 2 else 3 end,
                drop_risk desc nulls last,
                seconds_since_last_event desc,
                session_id
        ) as integer) as risk_rank,
        session_id,
        user_id,
        display_name,
        session_started_at,
        last_event_at,
        last_event_name,
        lead_starter,
        journey,
        funnel,
        stage_order,
        stage,
        stage_label,
        seconds_since_last_event,
        stuck_after_seconds,
        drop_risk,
        usual_drop_risk,
        risk_level,
        rule,
        case when risk_level != 'ON TRACK' then suggestion end as suggestion,
        as_of,
        data_lag_seconds
    from rules_applied

)

select * from sessions_ranked
