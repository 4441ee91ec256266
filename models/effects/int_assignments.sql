{# Each assignment with its session: the one it names, else the latest that the user had
   begun by then. Nothing that happened later finds a session. #}
with

assignments as (

    select * from {{ ref('stg_ledger__assignments') }}

),

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}

),

users as (

    select * from {{ ref('base_app__users') }}

),

{# few of the users are in a ledger #}
sessions_of_assigned_users as (

    select
        users.user_id,
        sessions.session_key,
        sessions.session_id,
        sessions.session_started_at
    from sessions
    inner join users
        on sessions.user_number = users.user_number
    where users.user_id in (select assignments.user_id from assignments)

),

{# a session of somebody else is no session of the assignment; a user's sessions are in
   the order of their keys #}
assignments_with_session_key as (

    select
        assignments.assignment_id,
        max(sessions.session_key) as session_key
    from assignments
    left join sessions_of_assigned_users as sessions
        on
            assignments.user_id = sessions.user_id
            and (
                assignments.session_id = sessions.session_id
                or (
                    assignments.session_id is null
                    and assignments.assigned_at >= sessions.session_started_at
                )
            )
    group by assignments.assignment_id

),

assignments_matched as (

    select
        assignments.*,
        assignments_with_session_key.session_key
    from assignments
    inner join assignments_with_session_key
        on assignments.assignment_id = assignments_with_session_key.assignment_id

)

select * from assignments_matched
