{# Whose sessions are redone, and from which on: the one in which the first change lies
   or which it might touch, and the one before. Sessions that were or are open are
   decided again, since the clock moved. Earlier sessions stand. Empty where everything
   is done anew. #}
with

changed_rows as (

    select * from {{ ref('base_app__changed_rows') }}

),

event_roles as (

    select * from {{ ref('int_event_roles') }}

),

users as (

    select * from {{ ref('base_app__users') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

likely_bots as (

    select * from {{ ref('int_likely_bots') }}

),

{% if is_incremental_build() %}

as_of_before as (

    select as_of from {{ before_this_build('dim_settings') }}

),

sessions_before as (

    select
        user_number,
        user_session_number,
        session_started_at,
        session_ended_at,
        count_actions,
        is_last_of_user
    from {{ before_this_build('int_sessions__aggregated') }}

),

{# whoever is excluded as a bot has none of the sessions that there were #}
first_changes as (

    select
        user_number,
        {% if var('exclude_bots') %}
        case
            when user_number in (select likely_bots.user_number from likely_bots)
                then {{ beginning_of_time() }}
            else min(event_at)
        end as changed_from
        {% else %}
        min(event_at) as changed_from
        {% endif %}
    from changed_rows
    where
        event_code in (
            select event_code from event_roles
            where event_role != 'ambient'
        )
    group by user_number

),

{# the first session that ends no more than a join before the change; where none does,
   the last one is the one before #}
sessions_touched as (

    select
        first_changes.user_number,
        coalesce(
            min(
                case
                    when
                        sessions_before.session_ended_at
                        >= first_changes.changed_from
                        - {{ seconds_interval(var('starter_join_seconds') or 0) }}
                        then sessions_before.user_session_number - 1
                end
            ),
            max(sessions_before.user_session_number),
            1
        ) as user_session_number
    from first_changes
    left join sessions_before
        on first_changes.user_number = sessions_before.user_number
    group by first_changes.user_number
    union all
    select
        sessions_before.user_number,
        sessions_before.user_session_number
    from sessions_before
    cross join as_of
    cross join as_of_before
    where
        sessions_before.is_last_of_user
        and sessions_before.session_ended_at
        >= least(as_of.as_of, as_of_before.as_of)
        - {{ seconds_interval(60.0 * var('session_open_minutes')) }}

),

users_touched as (

    select
        user_number,
        greatest(min(user_session_number), 1) as user_session_number
    from sessions_touched
    group by user_number

),

sessions_of_users_touched as (

    select
        sessions_before.*,
        users_touched.user_session_number as touched_from_number,
        coalesce(
            lag(sessions_before.session_ended_at) over user_sessions
            < sessions_before.session_started_at,
            true
        ) as is_apart,
        coalesce(sum(sessions_before.count_actions) over earlier_sessions, 0) > 0
            as has_earlier_action
    from sessions_before
    inner join users_touched
        on sessions_before.user_number = users_touched.user_number
    window
        user_sessions as (
            partition by sessions_before.user_number
            order by sessions_before.user_session_number
        ),
        earlier_sessions as (
            partition by sessions_before.user_number
            order by sessions_before.user_session_number
            rows between unbounded preceding and 1 preceding
        )

),

{# two sessions that meet in one moment are redone together: time alone could not part
   them #}
first_sessions as (

    select
        user_number,
        max(user_session_number) as first_session_number,
        max_by(session_started_at, user_session_number) as redone_from,
        max_by(has_earlier_action, user_session_number) as has_earlier_action
    from sessions_of_users_touched
    where is_apart and user_session_number <= touched_from_number
    group by user_number

),

redone_users as (

    select
        users_touched.user_number,
        users.user_id as redone_user_id,
        coalesce(first_sessions.first_session_number, 1) as first_session_number,
        {{ session_key('users_touched.user_number', 'coalesce(first_sessions.first_session_number, 1)') }}
            as first_session_key,
        case
            when first_sessions.first_session_number > 1
                then first_sessions.redone_from
            else {{ beginning_of_time() }}
        end as redone_from,
        coalesce(first_sessions.has_earlier_action, false) as has_earlier_action,
        as_of_before.as_of
        - {{ seconds_interval(60.0 * var('session_open_minutes')) }} as closed_before
    from users_touched
    cross join as_of_before
    inner join users
        on users_touched.user_number = users.user_number
    left join first_sessions
        on users_touched.user_number = first_sessions.user_number

)

{% else %}

redone_users as (

    select
        changed_rows.user_number,
        users.user_id as redone_user_id,
        1 as first_session_number,
        {{ session_key('changed_rows.user_number', '1') }} as first_session_key,
        as_of.as_of as redone_from,
        false as has_earlier_action,
        as_of.as_of as closed_before
    from changed_rows
    cross join users
    cross join as_of
    cross join event_roles
    where false

)

{% endif %}

select * from redone_users
