{# a view, as what it numbers #}
{{ config(materialized='view') }}

with

user_timeline as (

    select * from {{ ref('int_user_timeline') }}

),

users as (

    select * from {{ ref('base_app__users') }}

),

rows_numbered as (

    select
        users.user_id,
        cast(row_number() over (
            partition by user_timeline.user_number
            order by user_timeline.user_session_number, user_timeline.kind_order
        ) as bigint) as row_number,
        user_timeline.row_kind,
        user_timeline.started_at,
        user_timeline.ended_at,
        user_timeline.session_id,
        user_timeline.starter_path,
        user_timeline.outcome,
        user_timeline.result,
        user_timeline.count_events,
        user_timeline.duration_seconds,
        user_timeline.ambient_summary
    from user_timeline
    inner join users
        on user_timeline.user_number = users.user_number

)

select * from rows_numbered
