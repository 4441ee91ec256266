{# every session is one row of its user's timeline, in its order, and gaps lie between
   #}
with

sessions as (

    select
        user_id,
        session_id,
        user_session_number
    from {{ ref('fct_sessions') }}

),

timeline_sessions as (

    select
        user_id,
        session_id,
        row_number() over (
            partition by user_id
            order by user_timeline.row_number
        ) as user_session_number
    from {{ ref('fct_user_timeline') }} as user_timeline
    where row_kind = 'session'

),

rows_with_next as (

    select
        user_id,
        row_kind,
        started_at,
        ended_at,
        lead(row_kind) over user_rows as next_row_kind,
        lead(started_at) over user_rows as next_started_at
    from {{ ref('fct_user_timeline') }} as user_timeline
    window
        user_rows as (
            partition by user_id
            order by user_timeline.row_number
        )

)

(
    select * from sessions
    except
    select * from timeline_sessions
)
union all
(
    select * from timeline_sessions
    except
    select * from sessions
)
union all
select
    user_id,
    row_kind as session_id,
    0 as user_session_number
from rows_with_next
where
    started_at > ended_at
    or ended_at > next_started_at
    or (row_kind = 'gap' and next_row_kind = 'gap')
