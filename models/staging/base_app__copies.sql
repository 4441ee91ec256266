{{ config(materialized='incremental', redone_by='event_id') }}

{# Rows that share their event id, numbered: the first stays. #}
with

repeated_rows as (

    select * from {{ ref('base_app__repeated_rows') }}

),

users as (

    select * from {{ ref('base_app__users') }}

),

event_names as (

    select * from {{ ref('base_app__event_names') }}

),

contexts as (

    select * from {{ ref('base_app__contexts') }}

),

files as (

    select * from {{ ref('base_app__files') }}

),

copies_numbered as (

    select
        repeated_rows.event_uuid,
        repeated_rows.event_text,
        repeated_rows.file_number,
        repeated_rows.file_row_number,
        row_number() over (
            partition by repeated_rows.event_uuid, repeated_rows.event_text
            order by
                repeated_rows.received_at asc,
                repeated_rows.event_at asc,
                users.user_id asc,
                event_names.event_name asc,
                contexts.platform asc nulls last,
                contexts.app_version asc nulls last,
                contexts.city asc nulls last,
                repeated_rows.has_valid_received_at desc,
                files.file_name asc,
                repeated_rows.file_row_number asc
        ) as copy_number
    from repeated_rows
    inner join users
        on repeated_rows.user_number = users.user_number
    inner join event_names
        on repeated_rows.event_code = event_names.event_code
    inner join contexts
        on repeated_rows.context_code = contexts.context_code
    inner join files
        on repeated_rows.file_number = files.file_number
    where repeated_rows.count_copies > 1

)

select * from copies_numbered
