{# The sessions that this build redid, as they were and as they are: those that an
   incremental model takes out, and those it puts in. A list of keys, which DuckDB finds
   in a scan ten times as fast as whose sessions they are and from which on. Empty where
   everything is done anew. #}
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

),

redone_sessions as (

    select
        session_key,
        session_id,
        session_date
    from replaced_sessions
    {% if is_incremental_build() %}
    union
    select
        session_key,
        session_id,
        session_date
    from sessions
    where session_key in (select session_events.session_key from session_events)
    {% endif %}

)

select * from redone_sessions
