{# Builds: may this one redo only what changed? An incremental build trusts what the last one
   left, so the last one must have ended well and been of the same project, settings and vars;
   staging.builds says so. Where it does not, everything is built anew. A build that was killed
   never got to say that it had ended. #}

{% macro builds_relation() %}
    {{ return(relation_of('base_app__files').incorporate(path={'identifier': 'builds'})) }}
{% endmacro %}

{# where a model of this project is, whatever project uses it. While dbt parses, and in a unit test,
   nobody knows, and any answer does #}
{% macro relation_of(model_name) %}
    {% set node = (graph.get('nodes') or {}).get('model.dropoff.' ~ model_name) if execute else none %}
    {{ return(api.Relation.create(
        database=(node.database if node else target.database) or none,
        schema=node.schema if node else 'staging',
        identifier=node.alias if node else model_name
    )) }}
{% endmacro %}

{% macro begin_build() %}
    {% if execute and lists_landing_files() %}
        {% do run_query('create schema if not exists ' ~ builds_relation().without_identifier()) %}
        {% do run_query(
            'create table if not exists ' ~ builds_relation() ~ ' ('
            ~ 'build_number integer, is_incremental boolean, is_finished boolean, '
            ~ 'build_clock timestamp, fingerprint string, refits boolean)'
        ) %}
        {% do complete_builds() %}
        {% set query %}
            insert into {{ builds_relation() }}
            select
                coalesce(max(build_number), 0) + 1 as build_number,
                {{ not flags.FULL_REFRESH }}
                and coalesce(max_by(is_finished and fingerprint = '{{ project_fingerprint() }}', build_number), false)
                    as is_incremental,
                false as is_finished,
                {{ build_clock() }} as build_clock,
                '{{ project_fingerprint() }}' as fingerprint,
                {{ flags.FULL_REFRESH or var('refit') }} as refits
            from {{ builds_relation() }}
        {% endset %}
        {% do run_query(query) %}
    {% endif %}
{% endmacro %}

{% macro end_build(results) %}
    {% if execute and lists_landing_files() %}
        {% set built = results | selectattr('status', 'equalto', 'success') | map(attribute='node.unique_id') | list %}
        {% set missing = project_models() | map(attribute='unique_id') | reject('in', built) | list %}
        {% if not missing %}
            {% do finish_build() %}
        {% endif %}
    {% endif %}
{% endmacro %}

{# of a version that fitted nothing #}
{% macro complete_builds() %}
    {{ return(adapter.dispatch('complete_builds')()) }}
{% endmacro %}

{% macro duckdb__complete_builds() %}
    {% do run_query('alter table ' ~ builds_relation() ~ ' add column if not exists refits boolean') %}
{% endmacro %}

{% macro spark__complete_builds() %}
{% endmacro %}

{% macro finish_build() %}
    {{ return(adapter.dispatch('finish_build')()) }}
{% endmacro %}

{% macro duckdb__finish_build() %}
    {% do run_query('update ' ~ builds_relation() ~ ' set is_finished = true where build_number = (select max(build_number) from ' ~ builds_relation() ~ ')') %}
{% endmacro %}

{# a table of parquet files is not updated, but made anew #}
{% macro spark__finish_build() %}
    {% set rows %}
        select
            build_number,
            is_incremental,
            is_finished or build_number = {{ this_build_number() }} as is_finished,
            build_clock,
            fingerprint,
            refits
        from {{ builds_relation() }}
    {% endset %}
    {% do replace_table(builds_relation(), rows) %}
{% endmacro %}

{# a run of some models that does not look at the landing zone again does once more what the
   last build did, and leaves its word standing #}
{% macro lists_landing_files() %}
    {{ return(flags.WHICH in ('run', 'build') and 'model.dropoff.base_app__files' in selected_resources) }}
{% endmacro %}

{% macro project_models() %}
    {{ return(graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') | selectattr('package_name', 'equalto', 'dropoff') | list) }}
{% endmacro %}

{# what the rows depend on beside the landing zone; the clock and as_of are looked at row by row #}
{% macro project_fingerprint() %}
    {% set parts = [env_var('DROPOFF_SALT', 'dropoff'), dbt_version] %}
    {% for name in project_vars() %}{% do parts.append(name ~ '=' ~ var(name)) %}{% endfor %}
    {% for node in project_models() | sort(attribute='unique_id') %}
        {% do parts.append(node.unique_id ~ '=' ~ node.checksum.checksum) %}
    {% endfor %}
    {% do parts.append(files_and_version()) %}
    {{ return(local_md5(parts | join('\n'))) }}
{% endmacro %}

{# the settings and the macros as one text, and the engine's version. dbt works in the folder of the
   project that it runs #}
{% macro files_and_version() %}
    {% set packages = env_var('DBT_PACKAGES_INSTALL_PATH', 'dbt_packages') %}
    {% set folder = '' if project_name == 'dropoff' else packages ~ '/dropoff/' %}
    {{ return(adapter.dispatch('files_and_version')(folder ~ 'macros')) }}
{% endmacro %}

{% macro duckdb__files_and_version(macros_folder) %}
    {% set own_macros = name_as_pattern(macros_folder) ~ '/*.sql' %}
    {% set query %}
        select version() || coalesce(string_agg(filename || content, '' order by filename), '')
        from read_text([
            {% for name in settings_files() %}{{ sql_text(settings_path(name)) }}, {% endfor %}
            {{ sql_text(own_macros) }}
        ])
    {% endset %}
    {# packages lie elsewhere: nobody knows whether a macro changed #}
    {% set are_there = run_query('select 1 from glob(' ~ sql_text(own_macros) ~ ')') | length %}
    {{ return(run_query(query)[0][0] if are_there else invocation_id) }}
{% endmacro %}

{% macro spark__files_and_version(macros_folder) %}
    {% set names = [name_as_pattern(absolute_path(macros_folder))[1:] ~ '/*.sql'] %}
    {% for name in settings_files() %}{% do names.append(name_as_pattern(absolute_path(settings_path(name)))[1:]) %}{% endfor %}
    {% set query %}
        select version() || listagg(path || string(content), '') within group (order by path)
        from binaryFile.`/{{ '{' ~ names | join(',') ~ '}' }}`
    {% endset %}
    {{ return(run_query(query)[0][0]) }}
{% endmacro %}

{# Spark looks for no file in the folder that it was started in; steps/spark.py says where that is #}
{% macro absolute_path(path) %}
    {{ return(path if path.startswith('/') else env_var('DROPOFF_PROJECT', '') ~ '/' ~ path) }}
{% endmacro %}

{% macro project_vars() %}
    {{ return([
        'events_relation', 'settings_folder', 'event_format', 'event_formats', 'event_columns', 'oldest_event_time', 'future_tolerance_seconds', 'late_after_seconds',
        'bot_events_per_hour', 'exclude_bots',
        'session_timeout_minutes', 'starter_join_seconds', 'reporting_timezone',
        'session_open_minutes', 'bounce_under_seconds', 'bounce_max_steps',
        'journey_max_steps', 'retention_weeks', 'min_comparison_sessions',
        'effect_window_minutes',
        'journey_shown_steps', 'journey_top_events', 'journey_top_paths',
        'shown_users', 'shown_sessions', 'shown_rows_per_user', 'shown_steps_per_session',
        'patterns_fewest', 'patterns_most', 'pattern_sample_sessions', 'pattern_target_share',
        'risk_train_share', 'min_benchmark_sessions', 'high_impact_share', 'medium_impact_share',
        'alert_wait_minutes', 'alert_history_days', 'alert_min_days', 'alert_min_count',
        'alert_false_alarms_per_month', 'alert_min_share', 'alert_judged_days',
        'drop_off_step_rate', 'high_drop_share', 'display_name_digits', 'show_user_ids',
    ]) }}
{% endmacro %}

{# Is this model redone in part? Unit tests see it whole. #}
{% macro is_incremental_build() %}
    {% if not execute or model.resource_type == 'unit_test' or flags.WHICH not in ('run', 'build') %}
        {{ return(false) }}
    {% endif %}
    {{ return(run_query('select max_by(is_incremental, build_number) from ' ~ builds_relation())[0][0]) }}
{% endmacro %}

{# dbt asks this of every incremental model #}
{% macro should_full_refresh() %}
    {{ return(not is_incremental_build()) }}
{% endmacro %}

{# A model as the last build left it. A ref would be a circle: what reads this runs before that
   model is redone, and that model refs it. #}
{% macro before_this_build(model_name) %}
    {{ return(relation_of(model_name)) }}
{% endmacro %}

{# the clock that the last build judged by #}
{% macro last_build_clock() -%}
    (
        select max_by(build_clock, build_number)
        from {{ builds_relation() }}
        where build_number < (select max(build_number) from {{ builds_relation() }})
    )
{%- endmacro %}

{% macro this_build_number() -%}
    (select max(build_number) from {{ builds_relation() }})
{%- endmacro %}

{# the same as a number, which tells DuckDB what to leave unread #}
{% macro number_of_this_build() %}
    {% if not execute or model.resource_type == 'unit_test' or flags.WHICH not in ('run', 'build') %}
        {{ return(0) }}
    {% endif %}
    {{ return(run_query('select ' ~ this_build_number())[0][0]) }}
{% endmacro %}

{# of base_app__files: read by this build #}
{% macro is_loaded_now() -%}
    loaded_in_build = {{ this_build_number() }}
{%- endmacro %}

{# numbers go on where those of the last build ended #}
{% macro largest_before(column) -%}
    {%- if is_incremental_build() -%}
        (select coalesce(max({{ column }}), 0) from {{ this }})
    {%- else -%}
        0
    {%- endif -%}
{%- endmacro %}

{# the build that made a fit: of one that came out as the last, which a model keeps, that of the last.
   The key is named with its table: the subquery has a column of that name, too. #}
{% macro build_of_fit(fit_key, model_name) -%}
    {%- if is_incremental_build() -%}
        coalesce(
            (
                select max(fits_before.build_number)
                from {{ before_this_build(model_name) }} as fits_before
                where fits_before.fit_key = {{ fit_key }}
            ),
            {{ number_of_this_build() }}
        )
    {%- else -%}
        {{ number_of_this_build() }}
    {%- endif -%}
{%- endmacro %}
