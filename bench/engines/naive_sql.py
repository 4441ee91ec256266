"""W as most people write it in SQL: DuckDB, texts throughout, windows by user, a table a statement.

The windows are partitioned by user and by session, names and ids stay texts, and paths are joined
with string_agg. The rules are those of docs and seeds; nothing is done to be slow.
"""

import sys

import duckdb
from settings import (
    BOUNCE_UNDER_SECONDS,
    CONVERSION_STAGE,
    FUTURE_TOLERANCE_SECONDS,
    JOURNEY_MAX_STEPS,
    MEMORY_LIMIT,
    OLDEST_EVENT_TIME,
    RETENTION_WEEKS,
    ROLES,
    SESSION_OPEN_MINUTES,
    STAGES,
    STARTER_JOIN_SECONDS,
)

landing, work = sys.argv[1:]


def values(pairs: dict) -> str:
    """Rows of a VALUES list."""
    return ", ".join(f"('{name}', {value!r})" for name, value in pairs.items())


STATEMENTS = f"""
create table event_types as from (values {values(ROLES)}) as v (event_name, event_role);

create table funnel_stages as from (values {values(STAGES)}) as v (event_name, stage_order);

create table judged_rows as
with rows_judged as (
    select
        * exclude (properties, received_at),
        case
            when received_at between '{OLDEST_EVENT_TIME}'
                and now()::timestamp + interval {FUTURE_TOLERANCE_SECONDS} second
                then received_at
        end as valid_received_at,
        coalesce(valid_received_at, event_time) as received_at,
        case
            when coalesce(trim(event_id), '') = '' then 'missing_event_id'
            when coalesce(trim(user_id), '') = '' then 'missing_user_id'
            when coalesce(trim(event_name), '') = '' then 'missing_event_name'
            when event_time is null or event_time < '{OLDEST_EVENT_TIME}' then 'bad_event_time'
            when event_time > coalesce(valid_received_at, now()::timestamp)
                + interval {FUTURE_TOLERANCE_SECONDS} second
                then 'time_in_future'
        end as reject_reason
    from read_parquet('{landing}/*.parquet')
)
select
    * exclude (reject_reason),
    case
        when reject_reason is not null then reject_reason
        when row_number() over (
            partition by event_id, reject_reason
            order by received_at, event_time, user_id, event_name,
                platform nulls last, app_version nulls last, city nulls last
        ) > 1 then 'duplicate_event_id'
    end as reject_reason
from rows_judged;

create table landed as
select coalesce(reject_reason, 'staged') as judged_as, count(*) as count_rows
from judged_rows
group by all;

create table events as
select judged_rows.*, coalesce(event_role, 'step') as event_role
from judged_rows
left join event_types using (event_name)
where reject_reason is null;

create table session_events as
with events_lagged as (
    select
        *,
        event_role in ('starter', 'step') as is_action,
        lag(event_time) over user_events as previous_event_time,
        lag(case when is_action then event_time end ignore nulls) over user_events
            as previous_action_time,
        lag(case when is_action then event_role end ignore nulls) over user_events
            as previous_action_role,
        min(case when is_action then event_time end) over (partition by user_id)
            as first_action_time
    from events
    where event_role != 'ambient'
    window user_events as (partition by user_id order by event_time, event_id)
),
beginnings_marked as (
    select
        *,
        is_action and previous_action_time is null as is_first_action,
        previous_event_time is null
        or case
            when previous_action_time is null
                and event_time >= first_action_time - interval {STARTER_JOIN_SECONDS} second
                then previous_event_time
                    < first_action_time - interval {STARTER_JOIN_SECONDS} second
            else event_role = 'starter' and not (
                previous_action_role = 'starter'
                and event_time
                    <= previous_action_time + interval {STARTER_JOIN_SECONDS} second
            )
        end as is_beginning
    from events_lagged
),
sessions_numbered as (
    select
        *,
        count(case when is_beginning then 1 end) over (
            partition by user_id
            order by event_time, event_id
            rows between unbounded preceding and current row
        ) as user_session_number
    from beginnings_marked
)
select
    event_id,
    md5(user_id || '|' || coalesce(
        max(case when is_first_action then event_id end) over (
            partition by user_id, user_session_number
        ),
        first_value(event_id) over session_events
    )) as session_id,
    user_id,
    user_session_number,
    event_name,
    event_role,
    row_number() over session_events as event_number,
    event_time as event_at,
    platform,
    app_version,
    city
from sessions_numbered
window session_events as (
    partition by user_id, user_session_number order by event_time, event_id
);

create table session_starters as
select session_id, event_name as starter, min(event_number) as event_number
from session_events
where event_role = 'starter'
group by all;

create table session_steps as
with actions_lagged as (
    select
        *,
        lag(event_name) over (partition by session_id order by event_number) as previous_name
    from session_events
    where event_role in ('starter', 'step')
),
actions_numbered as (
    select
        *,
        count(case when event_name is distinct from previous_name then 1 end) over (
            partition by session_id
            order by event_number
            rows between unbounded preceding and current row
        ) as step_number
    from actions_lagged
)
select session_id, step_number, event_name, count(*) as count_repeats
from actions_numbered
group by all;

create table session_stages as
with recursive stage_events as (
    select session_id, stage_order, event_number
    from session_events
    inner join funnel_stages using (event_name)
),
chains as (
    select session_id, stage_order, min(event_number) as event_number
    from stage_events
    where stage_order = 1
    group by all
    union all
    select chains.session_id, stage_events.stage_order, min(stage_events.event_number)
    from chains
    inner join stage_events
        on chains.session_id = stage_events.session_id
        and chains.stage_order + 1 = stage_events.stage_order
        and chains.event_number < stage_events.event_number
    group by chains.session_id, stage_events.stage_order
)
select session_id, max(stage_order) as furthest_stage_order
from chains
group by session_id;

create table sessions as
with events_aggregated as (
    select
        session_id,
        user_id,
        user_session_number,
        min(event_at) as session_started_at,
        max(event_at) as session_ended_at,
        count(*) as count_events,
        count(case when event_role = 'step' then 1 end) as count_steps,
        min_by(event_name, event_number) as first_event_name,
        max_by(event_name, event_number) as last_event_name,
        min_by(platform, event_number) filter (where platform is not null) as platform,
        min_by(app_version, event_number) filter (where app_version is not null) as app_version,
        min_by(city, event_number) filter (where city is not null) as city
    from session_events
    group by all
),
starters_aggregated as (
    select
        session_id,
        min_by(starter, event_number) as lead_starter,
        string_agg(starter, ' → ' order by event_number) as starter_path
    from session_starters
    group by session_id
),
paths as (
    select
        session_id,
        string_agg(
            event_name
            || case when count_repeats > 1 then ' (' || count_repeats || 'x)' else '' end,
            ' → ' order by step_number
        ) as path
    from session_steps
    group by session_id
),
sessions_decided as (
    select
        *,
        cast(session_started_at as date) as session_date,
        case
            when furthest_stage_order >= {CONVERSION_STAGE} then 'converted'
            when lead(session_id) over (partition by user_id order by user_session_number) is null
                and session_ended_at + interval {SESSION_OPEN_MINUTES} minute
                    >= (select max(valid_received_at) from events)
                then 'open'
            else 'dropped'
        end as outcome
    from events_aggregated
    left join starters_aggregated using (session_id)
    left join paths using (session_id)
    left join session_stages using (session_id)
)
select
    * replace (coalesce(path, '(none)') as path),
    outcome = 'dropped'
    and session_ended_at - session_started_at < interval {BOUNCE_UNDER_SECONDS} second
        as is_bounce
from sessions_decided;

create table edges as
with steps_beside_next as (
    select
        session_id,
        step_number,
        event_name as source,
        lead(event_name) over (partition by session_id order by step_number) as next_event_name
    from session_steps
    union all
    select session_id, 1, '(none)', null from sessions where path = '(none)'
)
select
    step_number,
    source,
    case
        when next_event_name is null then '(' || outcome || ')'
        when step_number = {JOURNEY_MAX_STEPS} then '(longer)'
        else next_event_name
    end as target,
    count(*) as count_sessions
from steps_beside_next
inner join sessions using (session_id)
where step_number <= {JOURNEY_MAX_STEPS}
group by all;

create table funnel as
with session_groups as (
    select session_id, '(all)' as starter from sessions
    union all
    select session_id, starter from session_starters
)
select starter, stages.stage_order, count(*) as count_sessions
from session_groups
inner join session_stages using (session_id)
inner join (select distinct stage_order from funnel_stages) as stages
    on stages.stage_order <= session_stages.furthest_stage_order
group by all;

create table end_events as
select last_event_name as event_name, count(*) as count_ended
from sessions
where outcome != 'open'
group by all;

create table retention as
with first_sessions as (
    select session_id, user_id, session_date as first_date
    from sessions
    where user_session_number = 1
),
cohort_users as (
    select user_id, first_date, '(all)' as starter from first_sessions
    union all
    select user_id, first_date, starter
    from first_sessions
    inner join session_starters using (session_id)
),
active_weeks as (
    select distinct
        sessions.user_id,
        date_diff('day', first_sessions.first_date, sessions.session_date) // 7 + 1 as week_number
    from sessions
    inner join first_sessions using (user_id)
),
cohort_users_by_week as (
    select
        *,
        first_date + cast(7 * week_number as integer)
        <= (select cast(max(valid_received_at) as date) from events) as is_eligible
    from cohort_users
    cross join (from range(1, {RETENTION_WEEKS} + 1) as w (week_number)) as weeks
)
select
    starter,
    date_trunc('week', first_date) as cohort_week,
    cohort_users_by_week.week_number,
    count(*) as count_cohort,
    count(case when is_eligible then 1 end) as count_eligible,
    count(case when is_eligible and active_weeks.user_id is not null then 1 end) as count_retained
from cohort_users_by_week
left join active_weeks using (user_id, week_number)
group by all;

create table overview as
select
    session_date,
    coalesce(lead_starter, '(unmarked)') as lead_starter,
    count(*) as count_sessions,
    sum(count_events) as count_events,
    count(case when is_bounce then 1 end) as count_bounces,
    count(case when outcome = 'converted' then 1 end) as count_converted,
    count(case when outcome = 'open' then 1 end) as count_open
from sessions
group by all;
"""

with duckdb.connect(f"{work}/w.duckdb") as connection:
    connection.execute(f"set memory_limit = '{MEMORY_LIMIT}'; set temp_directory = '{work}/tmp'")
    for statement in STATEMENTS.split(";\n"):
        connection.execute(statement)
