{# Each landed row with the first reason to reject it, or none. #}
with

landed_rows as (

    select * from {{ ref('base_app__rows') }}

),

times_bounded as (

    select
        * exclude (event_at, received_at),
        case
            when
                event_at >= {{ timestamp_literal(var('oldest_event_time')) }}
                then event_at
        end as event_at,
        case
            when
                received_at between {{ timestamp_literal(var('oldest_event_time')) }}
                and {{ build_clock() }}
                + {{ seconds_interval(var('future_tolerance_seconds')) }}
                then received_at
        end as valid_received_at
    from landed_rows

),

rows_judged_alone as (

    select
        *,
        coalesce(valid_received_at, event_at) as received_at,
        valid_received_at is not null as has_valid_received_at,
        case
            when not is_readable then 'unreadable'
            when {{ is_blank('event_id') }} then 'missing_event_id'
            when {{ is_blank('user_id') }} then 'missing_user_id'
            when {{ is_blank('event_name') }} then 'missing_event_name'
            when event_at is null then 'bad_event_time'
            when
                event_at > coalesce(valid_received_at, {{ build_clock() }})
                + {{ seconds_interval(var('future_tolerance_seconds')) }}
                then 'time_in_future'
        end as reject_reason
    from times_bounded

),

{# few ids come twice: only their rows are ordered #}
repeated_event_ids as (

    select event_id
    from rows_judged_alone
    where reject_reason is null
    group by event_id
    having count(*) > 1

),

copies_numbered as (

    select
        rows_judged_alone.file_name,
        rows_judged_alone.file_row_number,
        row_number() over (
            partition by rows_judged_alone.event_id
            order by
                rows_judged_alone.received_at asc,
                rows_judged_alone.event_at asc,
                rows_judged_alone.user_id asc,
                rows_judged_alone.event_name asc,
                rows_judged_alone.platform asc nulls last,
                rows_judged_alone.app_version asc nulls last,
                rows_judged_alone.city asc nulls last,
                rows_judged_alone.has_valid_received_at desc,
                rows_judged_alone.file_name asc,
                rows_judged_alone.file_row_number asc
        ) as copy_number
    from rows_judged_alone
    inner join repeated_event_ids
        on rows_judged_alone.event_id = repeated_event_ids.event_id
    where rows_judged_alone.reject_reason is null

),

later_copies as (

    select
        file_name,
        file_row_number
    from copies_numbered
    where copy_number > 1

),

rows_judged as (

    select
        rows_judged_alone.file_name,
        rows_judged_alone.file_row_number,
        rows_judged_alone.event_id,
        rows_judged_alone.user_id,
        rows_judged_alone.event_name,
        rows_judged_alone.event_at,
        rows_judged_alone.received_at,
        rows_judged_alone.has_valid_received_at,
        rows_judged_alone.platform,
        rows_judged_alone.app_version,
        rows_judged_alone.city,
        case
            when later_copies.file_name is not null then 'duplicate_event_id'
            else rows_judged_alone.reject_reason
        end as reject_reason
    from rows_judged_alone
    left join later_copies
        on
            rows_judged_alone.file_name = later_copies.file_name
            and rows_judged_alone.file_row_number = later_copies.file_row_number

)

select * from rows_judged
