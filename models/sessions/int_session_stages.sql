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

{# of each session: the events that reach a stage, as a list #}
stage_events as (

    select
        session_funnels.session_key,
        session_funnels.funnel,
        funnel_stage_events.stage_order,
        array_agg({{ struct_of({
            'event_number': 'session_events.event_number',
            'event_at': 'session_events.event_at',
        }) }}) as events
    from session_events
    inner join event_roles
        on session_events.event_code = event_roles.event_code
    inner join funnel_stage_events
        on event_roles.event_name = funnel_stage_events.event_name
    inner join session_funnels
        on
            session_events.session_key = session_funnels.session_key
            and funnel_stage_events.funnel = session_funnels.funnel
    group by
        session_funnels.session_key,
        session_funnels.funnel,
        funnel_stage_events.stage_order

),

events_that_start as (

    select
        stage_events.session_key,
        stage_events.funnel,
        funnels.order_mode,
        funnels.conversion_window_seconds,
        stage_events.events
    from stage_events
    inner join funnels
        on stage_events.funnel = funnels.funnel
    where funnels.order_mode = 'any_order' or stage_events.stage_order = 1

),

starts_in_windows as (

    select
        session_key,
        funnel,
        order_mode,
        conversion_window_seconds,
        {{ each_of('events') }} as start_event
    from events_that_start
    where conversion_window_seconds is not null

),

{# without a window the earliest start reaches furthest; with one, any start may #}
start_events as (

    select
        session_key,
        funnel,
        order_mode,
        min({{ least_of('events') }}) as start_event,
        cast(null as timestamp) as window_ends_at
    from events_that_start
    where conversion_window_seconds is null
    group by session_key, funnel, order_mode
    union all
    select
        session_key,
        funnel,
        order_mode,
        start_event,
        start_event.event_at + conversion_window_seconds * interval '1 second'
            as window_ends_at
    from starts_in_windows

),

chain_starts as (

    select
        *,
        start_event.event_number as start_number
    from start_events

),

ordered_chains as (

    select
        session_key,
        funnel,
        start_number,
        window_ends_at,
        1 as stage_order,
        start_event as stage_event
    from chain_starts
    where order_mode = 'ordered'

    union all

    select
        ordered_chains.session_key,
        ordered_chains.funnel,
        ordered_chains.start_number,
        ordered_chains.window_ends_at,
        stage_events.stage_order,
        {{ least_of(list_where(
            'stage_events.events', 'event',
            'event.event_number > ordered_chains.stage_event.event_number'
        )) }} as stage_event
    from ordered_chains
    inner join stage_events
        on
            ordered_chains.session_key = stage_events.session_key
            and ordered_chains.funnel = stage_events.funnel
            and ordered_chains.stage_order + 1 = stage_events.stage_order
    where ordered_chains.stage_event is not null

),

any_order_chain_events as (

    select
        chain_starts.session_key,
        chain_starts.funnel,
        chain_starts.start_number,
        chain_starts.window_ends_at,
        stage_events.stage_order,
        {{ least_of(list_where(
            'stage_events.events', 'event',
            'event.event_number >= chain_starts.start_number'
        )) }} as stage_event
    from chain_starts
    inner join stage_events
        on
            chain_starts.session_key = stage_events.session_key
            and chain_starts.funnel = stage_events.funnel
    where chain_starts.order_mode = 'any_order'

),

any_order_stages_counted as (

    select
        session_key,
        funnel,
        start_number,
        stage_order,
        row_number() over stages_so_far as count_stages,
        max(stage_event) over stages_so_far as stage_event
    from any_order_chain_events
    where
        stage_event is not null
        and (window_ends_at is null or stage_event.event_at <= window_ends_at)
    window stages_so_far as (
        partition by session_key, funnel, start_number
        order by stage_order
        rows between unbounded preceding and current row
    )

),

{# stage k is reached once each of 1..k has occurred: no number is missing up to it #}
any_order_chains as (

    select *
    from any_order_stages_counted
    where count_stages = stage_order

),

chains as (

    select
        session_key,
        funnel,
        start_number,
        stage_order,
        stage_event.event_number,
        stage_event.event_at as reached_at
    from ordered_chains
    where
        stage_event is not null
        and (window_ends_at is null or stage_event.event_at <= window_ends_at)
    union all
    select
        session_key,
        funnel,
        start_number,
        stage_order,
        stage_event.event_number,
        stage_event.event_at as reached_at
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
