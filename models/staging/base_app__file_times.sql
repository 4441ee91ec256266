{{ config(materialized='incremental', redone_by='file') }}
-- depends_on: {{ ref('base_app__files') }}

{# From when on no clock can change what a file's rows are judged to be, see
   base_app__files. #}
with

landed_rows as (

    select * from {{ ref('base_app__rows') }}

),

file_times as (

    select
        file_number,
        max(
            case
                when
                    received_at >= {{ timestamp_literal(var('oldest_event_time')) }}
                    then received_at
                else event_at
            end
        ) as settled_at
    from landed_rows
    group by file_number

)

select * from file_times
