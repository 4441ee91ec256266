{# Users who are somebody else, in numbers: now, and when the last build ended. #}
with

people as (

    select * from {{ ref('stg_identities__people') }}

),

users as (

    select * from {{ ref('base_app__users') }}

),

people_numbered as (

    select
        users.user_number,
        persons.user_number as person_number
    from people
    inner join users
        on people.anonymous_id = users.user_id
    inner join users as persons
        on people.user_id = persons.user_id

),

{% if is_incremental_build() %}

{# of this very build, where this model runs in it once more #}
people_before as (

    select
        user_number,
        case
            when made_in_build = {{ this_build_number() }} then person_number_before
            else person_number
        end as person_number
    from {{ this }}

),

people_compared as (

    select
        coalesce(people_numbered.user_number, people_before.user_number) as user_number,
        coalesce(people_numbered.person_number, people_before.user_number)
            as person_number,
        coalesce(people_before.person_number, people_numbered.user_number)
            as person_number_before
    from people_numbered
    full outer join people_before
        on people_numbered.user_number = people_before.user_number

)

{% else %}

people_compared as (

    select
        user_number,
        person_number,
        person_number as person_number_before
    from people_numbered

)

{% endif %}

select
    user_number,
    person_number,
    person_number_before,
    {{ this_build_number() }} as made_in_build
from people_compared
{# who was nobody else before and is nobody else now #}
where user_number != person_number or user_number != person_number_before
