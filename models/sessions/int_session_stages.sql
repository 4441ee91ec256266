{{ config(materialized='incremental', redone_by='session') }}

{# How far a session came in each of its funnels: the stages of the chain that counts.
   An ordered chain grows one stage at a time, always by the next event that reaches it.
   #}
with recursive

session_events as (

    select * from {{ ref('int_events__sessionized') }}
    {{ only_made_now() }}

),

event_roles as (

    select * from {{ ref('int_event_roles') }}

),

session_funnels as (

    select * from {{ ref('int_session_funnels') }}
    {{ only_redone('session') }}

),

funnels as (

    select * from {{ ref('stg_settings__funnels') }}

),

funnel_stage_events as (

    select * from {{ ref('stg_settings__funnel_stage_events') }}

),

stage_events as (

    select
        session_funnels.session_key,
        session_funnels.funnel,
        funnels.order_mode,
        funnels.conversion_window_seconds,
        funnel_stage_events.stage_order,
        session_events.event_number,
        session_events.event_at
    from session_events
    inner join event_roles
        on session_events.event_code = event_roles.event_code
    inner join funnel_stage_events
        on event_roles.event_name = funnel_stage_events.event_name
    inner join session_funnels
        on
            session_events.session_key = session_funnels.session_key
            and funnel_stage_events.funnel = session_funnels.funnel
    inner join funnels
        on session_funnels.funnel = funnels.funnel

),

{# without a window the earliest start reaches furthest; with one, any start may #}
chain_starts as (

    select
        session_key,
        funnel,
        order_mode,
        min(event_number) as start_number,
        min(event_at) as start_at,
        cast(null as timestamp) as window_ends_at
    from stage_events
    where
        conversion_window_seconds is null
        and (order_mode = 'any_order' or stage_order = 1)
    group by session_key, funnel, order_mode
    union all
    select
        session_key,
        funnel,
        order_mode,
        event_number as start_number,
        event_at as start_at,
        event_at
        + to_microseconds(cast(round(conversion_window_seconds * 1000000) as bigint))
            as window_ends_at
    from stage_events
    where
        conversion_window_seconds is not null
        and (order_mode = 'any_order' or stage_order = 1)

),

ordered_chains as (

    select
        session_key,
        funnel,
        start_number,
        window_ends_at,
        1 as stage_order,
        start_number as event_number,
        start_at as reached_at
    from chain_starts
    where order_mode = 'ordered'

    union all

    select
        ordered_chains.session_key,
        ordered_chains.funnel,
        ordered_chains.start_number,
        ordered_chains.window_ends_at,
        stage_events.stage_order,
        min(stage_events.event_number) as event_number,
        min(stage_events.event_at) as reached_at
    from ordered_chains
    inner join stage_events
        on
            ordered_chains.session_key = stage_events.session_key
            and ordered_chains.funnel = stage_events.funnel
            and ordered_chains.stage_order + 1 = stage_events.stage_order
            and ordered_chains.event_number < stage_events.event_number
            and (
                ordered_chains.window_ends_at is null
                or stage_events.event_at <= ordered_chains.window_ends_at
            )
    group by
        ordered_chains.session_key,
        ordered_chains.funnel,
        ordered_chains.start_number,
        ordered_chains.window_ends_at,
        stage_events.stage_order

),

any_order_first_events as (

    select
        chain_starts.session_key,
        chain_starts.funnel,
        chain_starts.start_number,
        stage_events.stage_order,
        min(stage_events.event_number) as event_number,
        min(stage_events.event_at) as event_at
    from chain_starts
    inner join stage_events
        on
            chain_starts.session_key = stage_events.session_key
            and chain_starts.funnel = stage_events.funnel
            and chain_starts.start_number <= stage_events.event_number
            and (
                chain_starts.window_ends_at is null
                or stage_events.event_at <= chain_starts.window_ends_at
            )
    where chain_starts.order_mode = 'any_order'
    group by
        chain_starts.session_key,
        chain_starts.funnel,
        chain_starts.start_number,
        stage_events.stage_order

),

any_order_stages_counted as (

    select
        session_key,
        funnel,
        start_number,
        stage_order,
        row_number() over stages_so_far as count_stages,
        max(event_number) over stages_so_far as event_number,
        max(event_at) over stages_so_far as reached_at
    from any_order_first_events
    window stages_so_far as (
        partition by session_key, funnel, start_number
        order by stage_order
        rows between unbounded preceding and current row
    )

),

{# stage k is reached once each of 1..k has occurred: no number is missing up to it #}
any_order_chains as (

    select
        session_key,
        funnel,
        start_number,
        stage_order,
        event_number,
        reached_at
    from any_order_stages_counted
    where count_stages = stage_order

),

chains as (

    select
        session_key,
        funnel,
        start_number,
        stage_order,
        event_number,
        reached_at
    from ordered_chains
    union all
    select
        session_key,
        funnel,
        start_number,
        stage_order,
        event_number,
        reached_at
    from any_order_chains

),

chains_ranked as (

    select
        session_key,
        funnel,
        start_number,
        row_number() over (
            partition by session_key, funnel
            order by max(stage_order) desc, start_number
        ) as chain_rank
    from chains
    group by session_key, funnel, start_number

),

{# with a window another chain may have been there before the one that counts #}
stages_first_reached as (

    select
        session_key,
        funnel,
        stage_order,
        min(event_number) as first_event_number
    from chains
    group by session_key, funnel, stage_order

),

chains_that_count as (

    select
        chains.session_key,
        chains.funnel,
        chains.stage_order,
        chains.event_number,
        chains.reached_at,
        stages_first_reached.first_event_number
    from chains
    inner join stages_first_reached
        on
            chains.session_key = stages_first_reached.session_key
            and chains.funnel = stages_first_reached.funnel
            and chains.stage_order = stages_first_reached.stage_order
    inner join chains_ranked
        on
            chains.session_key = chains_ranked.session_key
            and chains.funnel = chains_ranked.funnel
            and chains.start_number = chains_ranked.start_number
    where chains_ranked.chain_rank = 1

)

select * from chains_that_count
