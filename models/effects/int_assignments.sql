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

people as (

    select * from {{ ref('stg_identities__people') }}

),

{# few of the users are in a ledger #}
sessions_of_assigned_users as (

    select
        users.user_id,
        sessions.session_key,
        sessions.session_id,
        sessions.session_started_at,
        sessions.opening_event_uuid,
        sessions.opening_event_text
    from sessions
    inner join users
        on sessions.user_number = users.user_number
    where users.user_id in (select assignments.user_id from assignments)

),

{# the ledger may name a session by its id from before the person was known #}
session_ids as (

    select
        user_id,
        session_key,
        session_id
    from sessions_of_assigned_users
    union all
    select
        sessions_of_assigned_users.user_id,
        sessions_of_assigned_users.session_key,
        {{ hash_key([
            'people.anonymous_id',
            event_id_of('sessions_of_assigned_users', 'opening_event')
        ]) }} as session_id
    from sessions_of_assigned_users
    inner join people
        on sessions_of_assigned_users.user_id = people.user_id

),

{# a session of somebody else is no session of the assignment; a user's sessions are in
   the order of their keys #}
assignments_with_session_key as (

    select
        assignments.assignment_id,
        max(session_ids.session_key) as session_key
    from assignments
    left join session_ids
        on
            assignments.user_id = session_ids.user_id
            and assignments.session_id = session_ids.session_id
    where assignments.session_id is not null
    group by assignments.assignment_id
    union all
    select
        assignments.assignment_id,
        max(sessions.session_key) as session_key
    from assignments
    left join sessions_of_assigned_users as sessions
        on
            assignments.user_id = sessions.user_id
            and assignments.assigned_at >= sessions.session_started_at
    where assignments.session_id is null
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
