{# made apart, they agree; a tenth of the users is enough to see it #}
with

sessions as (

    select
        session_key,
        coalesce(len(path_codes), 0) as count_elements,
        count_actions
    from {{ ref('int_sessions__aggregated') }}
    where user_number % 10 = 1

),

session_steps as (

    select
        session_key,
        count(*) as count_elements,
        max(step_number) as last_step_number,
        sum(count_repeats) as count_actions
    from {{ ref('int_session_steps') }}
    where {{ user_number_of('session_key') }} % 10 = 1
    group by session_key

)

select *
from sessions
full outer join session_steps
    on sessions.session_key = session_steps.session_key
where
    sessions.session_key is null
    or sessions.count_elements != coalesce(session_steps.count_elements, 0)
    or sessions.count_elements != coalesce(session_steps.last_step_number, 0)
    or sessions.count_actions != coalesce(session_steps.count_actions, 0)
