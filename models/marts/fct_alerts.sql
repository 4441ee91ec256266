{# What somebody should look at; fct_usual_ranges has all that was judged. #}
with

usual_ranges as (

    select * from {{ ref('fct_usual_ranges') }}

),

data_health as (

    select * from {{ ref('fct_data_health') }}

),

landing_checks as (

    select * from {{ ref('fct_landing_checks') }}

),

as_of as (

    select * from {{ ref('int_as_of') }}

),

funnel_stages as (

    select * from {{ ref('stg_settings__funnel_stages') }}

),

last_whole_days as (

    select {{ last_whole_day('as_of') }} as last_whole_day
    from as_of

),

days_with_rows as (

    select received_date
    from data_health
    where
        received_date is not null
        and count_staged > 0

),

{# from the first day with rows to the last whole day; who knows what comes later #}
range_of_days as (

    select
        min(days_with_rows.received_date) as first_day,
        any_value(last_whole_days.last_whole_day) as last_day
    from days_with_rows
    cross join last_whole_days

),

days_judged as (

    select {{ each_day('first_day', 'last_day') }} as received_date
    from range_of_days

),

days_beside_the_last_with_rows as (

    select
        days_judged.received_date,
        days_with_rows.received_date is not null as has_rows,
        max(days_with_rows.received_date) over (
            order by days_judged.received_date
            rows between unbounded preceding and current row
        ) as last_date_with_rows
    from days_judged
    left join days_with_rows
        on days_judged.received_date = days_with_rows.received_date

),

{# an app that sleeps on Sundays is not broken on Sundays: the same weekdays of the four
   weeks before it fell silent tell, as far as there were any #}
days_without_rows as (

    select
        silent.received_date,
        silent.last_date_with_rows
    from days_beside_the_last_with_rows as silent
    left join days_beside_the_last_with_rows as earlier
        on
            dayofweek(silent.received_date) = dayofweek(earlier.received_date)
            and earlier.received_date < silent.last_date_with_rows
            and earlier.received_date >= silent.last_date_with_rows - 28
    where not silent.has_rows
    group by silent.received_date, silent.last_date_with_rows
    having coalesce(bool_or(earlier.has_rows), true)

),

{# a time without rows is one alert, of the day it began #}
silences as (

    select
        min(received_date) as alert_date,
        max(received_date) as last_date,
        count(*) as count_of
    from days_without_rows
    group by last_date_with_rows

),

unreadable_files as (

    select
        {{ reporting_date('checked_at') }} as alert_date,
        count(*) as count_of,
        min(file_name) as first_file_name
    from landing_checks
    where
        expectation = 'expect_file_to_be_readable'
        and not is_met
    group by alert_date

),

{# what broke, and has no range #}
faults as (

    select
        alert_date,
        last_date,
        'no_rows' as kind,
        count_of,
        'No rows came for ' || {{ counted_days('count_of') }} as title,
        'the same weekdays of the four weeks before' as computed_from
    from silences
    union all
    select
        alert_date,
        alert_date as last_date,
        'files_rejected' as kind,
        count_of,
        case
            when count_of = 1 then first_file_name || ' cannot be read'
            else
                count_of || ' files cannot be read, ' || first_file_name
                || ' and others'
        end as title,
        'the checks of what landed' as computed_from
    from unreadable_files

),

ranges_with_labels as (

    select
        usual_ranges.*,
        funnel_stages.stage_label,
        case
            when usual_ranges.starter_event_name = '(all)' then ''
            else ' after ' || usual_ranges.starter_event_name
        end as after_starter
    from usual_ranges
    left join funnel_stages
        on
            usual_ranges.funnel = funnel_stages.funnel
            and usual_ranges.stage_order = funnel_stages.stage_order
    where usual_ranges.is_beyond

),

alerts_of_all_kinds as (

    select
        measured_date as alert_date,
        measured_date as last_date,
        case when measure = 'step' then 'step_fell' else measure end as kind,
        funnel,
        starter_event_name,
        stage_order,
        stage,
        stage_label,
        count_of,
        count_in,
        measured_value as alert_value,
        usual_value,
        usual_low,
        usual_high,
        standard_errors,
        case measure
            when 'step'
                then
                    funnel || ': ' || {{ percent('measured_value') }} || ' reached '
                    || stage_label || after_starter || '; usually '
                    || {{ percent('usual_value') }} || ', and at least '
                    || {{ percent('usual_low') }}
            else
                {{ percent('measured_value') }} || case measure
                    when 'rejected_rows' then ' of the rows were rejected'
                    when 'late_rows' then ' of the rows were late'
                    else ' of the rows had a name that is not in the settings'
                end || '; usually ' || {{ percent('usual_value') }} || ', and at most '
                || {{ percent('usual_high') }}
        end as title,
        'expected of the ' || count_days || ' days before, by weekday'
            as computed_from
    from ranges_with_labels
    where
        measure = 'step'
        or measured_value >= {{ var('alert_min_share') }}
    union all
    select
        alert_date,
        last_date,
        kind,
        null as funnel,
        null as starter_event_name,
        null as stage_order,
        null as stage,
        null as stage_label,
        count_of,
        null as count_in,
        null as alert_value,
        null as usual_value,
        null as usual_low,
        null as usual_high,
        null as standard_errors,
        title,
        computed_from
    from faults

),

alerts as (

    select
        {{ hash_key([
            'cast(alert_date as string)', 'kind', 'funnel', 'starter_event_name',
            'cast(stage_order as string)',
        ]) }} as alert_id,
        alerts_of_all_kinds.*,
        coalesce(
            alerts_of_all_kinds.last_date >= last_whole_days.last_whole_day, false
        ) as is_current
    from alerts_of_all_kinds
    cross join last_whole_days

)

select * from alerts
