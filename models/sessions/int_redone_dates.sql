{# Dates of the sessions that this build redid, as they were and as they are. #}
with

replaced_sessions as (

    select * from {{ ref('int_replaced_sessions') }}

),

redone_sessions as (

    select * from {{ ref('int_sessions__aggregated') }}
    {{ only_redone('session') }}

),

redone_dates as (

    select session_date from replaced_sessions
    union
    select session_date from redone_sessions

)

select * from redone_dates
