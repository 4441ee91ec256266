{# to the page and beyond it: leaks have intervals and p-values adjusted over segments;
   sessions add who was new, since versions differ in that #}
with leaks as (
    select * from {{ ref('fct_leaks') }}
),

sessions as (
    select * from {{ ref('fct_sessions') }}
),

reached as (
    select
        app_version,
        is_new_user,
        furthest_stage_order
    from sessions
    where
        furthest_funnel = 'booking'
        and outcome != 'open'
),

stages_by_version as (
    {% for stage_order in [4, 5] %}
    select
        app_version,
        {{ stage_order }} as stage_order,
        avg(cast(is_new_user as integer)) as share_new_users,
        avg(cast(furthest_stage_order > {{ stage_order }} as integer))
        filter (where is_new_user) as step_rate_new,
        avg(cast(furthest_stage_order > {{ stage_order }} as integer))
        filter (where not is_new_user) as step_rate_returning
    from reached
    where furthest_stage_order >= {{ stage_order }}
    group by app_version
    {{ "union all" if not loop.last }}
    {% endfor %}
),

versions_compared as (
    select
        leaks.stage,
        leaks.segment_value as app_version,
        leaks.count_reached,
        leaks.step_rate,
        leaks.rest_step_rate,
        leaks.difference,
        leaks.difference_low,
        leaks.difference_high,
        leaks.p_value_adjusted,
        leaks.verdict,
        stages_by_version.share_new_users,
        stages_by_version.step_rate_new,
        stages_by_version.step_rate_returning
    from leaks
    inner join stages_by_version
        on
            leaks.segment_value = stages_by_version.app_version
            and leaks.stage_order = stages_by_version.stage_order
    where
        leaks.funnel = 'booking'
        and leaks.stage in ('select_bus', 'select_seat')
        and leaks.segment = 'app_version'
)

select * from versions_compared
order by stage, app_version
