{# Each row of the ledger with the first reason to reject it, or none. #}
with

landed_rows as (

    select * from {{ ref('base_ledger__rows') }}

),

times_bounded as (

    select
        * {{ without(['assigned_at', 'received_at', 'planned_treated_share']) }},
        case
            when {{ is_blank('planned_treated_share') }} then 0.5
            else try_cast(planned_treated_share as double)
        end as planned_treated_share,
        {{ time_from_oldest('assigned_at') }} as assigned_at,
        {{ valid_received_at('received_at') }} as valid_received_at
    from landed_rows

),

rows_judged as (

    select
        * {{ without(['valid_received_at']) }},
        coalesce(valid_received_at, assigned_at) as received_at,
        valid_received_at is not null as has_valid_received_at,
        case
            when not is_readable then 'unreadable'
            when {{ is_blank('assignment_id') }} then 'missing_assignment_id'
            when {{ is_blank('intervention') }} then 'missing_intervention'
            when {{ is_blank('user_id') }} then 'missing_user_id'
            when {{ is_blank('stage') }} then 'missing_stage'
            when unit is null or unit not in ('session', 'user') then 'bad_unit'
            when arm is null or arm not in ('treated', 'control') then 'bad_arm'
            {# not-a-number is greater than any number #}
            when
                planned_treated_share is null
                or planned_treated_share <= 0
                or planned_treated_share >= 1
                then 'bad_planned_share'
            when assigned_at is null then 'bad_assigned_at'
            when {{ is_in_future('assigned_at', 'valid_received_at') }}
                then 'assigned_in_future'
        end as reject_reason
    from times_bounded

),

{# among the rows left the copy received first stays #}
copies_numbered as (

    select
        *,
        row_number() over (
            partition by assignment_id, reject_reason
            order by
                received_at asc,
                intervention asc,
                unit asc,
                user_id asc,
                session_id asc nulls last,
                stage asc,
                arm asc,
                planned_treated_share asc,
                assigned_at asc,
                has_valid_received_at desc,
                file_name asc,
                file_row_number asc
        ) as copy_number
    from rows_judged

),

rows_judged_with_copies as (

    select
        file_name,
        file_row_number,
        assignment_id,
        intervention,
        unit,
        user_id,
        case when not {{ is_blank('session_id') }} then session_id end as session_id,
        stage,
        arm,
        planned_treated_share,
        assigned_at,
        received_at,
        payload,
        case
            when reject_reason is null and copy_number > 1
                then 'duplicate_assignment_id'
            else reject_reason
        end as reject_reason
    from copies_numbered

)

select * from rows_judged_with_copies
