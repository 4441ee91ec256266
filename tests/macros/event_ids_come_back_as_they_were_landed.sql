{# only a UUID written as one always is becomes a number; all others keep their text #}
with

cases (landed, is_uuid) as (

    values
    ('0f8fad5b-d9cb-469f-a165-70867728950e', true),
    ('00000000-0000-0000-0000-000000000000', true),
    ('ffffffff-ffff-ffff-ffff-ffffffffffff', true),
    ('0F8FAD5B-D9CB-469F-A165-70867728950E', false),
    ('0f8fad5b-d9cb-469f-a165-70867728950E', false),
    ('{' || '0f8fad5b-d9cb-469f-a165-70867728950e' || '}', false),
    ('0f8fad5bd9cb469fa16570867728950e', false),
    ('0f8fad5b-d9cb469f-a165-70867728950e', false),
    (' 0f8fad5b-d9cb-469f-a165-70867728950e', false),
    ('0f8fad5b-d9cb-469f-a165-70867728950e ', false),
    ('0f8fad5b-d9cb-469f-a165-70867728950', false),
    ('urn:uuid:0f8fad5b-d9cb-469f-a165-70867728950e', false),
    ('1768212000123', false),
    ('e1', false),
    ('é', false)

),

ids as (

    select
        landed,
        is_uuid,
        {{ uuid_of_text('landed') }} as event_uuid,
        {{ text_without_uuid('landed') }} as event_text
    from cases

)

select *
from ids
where
    {{ event_id_of('ids') }} is distinct from landed
    or (event_text is null) != is_uuid
    or (not is_uuid and event_uuid is distinct from cast(md5(landed) as uuid))
