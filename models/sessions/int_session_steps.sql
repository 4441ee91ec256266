{# a view: what a session's path is made of, read for a few sessions at a time #}
{{ config(materialized='view') }}

{# A session's path: its starters and steps, equal neighbours collapsed with a count. #}
with

session_events as (

    select * from {{ ref('int_events__sessionized') }}

),

event_roles as (

    select * from {{ ref('int_event_roles') }}

),

actions_numbered as (

    select
        *,
        count(case when is_new_step then 1 end) over (
            partition by session_key
            order by action_number
            rows between unbounded preceding and current row
        ) as step_number
    from session_events
    where action_number is not null

),

actions_collapsed as (

    select
        actions_numbered.session_key,
        actions_numbered.step_number,
        event_roles.event_name,
        count(*) as count_repeats,
        min(actions_numbered.event_at) as started_at
    from actions_numbered
    inner join event_roles
        on actions_numbered.event_code = event_roles.event_code
    group by
        actions_numbered.session_key,
        actions_numbered.step_number,
        event_roles.event_name

)

select * from actions_collapsed
