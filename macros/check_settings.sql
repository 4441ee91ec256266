{# Settings that contradict themselves stop the build before any model runs: one sentence
   that names the file and its line. Each rule is one select of settings_problems. #}

{% macro settings_files() %}
    {{ return({
        'event_types': ['event_name', 'role', 'label'],
        'funnels': ['funnel', 'is_primary', 'order_mode', 'conversion_window_seconds', 'starters'],
        'funnel_stages': ['funnel', 'phase', 'stage_order', 'stage', 'label', 'event_name', 'outcome'],
        'playbook': ['stage', 'stuck_after_seconds', 'suggestion', 'intervention'],
    }) }}
{% endmacro %}

{# a folder may be without them #}
{% macro optional_settings_files() %}
    {{ return({'annotations': ['date', 'label', 'kind']}) }}
{% endmacro %}

{% macro optional_settings_columns() %}
    {{ return({'funnel_stages': ['result_label'], 'annotations': ['link']}) }}
{% endmacro %}

{% macro settings_columns(name) %}
    {{ return((settings_files()[name] or optional_settings_files()[name]) + optional_settings_columns().get(name, [])) }}
{% endmacro %}

{# as models/staging/_sources.yml has it #}
{% macro settings_path(name) -%}
    {{ (var('settings_folder') or env_var('DROPOFF_SEEDS', 'seeds')).rstrip('/') }}/{{ name }}.csv
{%- endmacro %}

{% macro count_settings_files(name) %}
    {{ return(adapter.dispatch('count_settings_files')(name)) }}
{% endmacro %}

{% macro duckdb__count_settings_files(name) %}
    {{ return(run_query('select count(*) from glob(' ~ sql_text(settings_path(name)) ~ ')')[0][0]) }}
{% endmacro %}

{% macro spark__count_settings_files(name) %}
    {% set path = absolute_path(settings_path(name)) %}
    {% set folder = name_as_pattern(path.rpartition('/')[0]) | replace('`', '``') %}
    {{ return(run_query('select count(*) from binaryFile.`' ~ folder ~ "/*.csv` where endswith(path, '/" ~ name ~ ".csv')")[0][0]) }}
{% endmacro %}

{# a source whose file may be missing: then its columns without rows #}
{% macro optional_source(relation) -%}
    {%- set name = relation.identifier -%}
    {%- if not execute or count_settings_files(name) -%}
        {{ relation }}
    {%- else -%}
        (
            select
                {%- for column in settings_columns(name) %}
                cast(null as string) as {{ column }}{{ "," if not loop.last }}
                {%- endfor %}
            where false
        )
    {%- endif -%}
{%- endmacro %}

{% macro optional_column(relation, column) -%}
    {%- set found = [] -%}
    {%- if execute -%}
        {%- for row in run_query('describe select * from ' ~ relation) if row[0] == column -%}
            {%- do found.append(row[0]) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ column if found else 'cast(null as string)' }}
{%- endmacro %}

{% macro check_settings() %}
    {{ return(adapter.dispatch('check_settings')()) }}
{% endmacro %}

{# DuckDB has read and checked the files, see check_input; Spark reads them where they lie #}
{% macro spark__check_settings() %}
    {% if execute %}
        {% do run_query('create schema if not exists settings') %}
        {% set names = settings_files().keys() | list + optional_settings_files().keys() | list %}
        {% for name in names if count_settings_files(name) %}
            {% do run_query('drop table if exists settings.' ~ name) %}
            {% do run_query(
                'create table settings.' ~ name ~ ' using csv options (path ' ~ sql_text(absolute_path(settings_path(name)))
                ~ ", header true, multiLine true, quote '\"', escape '\"')"
            ) %}
        {% endfor %}
    {% endif %}
{% endmacro %}

{% macro duckdb__check_settings() %}
    {% if execute %}
        {% set files = {} %}
        {% for name, columns in settings_files().items() %}
            {% do files.update({name: settings_file(name, columns)}) %}
        {% endfor %}
        {% for name, columns in optional_settings_files().items() %}
            {% do files.update({
                name: settings_file(name, columns) if count_settings_files(name) else {'columns': columns, 'records': []}
            }) %}
        {% endfor %}
        {% for row in run_query(settings_problems(files)) %}
            {% do stop(settings_path(row[0]) ~ (', line ' ~ row[1] if row[1] else '') ~ ': ' ~ row[2]) %}
        {% endfor %}
    {% endif %}
{% endmacro %}

{# what a build checks before all else, for whoever wants to know it without building #}
{% macro check_settings_and_vars() %}
    {% do check_vars() %}
    {% do check_settings() %}
{% endmacro %}

{# {columns: [name, ...], records: [[line, [field, ...]], ...]}: there, readable, with its
   columns once each, and every record as long as the header #}
{% macro settings_file(name, columns) %}
    {% set path = settings_path(name) %}
    {% set records = csv_records(path, settings_text(name, columns)) %}
    {% if records[0][0] != 1 %}
        {% do stop(path ~ ', line 1: the line is blank; it must be ' ~ columns | join(',') ~ '.') %}
    {% endif %}
    {% set header = records[0][1] %}
    {% set names = header | map('trim') | map('lower') | list %}
    {% for column in columns if column not in header %}
        {% do stop(path ~ ', line 1: the column ' ~ column ~ ' is missing; the first line names the columns, with commas between.') %}
    {% endfor %}
    {% for column in columns + optional_settings_columns().get(name, []) if names.count(column) > 1 %}
        {% do stop(path ~ ', line 1: the column ' ~ column ~ ' is there twice.') %}
    {% endfor %}
    {% for line, fields in records if fields | length != header | length %}
        {% do stop(
            path ~ ', line ' ~ line ~ ': ' ~ fields | length ~ ' field' ~ ('s' if fields | length > 1)
            ~ ' where the header has ' ~ header | length ~ '.'
        ) %}
    {% endfor %}
    {{ return({'columns': header, 'records': records[1:]}) }}
{% endmacro %}

{# the text of a settings file; a letter before it, or dbt makes a number of what looks like one #}
{% macro settings_text(name, columns) %}
    {% set path = settings_path(name) %}
    {% set count_files = count_settings_files(name) %}
    {% if count_files == 0 %}
        {% do stop(path ~ ' is missing; a settings folder has ' ~ settings_files().keys() | join('.csv, ') ~ '.csv.') %}
    {% elif count_files > 1 %}
        {% do stop(path ~ ' is ' ~ count_files ~ ' files; DROPOFF_SEEDS must name one folder.') %}
    {% endif %}
    {% set content = run_query("select 't' || coalesce(try(decode(content)), chr(0)) from read_blob(" ~ sql_text(path) ~ ')')[0][0] %}
    {% if '\0' in content %}
        {% do stop(
            path ~ ', line ' ~ run_query(first_line_that_is_no_text(path))[0][0]
            ~ ': this is not UTF-8 text; save the file as CSV in UTF-8.'
        ) %}
    {% elif not content[1:].removeprefix('\ufeff').strip() %}
        {% do stop(path ~ ' is empty; its first line must be ' ~ columns | join(',') ~ '.') %}
    {% endif %}
    {{ return(content[1:].removeprefix('\ufeff')) }}
{% endmacro %}

{# bytes cannot be cut at line breaks, their hex digits can #}
{% macro first_line_that_is_no_text(path) %}
    select min(line_number)
    from unnest(string_split(regexp_replace(
        (select hex(content) from read_blob({{ sql_text(path) }})), '(..)', '\1 ', 'g'
    ), '0A ')) with ordinality as lines(line, line_number)
    where try(decode(unhex(replace(line, ' ', '')))) is null or concat(' ', line) like '% 00 %'
{% endmacro %}

{# The records of a CSV text (RFC 4180), each with the line it begins in; blank lines count as
   lines, not as records, and so do line breaks within quotes. #}
{% macro csv_records(path, content) %}
    {% set records = [] %}
    {% set at = namespace(position=0, line=1, record_position=0, record_line=1, fields=[]) %}
    {% for field in modules.re.finditer('("[^"]*(?:""[^"]*)*"|[^",\r\n]*)(,|\r\n|\r|\n|$)', content) %}
        {% if field.start() != at.position %}
            {% do stop(
                path ~ ', line ' ~ at.line
                ~ ': a quote is out of place; put the whole field in quotes and double those within.'
            ) %}
        {% endif %}
        {% set text = field.group(1) %}
        {% do at.fields.append(text[1:-1].replace('""', '"') if text.startswith('"') else text) %}
        {% set at.position = field.end() %}
        {% set at.line = at.line + modules.re.findall('\r\n|\r|\n', field.group()) | length %}
        {% if field.group(2) != ',' %}
            {% if field.end(1) > at.record_position %}
                {% do records.append([at.record_line, at.fields]) %}
            {% endif %}
            {% set at.record_position = at.position %}
            {% set at.record_line = at.line %}
            {% set at.fields = [] %}
        {% endif %}
    {% endfor %}
    {{ return(records) }}
{% endmacro %}

{# our columns of a settings file as rows with their line; an empty field is null #}
{% macro settings_rows(files, name) -%}
    {%- set file = files[name] -%}
    {%- set columns = settings_columns(name) -%}
    (
        select
            cast(null as integer) as line_number
            {%- for column in columns %},
            cast(null as string) as {{ column }}
            {%- endfor %}
        where false
        {%- if file.records %}
        union all
        values
        {%- for line, fields in file.records %}
        ({{ line }}
            {%- for column in columns -%}
                {%- set value = fields[file.columns.index(column)] if column in file.columns -%}
                , {{ sql_text(value) if value else 'null' }}
            {%- endfor -%}
        ){{ "," if not loop.last }}
        {%- endfor %}
        {%- endif %}
    )
{%- endmacro %}

{# the first contradiction, as (file, line or null, sentence); no row where there is none #}
{% macro settings_problems(files) %}
with

event_types as (
    select
        *,
        first_value(line_number) over (partition by event_name order by line_number) as first_line_number
    from {{ settings_rows(files, 'event_types') }}
),

funnels as (
    select
        *,
        first_value(line_number) over (partition by funnel order by line_number) as first_line_number,
        count(case when lower(is_primary) = 'true' then 1 end) over (order by line_number) as count_primary
    from {{ settings_rows(files, 'funnels') }}
),

stages as (
    select
        *,
        coalesce(outcome, '') as stage_outcome,
        coalesce(result_label, '') as stage_result_label,
        case when regexp_full_match(stage_order, '[0-9]+') then try_cast(stage_order as integer) end as stage_number
    from {{ settings_rows(files, 'funnel_stages') }}
),

stages_beside_first as (
    select
        *,
        first_value(stage_number) over same_stage as first_number,
        first_value(phase) over same_stage as first_phase,
        first_value(label) over same_stage as first_label,
        first_value(stage_outcome) over same_stage as first_outcome,
        first_value(stage_result_label) over same_stage as first_result_label,
        first_value(line_number) over same_event as event_line_number,
        first_value(stage) over same_event as event_stage,
        first_value(stage) over (partition by funnel, stage_number order by line_number) as number_stage,
        first_value(stage) over (partition by funnel, stage_outcome order by line_number) as outcome_stage,
        dense_rank() over (partition by funnel order by stage_number) as expected_number
    from stages
    window
        same_stage as (partition by funnel, stage order by line_number),
        same_event as (partition by funnel, event_name order by line_number)
),

starters as (
    select
        line_number,
        unnest(string_split(starters, '|')) as starter
    from funnels
    where starters != '(all)'
),

playbook as (
    select
        *,
        first_value(line_number) over (partition by stage order by line_number) as first_line_number
    from {{ settings_rows(files, 'playbook') }}
),

annotations as (
    select
        *,
        first_value(line_number) over (partition by date, label order by line_number) as first_line_number
    from {{ settings_rows(files, 'annotations') }}
),

problems as (
    select 1 as file_order, 'event_types' as file_name, line_number, 'the event_name is missing.' as sentence
    from event_types where event_name is null
    union all
    select 1, 'event_types', line_number, format('the event ''{}'' is listed twice (first on line {}).', event_name, first_line_number)
    from event_types where event_name is not null and line_number > first_line_number
    union all
    select 1, 'event_types', line_number, format('the role ''{}'' is none of starter, step, telemetry, ambient.', coalesce(role, ''))
    from event_types where role is null or role not in ('starter', 'step', 'telemetry', 'ambient')
    union all
    select 2, 'funnels', line_number, 'the funnel''s name is missing.'
    from funnels where funnel is null
    union all
    select 2, 'funnels', line_number, format('the funnel ''{}'' is listed twice (first on line {}).', funnel, first_line_number)
    from funnels where funnel is not null and line_number > first_line_number
    union all
    select 2, 'funnels', line_number, format('is_primary ''{}'' is neither true nor false.', coalesce(is_primary, ''))
    from funnels where lower(is_primary) is null or lower(is_primary) not in ('true', 'false')
    union all
    select 2, 'funnels', line_number, format('the funnel ''{}'' is a second primary funnel; exactly one is.', funnel)
    from funnels where lower(is_primary) = 'true' and count_primary > 1
    union all
    select 2, 'funnels', null, 'no funnel is primary; set is_primary to true for exactly one.'
    from (select coalesce(max(count_primary), 0) as count_primary from funnels) where count_primary = 0
    union all
    select 2, 'funnels', line_number, format('the order_mode ''{}'' is neither ordered nor any_order.', coalesce(order_mode, ''))
    from funnels where order_mode is null or order_mode not in ('ordered', 'any_order')
    union all
    select 2, 'funnels', line_number, format('conversion_window_seconds ''{}'' is not a positive number.', conversion_window_seconds)
    from funnels where conversion_window_seconds is not null and not {{ is_positive_number('conversion_window_seconds') }}
    union all
    select 2, 'funnels', line_number, 'starters is missing; name them, joined by |, or write (all).'
    from funnels where starters is null
    union all
    select 2, 'funnels', starters.line_number, format('''{}'' is no starter in event_types.csv.', starters.starter)
    from starters
    where starters.starter not in (select event_name from event_types where role = 'starter' and event_name is not null)
    union all
    select 3, 'funnel_stages', line_number, format('the funnel ''{}'' is not in funnels.csv.', coalesce(funnel, ''))
    from stages where funnel is null or funnel not in (select funnel from funnels where funnel is not null)
    union all
    select 3, 'funnel_stages', line_number, format('the {} is missing.', case when stage is null then 'stage' when event_name is null then 'event_name' when label is null then 'label' else 'phase' end)
    from stages where stage is null or event_name is null or label is null or phase is null
    union all
    select 3, 'funnel_stages', line_number, format('the stage_order ''{}'' is not a whole number from 1.', coalesce(stage_order, ''))
    from stages where stage_number is null or stage_number < 1
    union all
    select 3, 'funnel_stages', line_number, format('the outcome ''{}'' is neither empty, conversion nor completion.', outcome)
    from stages where outcome is not null and outcome not in ('conversion', 'completion')
    union all
    select 3, 'funnel_stages', line_number, case
        when event_stage = stage then format('the event ''{}'' is listed twice in the funnel ''{}'' (first on line {}).', event_name, funnel, event_line_number)
        else format('the event ''{}'' is in two stages of the funnel ''{}'' (first on line {}).', event_name, funnel, event_line_number)
    end
    from stages_beside_first where event_name is not null and line_number > event_line_number
    union all
    select 3, 'funnel_stages', line_number, format('the stage ''{}'' has two {}.', stage, case
        when stage_number is distinct from first_number then 'orders'
        when phase is distinct from first_phase then 'phases'
        when label is distinct from first_label then 'labels'
        when stage_outcome != first_outcome then 'outcomes'
        else 'result labels'
    end)
    from stages_beside_first
    where
        stage_number is distinct from first_number
        or phase is distinct from first_phase
        or label is distinct from first_label
        or stage_outcome != first_outcome
        or stage_result_label != first_result_label
    union all
    select 3, 'funnel_stages', line_number, format('the stage_order {} of the funnel ''{}'' is already that of the stage ''{}''.', stage_order, funnel, number_stage)
    from stages_beside_first where stage_number is not null and stage != number_stage
    union all
    select 3, 'funnel_stages', min(line_number), format('the stage orders of the funnel ''{}'' have a hole before {}.', funnel, min_by(stage_order, line_number))
    from stages_beside_first
    where
        stage_number >= 1
        and (funnel, stage_number) in (
            select (funnel, min(stage_number)) from stages_beside_first where stage_number != expected_number group by funnel
        )
    group by funnel
    union all
    select 3, 'funnel_stages', line_number, format('the funnel ''{}'' has two stages with the outcome {}.', funnel, outcome)
    from stages_beside_first where outcome is not null and stage != outcome_stage
    union all
    select 3, 'funnel_stages', null, format('the funnel ''{}'' has no stages.', funnel)
    from funnels where funnel not in (select funnel from stages where funnel is not null)
    union all
    select 3, 'funnel_stages', null, format('the primary funnel ''{}'' has no conversion stage.', funnel)
    from funnels
    where lower(is_primary) = 'true' and funnel not in (select funnel from stages where outcome = 'conversion' and funnel is not null)
    union all
    select 4, 'playbook', line_number, format('the stage ''{}'' is in no funnel.', coalesce(stage, ''))
    from playbook where stage is null or stage not in (select stage from stages where stage is not null)
    union all
    select 4, 'playbook', line_number, format('the stage ''{}'' is listed twice (first on line {}).', stage, first_line_number)
    from playbook where stage is not null and line_number > first_line_number
    union all
    select 4, 'playbook', line_number, format('stuck_after_seconds ''{}'' is not a positive number.', coalesce(stuck_after_seconds, ''))
    from playbook where stuck_after_seconds is null or not {{ is_positive_number('stuck_after_seconds') }}
    union all
    select 5, 'annotations', line_number, format('the date ''{}'' is no day; write it like 2026-01-31.', coalesce(date, ''))
    from annotations
    where date is null or not regexp_full_match(date, '[0-9]{4}-[0-9]{2}-[0-9]{2}') or try_cast(date as date) is null
    union all
    select 5, 'annotations', line_number, 'the label is missing.'
    from annotations where label is null
    union all
    select 5, 'annotations', line_number, format('the kind ''{}'' is none of release, campaign, experiment, incident, other.', coalesce(kind, ''))
    from annotations where kind is null or kind not in ('release', 'campaign', 'experiment', 'incident', 'other')
    union all
    select 5, 'annotations', line_number, format('the link ''{}'' does not begin with https://, http:// or /.', link)
    from annotations where link is not null and not regexp_matches(link, '^(https?://[^/]|/([^/\\]|$))')
    union all
    select 5, 'annotations', line_number, format('''{}'' is listed twice for {} (first on line {}).', label, date, first_line_number)
    from annotations where label is not null and date is not null and line_number > first_line_number
)

select
    file_name,
    line_number,
    sentence
from problems
order by file_order, line_number nulls last, sentence
limit 1
{% endmacro %}

{# in digits: the cast alone takes 1_000, white space around and inf #}
{% macro is_positive_number(text) -%}
    (
        not regexp_matches({{ text }}, '[^0-9.eE+-]')
        and coalesce(isfinite(try_cast({{ text }} as double)) and try_cast({{ text }} as double) > 0, false)
    )
{%- endmacro %}
