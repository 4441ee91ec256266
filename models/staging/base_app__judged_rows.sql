{# a view, like the rows it judges #}
{{ config(materialized='view') }}

{# Each row that this build loads with the first reason to reject it by itself, or none.
   Whether its event id came before is a question to all rows: base_app__copies. #}
with

landed_rows as (

    select * from {{ ref('base_app__rows') }}

),

times_bounded as (

    select
        * {{ without(['event_at', 'received_at']) }},
        {{ time_from_oldest('event_at') }} as event_at,
        {{ valid_received_at('received_at') }} as valid_received_at
    from landed_rows

),

rows_judged as (

    select
        * {{ without(['valid_received_at']) }},
        coalesce(valid_received_at, event_at) as received_at,
        valid_received_at is not null as has_valid_received_at,
        case
            when not is_readable then 'unreadable'
            when {{ is_blank('event_id') }} then 'missing_event_id'
            when {{ is_blank('user_id') }} then 'missing_user_id'
            when {{ is_blank('event_name') }} then 'missing_event_name'
            when event_at is null then 'bad_event_time'
            when {{ is_in_future('event_at', 'valid_received_at') }}
                then 'time_in_future'
        end as reject_reason
    from times_bounded

)

select * from rows_judged
