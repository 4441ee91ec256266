{# Of each stage and segment: who came and who went on, and the sums over users that the
   error of a difference between these sessions and the rest is made of. Whole numbers,
   so that no order of rows shows. #}
with

user_steps as (

    select * from {{ ref('int_user_steps') }}

),

steps_summed as (

    select
        funnel,
        stage_order,
        segment,
        segment_value,
        count(*) as count_users,
        count(case when all_reached > count_reached then 1 end) as count_users_beside,
        sum(count_reached) as count_reached,
        sum(count_went_on) as count_went_on,
        sum(count_reached * count_reached) as reached_squared,
        sum(count_went_on * count_went_on) as went_on_squared,
        sum(count_went_on * count_reached) as went_on_times_reached,
        sum(count_reached * all_reached) as reached_times_all,
        sum(count_went_on * all_reached) as went_on_times_all,
        sum(count_reached * all_went_on) as reached_times_all_went_on,
        sum(count_went_on * all_went_on) as went_on_times_all_went_on
    from user_steps
    group by
        funnel,
        stage_order,
        segment,
        segment_value

),

{# the sums of (all): every user once #}
stages_summed as (

    select *
    from steps_summed
    where segment = '(all)'

),

{# the rest is all less these, user by user: squares and products follow from the sums
   #}
steps_beside_rest as (

    select
        steps.funnel,
        steps.stage_order,
        steps.segment,
        steps.segment_value,
        steps.count_users,
        steps.count_reached,
        steps.count_went_on,
        steps.reached_squared,
        steps.went_on_squared,
        steps.went_on_times_reached,
        stages.count_users - steps.count_users + steps.count_users_beside
            as rest_users,
        stages.count_reached - steps.count_reached as rest_reached,
        stages.count_went_on - steps.count_went_on as rest_went_on,
        stages.reached_squared - 2 * steps.reached_times_all + steps.reached_squared
            as rest_reached_squared,
        stages.went_on_squared - 2 * steps.went_on_times_all_went_on
        + steps.went_on_squared as rest_went_on_squared,
        stages.went_on_times_reached - steps.went_on_times_all
        - steps.reached_times_all_went_on + steps.went_on_times_reached
            as rest_went_on_times_reached,
        steps.reached_times_all - steps.reached_squared as reached_times_rest,
        steps.went_on_times_all - steps.went_on_times_reached as went_on_times_rest,
        steps.reached_times_all_went_on - steps.went_on_times_reached
            as reached_times_rest_went_on,
        steps.went_on_times_all_went_on - steps.went_on_squared
            as went_on_times_rest_went_on
    from steps_summed as steps
    inner join stages_summed as stages
        on
            steps.funnel = stages.funnel
            and steps.stage_order = stages.stage_order

)

select
    funnel,
    stage_order,
    segment,
    segment_value,
    cast(count_users as bigint) as count_users,
    cast(count_reached as bigint) as count_reached,
    cast(count_went_on as bigint) as count_went_on,
    cast(rest_users as bigint) as rest_users,
    cast(rest_reached as bigint) as rest_reached,
    cast(rest_went_on as bigint) as rest_went_on,
    cast(reached_squared as double) as reached_squared,
    cast(went_on_squared as double) as went_on_squared,
    cast(went_on_times_reached as double) as went_on_times_reached,
    cast(rest_reached_squared as double) as rest_reached_squared,
    cast(rest_went_on_squared as double) as rest_went_on_squared,
    cast(rest_went_on_times_reached as double) as rest_went_on_times_reached,
    cast(reached_times_rest as double) as reached_times_rest,
    cast(went_on_times_rest as double) as went_on_times_rest,
    cast(reached_times_rest_went_on as double) as reached_times_rest_went_on,
    cast(went_on_times_rest_went_on as double) as went_on_times_rest_went_on
from steps_beside_rest
