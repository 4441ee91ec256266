{# What could be won at each leak, as a range: up to the step rate of the best
   comparable segment, or by what an experiment measured. DECISIONS.md, "Recommendations". #}
with

leaks as (

    select * from {{ ref('fct_leaks') }}

),

session_segments as (

    select * from {{ ref('int_session_segments') }}

),

intervention_results as (

    select * from {{ ref('fct_intervention_results') }}

),

playbook as (

    select * from {{ ref('stg_settings__playbook') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

{# those can be compared that can be had again, unlike who somebody is #}
segment_kinds as (

    select * from (
        values
        ('platform', 'platform', true),
        ('app_version', 'app version', true),
        ('city', 'city', true),
        ('hour_of_day', 'hours', true),
        ('user_type', 'users who are', false),
        ('previous_pattern', 'session after', false)
    ) as segment_kinds (segment, segment_label, is_comparable)

),

worse_segments as (

    select
        leaks.*,
        segment_kinds.segment_label,
        segment_kinds.is_comparable,
        row_number() over (
            partition by leaks.funnel, leaks.stage_order
            order by leaks.difference, leaks.segment, leaks.segment_value
        ) as place
    from leaks
    inner join segment_kinds
        on leaks.segment = segment_kinds.segment
    where leaks.verdict = 'worse'

),

leaks_to_close as (

    select
        funnel,
        stage_order,
        segment,
        segment_value,
        cast(null as string) as segment_label
    from leaks
    where segment = '(all)' and count_lost > 0
    union all
    select
        funnel,
        stage_order,
        segment,
        segment_value,
        segment_label
    from worse_segments
    where is_comparable

),

benchmark_candidates as (

    select
        leaks.*,
        segment_kinds.segment_label
    from leaks
    inner join segment_kinds
        on leaks.segment = segment_kinds.segment
    where
        segment_kinds.is_comparable
        and not leaks.is_held_back
        and leaks.count_reached >= {{ var('min_benchmark_sessions') }}
        and leaks.segment_value != '(unknown)'

),

{# of everyone: the best of any kind; of a segment: the best other of its kind #}
candidates_by_leak as (

    select
        leaks_to_close.funnel,
        leaks_to_close.stage_order,
        leaks_to_close.segment,
        leaks_to_close.segment_value,
        candidates.segment_label as benchmark_segment_label,
        candidates.segment as benchmark_segment,
        candidates.segment_value as benchmark_segment_value,
        candidates.count_reached as benchmark_count_reached,
        candidates.step_rate as benchmark_step_rate,
        candidates.step_rate_error as benchmark_step_rate_error,
        count(*) over (
            partition by
                leaks_to_close.funnel, leaks_to_close.stage_order,
                leaks_to_close.segment, leaks_to_close.segment_value
        ) as count_candidates
    from leaks_to_close
    inner join benchmark_candidates as candidates
        on
            leaks_to_close.funnel = candidates.funnel
            and leaks_to_close.stage_order = candidates.stage_order
            and (
                leaks_to_close.segment = '(all)'
                or (
                    leaks_to_close.segment = candidates.segment
                    and leaks_to_close.segment_value != candidates.segment_value
                )
            )

),

benchmarks as (

    select *
    from candidates_by_leak
    qualify
        row_number() over (
            partition by funnel, stage_order, segment, segment_value
            order by
                benchmark_step_rate desc, benchmark_count_reached desc,
                benchmark_segment asc, benchmark_segment_value asc
        ) = 1

),

{# the best of several is the best by luck, too: the low end allows for all that were
   looked at, and the high end is no more than what was seen #}
benchmark_gains as (

    select
        benchmarks.*,
        greatest(
            benchmarks.benchmark_step_rate - leaks.step_rate
            - ({{ score_of_tail('(0.025 / benchmarks.count_candidates)') }})
            * sqrt(
                pow(benchmarks.benchmark_step_rate_error, 2)
                + pow(leaks.step_rate_error, 2)
            ),
            0
        ) * coalesce(leaks.later_rate, 0) as gain_low,
        greatest(benchmarks.benchmark_step_rate - leaks.step_rate, 0)
        * coalesce(leaks.later_rate, 0) as gain_high
    from benchmarks
    inner join leaks
        on
            benchmarks.funnel = leaks.funnel
            and benchmarks.stage_order = leaks.stage_order
            and benchmarks.segment = leaks.segment
            and benchmarks.segment_value = leaks.segment_value

),

{# the experiment that ended last speaks for its stage #}
measured_effects as (

    select *
    from intervention_results
    where segment = '(all)' and evidence = 'measured'
    qualify
        row_number() over (
            partition by stage
            order by last_assigned_at desc, intervention asc
        ) = 1

),

worst_segments as (

    select
        funnel,
        stage_order,
        {{ joined_in_order(
            "segment_label || ' ' || segment_value || ' (' || "
            ~ percent('step_rate') ~ " || ' go on, of the others '"
            ~ " || " ~ percent('rest_step_rate') ~ " || ')'",
            'place',
            '; '
        ) }} as worst_segments
    from worse_segments
    where place <= 3
    group by funnel, stage_order

),

sessions_counted as (

    select cast(count(*) as double) as count_sessions
    from session_segments

),

gains_known as (

    select
        leaks.funnel,
        leaks.stage_order,
        leaks.stage,
        leaks.stage_label,
        leaks.next_stage_label,
        leaks.goal_label,
        leaks.segment,
        leaks.segment_value,
        leaks_to_close.segment_label,
        leaks.count_reached,
        leaks.count_lost,
        leaks.share_lost,
        leaks.step_rate,
        benchmark_gains.benchmark_segment,
        benchmark_gains.benchmark_segment_value,
        benchmark_gains.benchmark_segment_label,
        benchmark_gains.benchmark_step_rate,
        measured_effects.intervention as measured_intervention,
        measured_effects.effect as measured_effect,
        measured_effects.effect_low,
        measured_effects.effect_high,
        measured_effects.count_treated + measured_effects.count_control
            as count_assigned,
        playbook.intervention as playbook_intervention,
        playbook.suggestion,
        worst_segments.worst_segments,
        leaks.segment = '(all)' and measured_effects.intervention is not null
            as is_measured,
        benchmark_gains.gain_low,
        benchmark_gains.gain_high,
        sessions_counted.count_sessions,
        as_of.as_of
    from leaks_to_close
    inner join leaks
        on
            leaks_to_close.funnel = leaks.funnel
            and leaks_to_close.stage_order = leaks.stage_order
            and leaks_to_close.segment = leaks.segment
            and leaks_to_close.segment_value = leaks.segment_value
    left join benchmark_gains
        on
            leaks.funnel = benchmark_gains.funnel
            and leaks.stage_order = benchmark_gains.stage_order
            and leaks.segment = benchmark_gains.segment
            and leaks.segment_value = benchmark_gains.segment_value
    left join measured_effects
        on leaks.stage = measured_effects.stage
    left join playbook
        on leaks.stage = playbook.stage
    left join worst_segments
        on
            leaks.funnel = worst_segments.funnel
            and leaks.stage_order = worst_segments.stage_order
            and leaks.segment = '(all)'
    cross join sessions_counted
    cross join as_of

),

{# an experiment was about everyone; in a segment it is told beside the benchmark #}
conversions_counted as (

    select
        *,
        count_reached * case when is_measured then effect_low else gain_low end
            as conversions_low,
        count_reached * case when is_measured then effect_high else gain_high end
            as conversions_high,
        measured_intervention || ' changed the conversion of '
        || printf('%,d', cast(count_assigned as bigint)) || ' assigned by '
        || printf('%+.1f', {{ rounded('100 * measured_effect', 1) }}) || ' points ('
        || printf('%+.1f', {{ rounded('100 * effect_low', 1) }}) || ' to '
        || printf('%+.1f', {{ rounded('100 * effect_high', 1) }}) || ').'
            as told_effect,
        {{ percent('step_rate') }} || ' go on to ' || next_stage_label || '; of '
        || benchmark_segment_label || ' ' || benchmark_segment_value || ', '
        || {{ percent('benchmark_step_rate') }}
        || ' do. Not shown to be a cause: it needs a test.' as told_benchmark
    from gains_known

),

gains_prioritised as (

    select
        *,
        conversions_low / count_sessions as impact_low,
        conversions_high / count_sessions as impact_high,
        case
            when
                conversions_low > 0
                and conversions_high / count_sessions >= {{ var('high_impact_share') }}
                then 'HIGH'
            when
                conversions_low > 0
                and conversions_high / count_sessions
                >= {{ var('medium_impact_share') }}
                then 'MEDIUM'
            else 'LOW'
        end as priority
    from conversions_counted

),

recommendations as (

    select
        cast(row_number() over (
            order by
                case priority when 'HIGH' then 1 when 'MEDIUM' then 2 else 3 end,
                conversions_high desc nulls last,
                funnel,
                stage_order,
                segment,
                segment_value
        ) as bigint) as priority_rank,
        priority,
        case
            when stage_order = 0 then 'Sessions without ' || next_stage_label
            else stage_label || ' drop-off'
        end
        || case
            when segment = '(all)' then ''
            else ': ' || segment_label || ' ' || segment_value
        end as title,
        funnel,
        stage_order,
        stage,
        stage_label,
        segment,
        segment_value,
        count_reached,
        count_lost,
        share_lost,
        step_rate,
        benchmark_segment,
        benchmark_segment_value,
        benchmark_step_rate,
        coalesce(
            case when is_measured then measured_intervention end,
            playbook_intervention,
            '(none in the playbook)'
        ) as intervention,
        suggestion,
        goal_label,
        conversions_low,
        conversions_high,
        impact_low,
        impact_high,
        case when is_measured then 'measured' else 'observed' end as evidence,
        case
            when is_measured then 'Measured: ' || told_effect
            else
                coalesce(
                    told_benchmark,
                    'No comparable segment is large enough to be a benchmark.'
                ) || coalesce(' Among all, ' || told_effect, '')
        end as reason,
        worst_segments,
        as_of
    from gains_prioritised

)

select * from recommendations
