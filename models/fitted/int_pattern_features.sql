{# The features of a session, in the order in which int_session_features lists them. #}
with

funnels as (

    select * from {{ ref('stg_settings__funnels') }}

),

funnel_stages as (

    select * from {{ ref('stg_settings__funnel_stages') }}

),

fixed_features as (

    {% for feature in session_features() %}
    select
        {{ loop.index }} as place,
        '{{ feature.name }}' as feature_name,
        cast({{ feature.weight }} as double) as weight,
        {{ feature.is_flag }} as is_flag,
        cast(null as string) as funnel,
        cast(null as integer) as stage_order
    {{ "union all" if not loop.last }}
    {% endfor %}

),

other_funnels as (

    select
        {{ session_features() | length }}
        + row_number() over (order by funnel) as place,
        'ends_in:' || funnel as feature_name,
        cast(1 as double) as weight,
        true as is_flag,
        funnel,
        cast(null as integer) as stage_order
    from funnels
    where not is_primary

),

{# all stages together weigh as much as one feature #}
stages as (

    select
        1000 + funnel_stages.stage_order as place,
        'log_events_at:' || funnel_stages.stage as feature_name,
        1 / sqrt(count(*) over ()) as weight,
        false as is_flag,
        funnel_stages.funnel,
        funnel_stages.stage_order
    from funnel_stages
    inner join funnels
        on funnel_stages.funnel = funnels.funnel
    where funnels.is_primary

),

all_features as (

    select * from fixed_features
    union all
    select * from other_funnels
    union all
    select * from stages

)

select
    cast(row_number() over (order by place) as integer) as feature_number,
    feature_name,
    weight,
    is_flag,
    funnel,
    stage_order
from all_features
