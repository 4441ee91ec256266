{# The sessions of the last build that this one redoes, as they were. Empty where
   everything is done anew. #}
with

redone_users as (

    select * from {{ ref('int_redone_users') }}

),

replaced_sessions as (

    {% if is_incremental_build() %}
    select
        sessions_before.session_key,
        sessions_before.session_id,
        sessions_before.user_number,
        sessions_before.session_date,
        sessions_before.session_ended_at,
        sessions_before.count_events,
        sessions_before.session_ended_at < redone_users.closed_before as is_closed,
        sessions_before.opening_event_uuid,
        sessions_before.opening_event_text
    from {{ before_this_build('int_sessions__aggregated') }}
        as sessions_before
    inner join redone_users
        on
            sessions_before.user_number = redone_users.user_number
            and sessions_before.session_key >= redone_users.first_session_key
    {% else %}
    select
        cast(null as bigint) as session_key,
        cast(null as string) as session_id,
        user_number,
        cast(null as date) as session_date,
        cast(null as timestamp) as session_ended_at,
        cast(null as bigint) as count_events,
        cast(null as boolean) as is_closed,
        cast(null as {{ type_of_uuids() }}) as opening_event_uuid,
        cast(null as string) as opening_event_text
    from redone_users
    where false
    {% endif %}

)

select * from replaced_sessions
