with

cases (landed, expected) as (

    values
    (null, true),
    ('', true),
    (' ', true),
    (chr(9) || chr(10) || chr(13), true),
    (chr(160), true),
    (chr(12288), true),
    ('a', false),
    (' a', false),
    ('é', false),
    ('0', false)

)

select *
from cases
where {{ is_blank('landed') }} is distinct from expected
