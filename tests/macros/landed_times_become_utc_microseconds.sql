{# one row per way a time can be written; cut off to microseconds, never rounded #}
with

cases (landed, expected) as (

    values
    ('2026-01-12 10:00:00', '2026-01-12 10:00:00'),
    ('2026-01-12T10:00:00Z', '2026-01-12 10:00:00'),
    ('2026-01-12t10:00:00z', '2026-01-12 10:00:00'),
    ('2026-01-12T10:00:00.123456789Z', '2026-01-12 10:00:00.123456'),
    ('2026-01-12T10:00:00,9999999', '2026-01-12 10:00:00.999999'),
    ('2026-01-12T10:00:00+05:30', '2026-01-12 04:30:00'),
    ('2026-01-12T10:00:00-0800', '2026-01-12 18:00:00'),
    ('2026-01-12T10:00:00+05', '2026-01-12 05:00:00'),
    ('2026-01-12T10:00', '2026-01-12 10:00:00'),
    ('2026-01-12T10', '2026-01-12 10:00:00'),
    ('2026-01-12T10Z', '2026-01-12 10:00:00'),
    ('2026-01-12', '2026-01-12 00:00:00'),
    ('20260112T101112Z', '2026-01-12 10:11:12'),
    ('20260112T1011', '2026-01-12 10:11:00'),
    (' 2026-01-12 ', '2026-01-12 00:00:00'),
    ('1768212000123', '2026-01-12 10:00:00.123'),
    ('0', '1970-01-01 00:00:00'),
    ('253402300799999', '9999-12-31 23:59:59.999'),
    ('253402300800000', null),
    ('99999999999999999999999999', null),
    ('1768212000.5', null),
    ('-1', null),
    ('2026-02-30', null),
    ('2026-01-12T25:00:00', null),
    ('2026/01/12', null),
    ('12.01.2026', null),
    ('yesterday', null),
    ('epoch', null),
    ('infinity', null),
    ('', null)

),

converted as (

    select
        landed,
        cast(expected as timestamp) as expected,
        {{ timestamp_from_text('landed') }} as actual
    from cases

),

nanoseconds as (

    select
        'nanoseconds' as landed,
        timestamp '2026-01-12 10:00:00.999999' as expected,
        {{ timestamp_from_column(
            "cast('2026-01-12 10:00:00.999999999' as timestamp_ns)", 'TIMESTAMP_NS'
        ) }} as actual
    union all
    select
        'with time zone' as landed,
        timestamp '2026-01-12 04:30:00' as expected,
        {{ timestamp_from_column(
            "cast('2026-01-12 10:00:00+05:30' as timestamptz)", 'TIMESTAMP WITH TIME ZONE'
        ) }} as actual
    union all
    select
        'whole float' as landed,
        timestamp '2026-01-12 10:00:00.123' as expected,
        {{ timestamp_from_column('cast(1768212000123 as double)', 'DOUBLE') }} as actual
    union all
    select
        'broken float' as landed,
        null as expected,
        {{ timestamp_from_column('cast(1768212000123.5 as double)', 'DOUBLE') }}
            as actual

),

all_cases as (

    select * from converted
    union all
    select * from nanoseconds

)

select *
from all_cases
where actual is distinct from expected
