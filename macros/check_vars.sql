{# What a person can get wrong, before any model runs. DuckDB looks at it, for a build on Spark too:
   steps/spark.py asks it first. #}
{% macro check_input() %}
    {% do check_vars() %}
    {% do check_landing() %}
    {% do check_small_zones() %}
    {% do check_settings() %}
{% endmacro %}

{% macro check_vars() %}
    {{ return(adapter.dispatch('check_vars')()) }}
{% endmacro %}

{% macro spark__check_vars() %}
    {% if execute and flags.WHICH in ('run', 'build') and not env_var('DROPOFF_PROJECT', '') %}
        {% do stop('dbt alone runs no Python models on Spark; build with `make build TARGET=spark`.') %}
    {% endif %}
{% endmacro %}

{# Vars that mean nothing stop the build at once, with one sentence. #}
{% macro duckdb__check_vars() %}
    {% if execute %}
        {% set most = 1000000000 %}
        {% set numbers = {
            'future_tolerance_seconds': [0, most],
            'late_after_seconds': [0, most],
            'bot_events_per_hour': [0, most],
            'session_timeout_minutes': [0, most],
            'starter_join_seconds': [0, most],
            'session_open_minutes': [0, most],
            'bounce_under_seconds': [0, most],
            'bounce_max_steps': [0, most],
            'journey_max_steps': [1, 1000],
            'retention_weeks': [1, 1000],
            'min_comparison_sessions': [2, most],
            'journey_shown_steps': [1, 1000],
            'journey_top_events': [1, 1000],
            'journey_top_paths': [1, 1000],
            'shown_users': [1, 1000000],
            'shown_sessions': [1, 1000000],
            'shown_rows_per_user': [1, 1000],
            'shown_steps_per_session': [1, 1000],
            'patterns_fewest': [2, 100],
            'patterns_most': [2, 100],
            'pattern_sample_sessions': [100, 1000000],
            'pattern_target_share': [0, 1],
            'risk_train_share': [0.1, 0.9],
            'min_benchmark_sessions': [2, most],
            'high_impact_share': [0, 1],
            'medium_impact_share': [0, 1],
            'drop_off_step_rate': [0, 1],
            'high_drop_share': [0, 1],
            'display_name_digits': [1, 32],
            'effect_window_minutes': [1, most],
            'alert_wait_minutes': [0, 100000],
            'alert_history_days': [14, 1000],
            'alert_min_days': [14, 1000],
            'alert_min_count': [1, most],
            'alert_false_alarms_per_month': [0.01, 100],
            'alert_min_share': [0, 1],
            'alert_judged_days': [1, 1000],
            'control_share': [0.01, 0.9],
            'feed_stopped_after_seconds': [1, most],
        } %}
        {% set may_be_null = ['session_timeout_minutes', 'starter_join_seconds', 'bounce_max_steps', 'build_clock', 'as_of', 'alert_clock'] %}
        {% for name, bounds in numbers.items() if var(name) is not none or name not in may_be_null %}
            {% do check_number(name, bounds[0], bounds[1]) %}
        {% endfor %}
        {% for name in [
            'display_name_digits', 'journey_max_steps', 'retention_weeks', 'min_comparison_sessions',
            'journey_shown_steps', 'journey_top_events', 'journey_top_paths',
            'shown_users', 'shown_sessions', 'shown_rows_per_user', 'shown_steps_per_session',
            'patterns_fewest', 'patterns_most', 'pattern_sample_sessions', 'min_benchmark_sessions',
            'effect_window_minutes', 'alert_wait_minutes', 'alert_history_days', 'alert_min_days',
            'alert_min_count', 'alert_judged_days',
        ] if var(name) is not integer %}
            {% do stop("The var " ~ name ~ " is '" ~ var(name) ~ "'; it must be a whole number.") %}
        {% endfor %}
        {% for name in ['oldest_event_time', 'build_clock', 'as_of', 'alert_clock'] if var(name) is not none or name not in may_be_null %}
            {% if not run_query('select ' ~ is_written_time(sql_text(var(name) | string)))[0][0] %}
                {% do stop("The var " ~ name ~ " is '" ~ var(name) ~ "', which is no time; write it like 2026-02-16 00:00:00.") %}
            {% endif %}
        {% endfor %}
        {% if not is_time_zone(var('reporting_timezone')) %}
            {% do stop("The var reporting_timezone is '" ~ var('reporting_timezone') ~ "', which is no time zone; write an IANA name like Asia/Kolkata.") %}
        {% endif %}
        {% for name in ['show_user_ids', 'refit', 'exclude_bots'] if var(name) is not boolean %}
            {% do stop("The var " ~ name ~ " is '" ~ var(name) ~ "'; it must be true or false.") %}
        {% endfor %}
        {% set levels = var('intervention_levels') %}
        {% if levels is string or levels is mapping or levels is not iterable or levels | reject('in', ['HIGH', 'MEDIUM']) | list %}
            {% do stop("The var intervention_levels is '" ~ levels ~ "'; write it like [HIGH, MEDIUM].") %}
        {% endif %}
        {% if var('patterns_fewest') > var('patterns_most') %}
            {% do stop("The var patterns_fewest is " ~ var('patterns_fewest') ~ ", which is more than patterns_most, " ~ var('patterns_most') ~ ".") %}
        {% endif %}
        {% if var('alert_min_days') > var('alert_history_days') %}
            {% do stop("The var alert_min_days is " ~ var('alert_min_days') ~ ", which is more than alert_history_days, " ~ var('alert_history_days') ~ ".") %}
        {% endif %}
        {% set memory = modules.re.fullmatch('([0-9]{1,6}([.][0-9]+)?) ?([KMGT])i?B', var('memory_limit') | string) %}
        {% if not memory %}
            {% do stop("The var memory_limit is '" ~ var('memory_limit') ~ "'; write it like 4GB.") %}
        {% elif memory[1] | float * {'K': 0.001, 'M': 1, 'G': 1000, 'T': 1000000}[memory[3]] < 100 %}
            {% do stop("The var memory_limit is '" ~ var('memory_limit') ~ "'; it must be 100MB or more.") %}
        {% endif %}
        {% if run_query("select current_setting('TimeZone')")[0][0] != 'UTC' %}
            {% do stop("The connection's time zone is not UTC, by which times are read; write settings: {TimeZone: UTC} into the profile, as dropoff's profiles.yml has it.") %}
        {% endif %}
        {% if var('events_relation') is not none and not is_relation_name(var('events_relation')) %}
            {% do stop("The var events_relation is '" ~ var('events_relation') ~ "'; write the name of a model, or of a source like shop.events.") %}
        {% endif %}
        {% if var('settings_folder') is not none and (var('settings_folder') is not string or not var('settings_folder')) %}
            {% do stop("The var settings_folder is '" ~ var('settings_folder') ~ "'; write the path of a folder.") %}
        {% endif %}
        {% if var('event_columns') is not mapping %}
            {% do stop("The var event_columns is '" ~ var('event_columns') ~ "'; write it like {user_id: distinct_id}.") %}
        {% endif %}
        {% do check_event_columns('event_columns', var('event_columns')) %}
        {% if var('event_formats') is not mapping or var('event_formats').values() | reject('mapping') | list %}
            {% do stop("The var event_formats is '" ~ var('event_formats') ~ "'; write it like {shop: {user_id: who}}.") %}
        {% endif %}
        {% if var('event_format') is not none and (var('event_format') is not string or var('event_format') not in var('event_formats')) %}
            {% do stop("The var event_format is '" ~ var('event_format') ~ "', which is none of " ~ var('event_formats') | map('string') | sort | join(', ') ~ '.') %}
        {% elif var('event_format') is not none %}
            {% do check_event_columns('event_formats', var('event_formats')[var('event_format')]) %}
        {% endif %}
    {% endif %}
{% endmacro %}

{# where our columns come from: a name, {column, unit, format, timezone}, or a list of those #}
{% macro check_event_columns(var_name, columns) %}
    {% for name, landed in columns.items() %}
        {% set what = "The var " ~ var_name ~ " maps " ~ name ~ " to '" ~ landed ~ "', " %}
        {% if name not in event_column_names() %}
            {% do stop("The var " ~ var_name ~ " maps '" ~ name ~ "', which is none of " ~ event_column_names() | join(', ') ~ '.') %}
        {% elif not as_list(landed) %}
            {% do stop(what ~ 'which names no column; write it like {user_id: [user_id, anonymous_id]}.') %}
        {% endif %}
        {% for source in as_list(landed) %}
            {% set source = source if source is mapping else {'column': source} %}
            {% set unknown = source.keys() | reject('in', ['column', 'unit', 'format', 'timezone']) | list %}
            {% if source.column is not string or not source.column %}
                {% do stop(what ~ "which is no column's name; write it like {user_id: distinct_id}.") %}
            {% elif unknown %}
                {% do stop(what ~ "where '" ~ unknown[0] ~ "' is none of column, unit, format, timezone.") %}
            {% elif name not in ['event_time', 'received_at'] and source | length > 1 %}
                {% do stop(what ~ 'but only event_time and received_at have a unit, a format or a time zone.') %}
            {% elif source.unit is defined and source.unit not in ['s', 'ms', 'us', 'ns'] %}
                {% do stop(what ~ "where the unit '" ~ source.unit ~ "' is none of s, ms, us, ns.") %}
            {% elif source.unit is defined and source.format is defined %}
                {% do stop(what ~ 'which has a unit and a format; a time is written in one of them.') %}
            {% elif source.format is defined and not is_time_format(source.format) %}
                {% do stop(what ~ "where '" ~ source.format ~ "' is no format of a time; write it like '%d.%m.%Y %H:%M:%S'.") %}
            {% elif source.timezone is defined and not is_time_zone(source.timezone) %}
                {% do stop(what ~ "where '" ~ source.timezone ~ "' is no time zone; write an IANA name like Asia/Kolkata.") %}
            {% endif %}
        {% endfor %}
    {% endfor %}
{% endmacro %}

{# as strptime reads it #}
{% macro is_time_format(text) %}
    {{ return('%' in text | string and modules.re.fullmatch('([^%]|%(-?[dmyHIMSj]|[aAbBpYgfnz%]))+', text | string) is not none) }}
{% endmacro %}

{% macro is_time_zone(name) %}
    {{ return(run_query('select 1 from pg_timezone_names() where name = ' ~ sql_text(name | string)) | length > 0) }}
{% endmacro %}

{# a date or a time, with an offset or without; the cast alone takes infinity and epoch #}
{% macro is_written_time(text) -%}
    regexp_full_match({{ text }}, '\d{4}-\d{2}-\d{2}([T ][0-9:.]+ ?(Z|[+-][0-9:]+|[A-Za-z_/]+)?)?')
    and try_cast({{ text }} as timestamptz) is not null
{%- endmacro %}

{% macro event_column_names() %}
    {{ return(['event_id', 'user_id', 'event_name', 'event_time', 'received_at', 'platform', 'app_version', 'city']) }}
{% endmacro %}

{% macro check_number(name, low, high) %}
    {% set value = var(name) %}
    {# so that not-a-number, which compares with nothing, fails too #}
    {% if value is not number or value is boolean or not (low <= value <= high) %}
        {% do stop("The var " ~ name ~ " is '" ~ value ~ "'; it must be a number from " ~ low ~ " to " ~ high ~ ".") %}
    {% endif %}
{% endmacro %}

{% macro landing() -%}
    {{ '' if var('events_relation') else env_var('DROPOFF_EVENTS', 'landing/events') }}
{%- endmacro %}

{# the ledger of interventions: any app may have one, and the demo has #}
{% macro interventions() -%}
    {{ env_var('DROPOFF_INTERVENTIONS', 'landing/interventions' if landing() == 'landing/events' else '') }}
{%- endmacro %}

{# who is whom: anonymous ids of people who are known by now #}
{% macro identities() -%}
    {{ env_var('DROPOFF_IDENTITIES', '') }}
{%- endmacro %}

{# a folder that is not there or empty is a ledger without assignments; a glob or a file that
   finds nothing is a wrong setting; and so with identities #}
{% macro check_small_zones() %}
    {{ return(adapter.dispatch('check_small_zones')()) }}
{% endmacro %}

{% macro spark__check_small_zones() %}
{% endmacro %}

{% macro duckdb__check_small_zones() %}
    {% do check_small_zone(interventions(), 'DROPOFF_INTERVENTIONS', 'there is no ledger') %}
    {% do check_small_zone(identities(), 'DROPOFF_IDENTITIES', 'nobody has two ids') %}
{% endmacro %}

{% macro check_small_zone(zone, name, nothing) %}
    {% set is_no_folder = modules.re.search('[*?[]|[.](parquet|csv|ndjson|jsonl|json)([.](gz|zst))?$', zone) %}
    {% if execute and is_no_folder and not is_file_there(zone) %}
        {% do stop(
            "No file matches '" ~ zone ~ "'; set " ~ name ~ " to a folder or a glob of parquet, ndjson or csv files, or to nothing where " ~ nothing ~ "."
        ) %}
    {% endif %}
{% endmacro %}

{# a landing zone in which nothing lies is a wrong setting; an empty file is not #}
{% macro check_landing() %}
    {{ return(adapter.dispatch('check_landing')()) }}
{% endmacro %}

{% macro spark__check_landing() %}
{% endmacro %}

{% macro duckdb__check_landing() %}
    {% if execute and not var('events_relation') and not is_file_there(landing()) %}
        {% do stop(
            "No landing file matches '" ~ landing() ~ "'; set DROPOFF_EVENTS to a folder or a glob of parquet, ndjson or csv files, or run `make land` for the demo."
        ) %}
    {% endif %}
{% endmacro %}

{# a glob's files, or a folder's and those below it; DuckDB takes ** once in a path, and its glob()
   stops at a name that is not UTF-8 #}
{% macro is_file_there(landing) %}
    {% set query = 'select 1 from read_blob(' ~ sql_text(landing) ~ ', allow_empty = true)' %}
    {% if '**' not in landing %}
        {% set below = sql_text(name_as_pattern(landing) ~ '/**') %}
        {% set query = query ~ ' union all select 1 from read_blob(' ~ below ~ ', allow_empty = true)' %}
    {% endif %}
    {{ return(run_query(query ~ ' limit 1') | length > 0) }}
{% endmacro %}

{# what DuckDB holds before it spills to disk; Spark is told in profiles.yml, and a project that uses
   this one as a package says itself what its connection may take #}
{% macro set_memory_limit() %}
    {{ return(adapter.dispatch('set_memory_limit')()) }}
{% endmacro %}

{% macro duckdb__set_memory_limit() -%}
    {%- if project_name == 'dropoff' -%}
        set memory_limit = '{{ var('memory_limit') }}'
    {%- endif -%}
{%- endmacro %}

{% macro spark__set_memory_limit() %}
{% endmacro %}
