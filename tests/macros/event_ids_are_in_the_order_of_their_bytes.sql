{# as numbers where all are UUIDs, and as texts where one is none #}
with

cases (landed) as (

    values
    ('00000000-0000-0000-0000-000000000000'),
    ('0f8fad5b-d9cb-469f-a165-70867728950e'),
    ('7fffffff-ffff-ffff-ffff-ffffffffffff'),
    ('80000000-0000-0000-0000-000000000000'),
    ('80000000-0000-0000-7fff-ffffffffffff'),
    ('80000000-0000-0000-8000-000000000000'),
    ('9a000000-0000-0000-0000-000000000000'),
    ('a9000000-0000-0000-0000-000000000000'),
    ('ffffffff-ffff-ffff-ffff-ffffffffffff'),
    ('0F8FAD5B-D9CB-469F-A165-70867728950E'),
    ('0f8fad5b'),
    ('8'),
    ('B'),
    ('a'),
    ('é')

),

ids as (

    select
        landed,
        {{ uuid_of_text('landed') }} as event_uuid,
        {{ text_without_uuid('landed') }} as event_text
    from cases

),

uuids_numbered as (

    select
        landed,
        row_number() over (order by encode(landed)) as expected,
        row_number() over (
            order by {{ event_id_order('(select null as event_text)') }}
        ) as actual
    from ids
    where event_text is null

),

ids_numbered as (

    select
        landed,
        row_number() over (order by encode(landed)) as expected,
        row_number() over (
            order by {{ event_id_order("(select 'a' as event_text)") }}
        ) as actual
    from ids

),

all_numbered as (

    select * from uuids_numbered
    union all
    select * from ids_numbered

)

select *
from all_numbered
where actual != expected
