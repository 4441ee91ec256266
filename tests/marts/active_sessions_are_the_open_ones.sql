with

active_sessions as (

    select
        session_id,
        user_id,
        stage
    from {{ ref('fct_active_sessions') }}

),

open_sessions as (

    select
        session_id,
        user_id,
        furthest_stage as stage
    from {{ ref('fct_sessions') }}
    where outcome = 'open'

)

(
    select * from active_sessions
    except all
    select * from open_sessions
)
union all
(
    select * from open_sessions
    except all
    select * from active_sessions
)
