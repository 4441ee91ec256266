{# Dates of the sessions that this build redid, as they were and as they are. #}
with

redone_sessions as (

    select * from {{ ref('int_redone_sessions') }}

),

redone_dates as (

    select distinct session_date
    from redone_sessions

)

select * from redone_dates
