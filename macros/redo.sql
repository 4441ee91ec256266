{# Incremental models: what is taken out before the new rows go in. A model says in its config
   what its rows hang on (`redone_by`); everything that hangs on something that changed is redone. #}

{# DuckDB; Spark's way is in tables.sql #}
{% macro get_incremental_redo_sql(arg_dict) %}
    {% set columns = arg_dict.dest_columns | map(attribute='quoted') | join(', ') %}
    delete from {{ arg_dict.target_relation }}
    where {{ is_redone(config.require('redone_by')) }};
    insert into {{ arg_dict.target_relation }} ({{ columns }})
    select {{ columns }} from {{ arg_dict.temp_relation }}
{% endmacro %}

{# does this row hang on something that changed? #}
{% macro is_redone(redone_by) -%}
    {%- if redone_by == 'file' -%}
        file_number not in (select file_number from {{ ref('base_app__files') }})
    {%- elif redone_by == 'text_file' -%}
        file_name in (select file_name from {{ ref('base_app__arrived_files') }} where landing_zone = 'events')
        or file_name not in (select file_name from {{ ref('base_app__landing_files') }} where landing_zone = 'events')
    {%- elif redone_by == 'event_id' -%}
        event_uuid in (select event_uuid from {{ ref('base_app__repeated_rows') }})
        or file_number not in (select file_number from {{ ref('base_app__files') }})
    {%- elif redone_by == 'rejected_row' -%}
        file_number not in (select file_number from {{ ref('base_app__files') }})
        or (
            reject_reason = 'duplicate_event_id'
            and (file_number, file_row_number) in (
                select file_number, file_row_number from {{ ref('base_app__repeated_rows') }}
            )
        )
    {%- elif redone_by == 'nothing' -%}
        false
    {%- elif redone_by == 'received_date' -%}
        received_date in (
            select {{ reporting_date('received_at') }} from {{ ref('base_app__changed_rows') }}
        )
    {%- elif redone_by == 'user' -%}
        user_id in (
            select users.user_id
            from {{ ref('base_app__users') }} as users
            where users.user_number in (select user_number from {{ ref('base_app__changed_rows') }})
        )
    {%- elif redone_by == 'changed_user' -%}
        user_number in (select user_number from {{ ref('base_app__changed_rows') }})
    {%- elif redone_by == 'user_number' -%}
        user_number in (select redone_users.user_number from {{ ref('int_redone_users') }} as redone_users)
    {%- elif redone_by == 'user_of_session' -%}
        {{ user_number_of('session_key') }} in (select user_number from {{ ref('int_redone_users') }})
    {%- elif redone_by == 'session_date' -%}
        session_date in (select session_date from {{ ref('int_redone_dates') }})
    {%- elif redone_by == 'replaced_session' -%}
        session_key in (select replaced.session_key from {{ ref('int_replaced_sessions') }} as replaced)
    {%- elif redone_by == 'session' -%}
        session_key in (select redone_sessions.session_key from {{ ref('int_redone_sessions') }} as redone_sessions)
    {%- elif redone_by == 'shown_session' -%}
        {{ is_redone('session') }}
        or user_number not in (select user_number from {{ ref('int_shown_users') }})
    {%- elif redone_by == 'session_id' -%}
        session_id in (select redone_sessions.session_id from {{ ref('int_redone_sessions') }} as redone_sessions)
    {%- elif redone_by in ('session_or_patterns', 'session_or_drop_risk', 'user_or_patterns') -%}
        {%- set whose, fit = redone_by.split('_or_') -%}
        {%- set condition = is_redone({'session': 'session', 'user': 'user_number'}[whose]) -%}
        {{ 'true' if is_fitted_anew(fit) else condition }}
    {%- else -%}
        {{ exceptions.raise_compiler_error("redone_by is '" ~ redone_by ~ "', which macros/redo.sql does not know.") }}
    {%- endif -%}
{%- endmacro %}

{# Did this build fit the patterns, or the drop risk, anew? Then whatever was made by the earlier fit
   is made again. #}
{% macro is_fitted_anew(what) %}
    {% set fit = ref({'patterns': 'int_pattern_fit', 'drop_risk': 'int_drop_risk_fit'}[what]) %}
    {% if not is_incremental_build() %}{{ return(true) }}{% endif %}
    {{ return(run_query('select build_number = ' ~ number_of_this_build() ~ ' from ' ~ fit)[0][0]) }}
{% endmacro %}

{# an import of rows that this build made, of a table that says so of each. They lie together at
   the end of it, so that DuckDB reads hardly any others; finding them by their sessions would read
   the keys of all #}
{% macro only_made_now() -%}
    {%- if is_incremental_build() -%} where build_number = {{ number_of_this_build() }} {%- endif -%}
{%- endmacro %}

{# an import of the rows to redo: all of them, unless the build is incremental #}
{% macro only_redone(redone_by) -%}
    {%- set condition = is_redone(redone_by) -%}
    {%- if is_incremental_build() -%} where {{ condition }} {%- endif -%}
{%- endmacro %}
