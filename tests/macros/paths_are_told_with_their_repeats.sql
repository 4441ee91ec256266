{# telemetry has no number; the last step is repeated up to the last action #}
{% set names = "['search', 'select_seat', '_user']" %}
with

actions (path, action_number, event_code, is_new_step) as (

    values
    ('search', 1, 1, true),
    ('search (2x)', 1, 1, true),
    ('search (2x)', 2, 1, false),
    ('search → select_seat (3x) → search → select_seat (2x)', 7, 2, false),
    ('search → select_seat (3x) → search → select_seat (2x)', 6, 2, true),
    ('search → select_seat (3x) → search → select_seat (2x)', 5, 1, true),
    ('search → select_seat (3x) → search → select_seat (2x)', 4, 2, false),
    ('search → select_seat (3x) → search → select_seat (2x)', 3, 2, false),
    ('search → select_seat (3x) → search → select_seat (2x)', 2, 2, true),
    ('search → select_seat (3x) → search → select_seat (2x)', 1, 1, true),
    ('search → select_seat (3x) → search → select_seat (2x)', null, 3, false),
    ('(none)', null, 3, false)

),

sessions as (

    select
        path,
        count(action_number) as count_actions,
        {{ codes_in_order('action_number', 'event_code', 'is_new_step') }} as path_codes
    from actions
    group by path

),

paths as (

    select
        path as expected,
        {# sqlfluff does not know a lambda of two names #}
        {{ path_text('path_codes', 'count_actions', names) }} as actual
    from sessions

),

{# the largest numbers that there can be stay apart #}
largest_codes as (

    select {{ codes_in_order('action_number', 'event_code') }} as path_codes
    from (values (2147483647, 2147483647)) as actions (action_number, event_code)

),

all_cases as (

    select * from paths
    union all
    select
        '2147483647' as expected,
        cast({{ event_code_of('path_codes[1]') }} as varchar) as actual
    from largest_codes

)

select *
from all_cases
where actual is distinct from expected
