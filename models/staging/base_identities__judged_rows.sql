{# Each row of the identities with the first reason to reject it, or none; and the
   person to whom its anonymous id leads, over other rows where need be. #}
with recursive

landed_rows as (

    select * from {{ ref('base_identities__rows') }}

),

rows_judged as (

    select
        * {{ without(['mapped_at']) }},
        {{ time_from_oldest('mapped_at') }} as mapped_at,
        case
            when not is_readable then 'unreadable'
            when {{ is_blank('anonymous_id') }} then 'missing_anonymous_id'
            when {{ is_blank('user_id') }} then 'missing_user_id'
            when anonymous_id = user_id then 'maps_to_itself'
        end as reject_reason
    from landed_rows

),

{# of an id that is mapped more than once the first mapping holds #}
mappings_numbered as (

    select
        *,
        row_number() over mappings as mapping_number,
        first_value(user_id) over mappings as first_user_id
    from rows_judged
    window
        mappings as (
            partition by anonymous_id, reject_reason
            order by
                mapped_at asc nulls last,
                user_id asc,
                file_name asc,
                file_row_number asc
        )

),

links as (

    select
        anonymous_id,
        user_id
    from mappings_numbered
    where reject_reason is null and mapping_number = 1

),

{# who a mapping leads to may be an anonymous id in another #}
links_followed as (

    select
        anonymous_id,
        user_id,
        1 as count_links
    from links
    union all
    select
        links_followed.anonymous_id,
        links.user_id,
        links_followed.count_links + 1 as count_links
    from links_followed
    inner join links
        on links_followed.user_id = links.anonymous_id
    where links_followed.count_links < {{ most_identity_links() }}

),

{# no left join to links and "is null": DuckDB 2.0.0 then finds rows that links leaves
   out #}
people as (

    select
        anonymous_id,
        user_id as person_id
    from links_followed
    where user_id not in (select links.anonymous_id from links)

),

rows_judged_with_people as (

    select
        mappings_numbered.file_name,
        mappings_numbered.file_row_number,
        mappings_numbered.anonymous_id,
        mappings_numbered.user_id,
        mappings_numbered.mapped_at,
        people.person_id,
        mappings_numbered.payload,
        case
            when mappings_numbered.reject_reason is not null
                then mappings_numbered.reject_reason
            when
                mappings_numbered.mapping_number > 1
                and mappings_numbered.user_id = mappings_numbered.first_user_id
                then 'duplicate_mapping'
            when mappings_numbered.mapping_number > 1 then 'mapped_before'
            {# a circle, or a chain that no tool makes #}
            when people.person_id is null then 'endless_chain'
        end as reject_reason
    from mappings_numbered
    left join people
        on mappings_numbered.anonymous_id = people.anonymous_id

)

select * from rows_judged_with_people
