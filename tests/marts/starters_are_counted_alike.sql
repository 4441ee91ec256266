{# by type, by day and in the sessions themselves: the same (session, starter) pairs #}
with

types as (

    select coalesce(sum(count_sessions), 0) as count_pairs
    from {{ ref('fct_session_types') }}

),

sessions as (

    select coalesce(sum(count_starters), 0) as count_pairs
    from {{ ref('fct_sessions') }}

),

daily as (

    select coalesce(sum(count_sessions), 0) as count_pairs
    from {{ ref('fct_sessions_daily') }}
    where starter_event_name not in ('(all)', '(unmarked)')

)

select
    types.count_pairs as count_in_types,
    sessions.count_pairs as count_in_sessions,
    daily.count_pairs as count_in_daily
from types
cross join sessions
cross join daily
where
    types.count_pairs != sessions.count_pairs or types.count_pairs != daily.count_pairs
