{# Ids that readers may have noted and that a later build took away, since an event
   came, or went, that moved the session's start. An id that a full refresh makes is the
   same as it was; what earlier builds called a session is known to incremental builds
   alone. #}
with

replaced_sessions as (

    select * from {{ ref('int_replaced_sessions') }}

),

session_events as (

    select * from {{ ref('int_events__sessionized') }}
    {{ only_made_now() }}

),

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}
    {{ only_redone('session') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

ids_gone as (

    select
        replaced_sessions.session_id as old_session_id,
        sessions_now.session_id as new_session_id
    from replaced_sessions
    left join session_events
        on
            replaced_sessions.opening_event_uuid = session_events.event_uuid
            and replaced_sessions.opening_event_text
            is not distinct from session_events.event_text
    left join sessions as sessions_now
        on session_events.session_key = sessions_now.session_key
    where replaced_sessions.session_id not in (select session_id from sessions)

),

rekeys as (

    select
        ids_gone.old_session_id,
        ids_gone.new_session_id,
        as_of.as_of as rekeyed_at
    from ids_gone
    cross join as_of

    {% if is_incremental_build() %}

    union all

    {# an older id leads to where the session is now #}
    select
        rekeys_before.old_session_id,
        case
            when ids_gone.old_session_id is null then rekeys_before.new_session_id
            else ids_gone.new_session_id
        end as new_session_id,
        rekeys_before.rekeyed_at
    from {{ before_this_build('session_rekeys') }} as rekeys_before
    left join ids_gone
        on rekeys_before.new_session_id = ids_gone.old_session_id
    where rekeys_before.old_session_id not in (select session_id from sessions)

    {% endif %}

)

select * from rekeys
