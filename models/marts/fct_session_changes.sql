{# How often what was over was not: sessions that had closed when the last build ended,
   and that rows which came later, or went, changed. Only incremental builds know it; the
   first, and each that builds everything anew, begin an empty list. #}
with

replaced_sessions as (

    select * from {{ ref('int_replaced_sessions') }}

),

sessions as (

    select * from {{ ref('int_sessions__aggregated') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

closed_sessions_compared as (

    select
        sessions.session_id is null as is_gone,
        sessions.session_id is not null
        and (
            sessions.session_ended_at != replaced_sessions.session_ended_at
            or sessions.count_events != replaced_sessions.count_events
        ) as is_changed
    from replaced_sessions
    left join sessions
        on replaced_sessions.session_id = sessions.session_id
    where replaced_sessions.is_closed

),

changes_counted as (

    select
        count(case when is_changed then 1 end) as count_changed,
        count(case when is_gone then 1 end) as count_gone
    from closed_sessions_compared

),

sessions_counted as (

    select count(*) as count_sessions
    from sessions

),

changes_of_this_build as (

    select
        {{ build_clock() }} as built_at,
        as_of.as_of,
        sessions_counted.count_sessions,
        changes_counted.count_changed,
        changes_counted.count_gone
    from changes_counted
    cross join sessions_counted
    cross join as_of

),

changes as (

    select * from changes_of_this_build
    {% if is_incremental_build() %}
    union all
    select *
    from {{ before_this_build('fct_session_changes') }}
    where built_at != {{ build_clock() }}
    {% else %}
    where false
    {% endif %}

)

select * from changes
