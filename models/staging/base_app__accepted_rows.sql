{{ config(materialized='incremental', redone_by='file') }}
-- depends_on: {{ ref('base_app__files') }}, {{ ref('base_app__gone_rows') }}

{# Rows with nothing against them, copies included, as small as they get: texts that
   come again and again are numbers here, and properties stay in the files. #}
with

judged_rows as (

    select * from {{ ref('base_app__judged_rows') }}

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

accepted_rows as (

    select
        {{ uuid_of_text('judged_rows.event_id') }} as event_uuid,
        {{ text_without_uuid('judged_rows.event_id') }} as event_text,
        users.user_number,
        event_names.event_code,
        contexts.context_code,
        judged_rows.event_at,
        judged_rows.received_at,
        judged_rows.has_valid_received_at,
        judged_rows.file_number,
        judged_rows.file_row_number
    from judged_rows
    inner join users
        on judged_rows.user_id = users.user_id
    inner join event_names
        on judged_rows.event_name = event_names.event_name
    inner join contexts
        on
            judged_rows.platform is not distinct from contexts.platform
            and judged_rows.app_version is not distinct from contexts.app_version
            and judged_rows.city is not distinct from contexts.city
    where judged_rows.reject_reason is null

)

select * from accepted_rows
