{# Small expressions that several marts share. #}

{# a rate over nothing is null #}
{% macro ratio(numerator, denominator) -%}
    cast({{ numerator }} as double) / nullif({{ denominator }}, 0)
{%- endmacro %}

{# the reasons to reject a row, in the order in which they are judged #}
{% macro reject_reasons() %}
    {{ return([
        'unreadable', 'missing_event_id', 'missing_user_id', 'missing_event_name',
        'bad_event_time', 'time_in_future', 'duplicate_event_id',
    ]) }}
{% endmacro %}

{# the same of the ledger #}
{% macro ledger_reject_reasons() %}
    {{ return([
        'unreadable', 'missing_assignment_id', 'missing_intervention', 'missing_user_id',
        'missing_stage', 'bad_unit', 'bad_arm', 'bad_planned_share', 'bad_assigned_at',
        'assigned_in_future', 'duplicate_assignment_id',
    ]) }}
{% endmacro %}

{# the same of the identities #}
{% macro identity_reject_reasons() %}
    {{ return([
        'unreadable', 'missing_anonymous_id', 'missing_user_id', 'maps_to_itself',
        'duplicate_mapping', 'mapped_before', 'endless_chain',
    ]) }}
{% endmacro %}

{# over how many mappings a person is looked for; tools make two or three #}
{% macro most_identity_links() %}
    {{ return(50) }}
{% endmacro %}

{# what a page calls a person: a few digits of a salted hash, unless ids may be shown #}
{% macro display_name(user_id) -%}
    {%- if var('show_user_ids') -%}
        {{ user_id }}
    {%- else -%}
        'User ' || upper(left(md5({{ sql_text(env_var('DROPOFF_SALT', 'dropoff')) }} || {{ user_id }}), {{ var('display_name_digits') }}))
    {%- endif -%}
{%- endmacro %}

{# beside the warehouse: shop.duckdb -> shop.checks.ndjson #}
{% macro landing_checks_path() -%}
    {{ modules.re.sub('[.]duckdb$', '', env_var('DROPOFF_WAREHOUSE', 'warehouse.duckdb')) }}.checks.ndjson
{%- endmacro %}

{% macro are_landing_checks_there() %}
    {{ return(adapter.dispatch('are_landing_checks_there')()) }}
{% endmacro %}

{% macro duckdb__are_landing_checks_there() %}
    {{ return(execute and run_query('select 1 from glob(' ~ sql_text(landing_checks_path()) ~ ')') | length > 0) }}
{% endmacro %}

{# beside a file that is there in any case: Spark fails where a pattern finds none #}
{% macro spark__are_landing_checks_there() %}
    {% set paths = [absolute_path(landing_checks_path()), absolute_path('dbt_project.yml')] %}
    {{ return(execute and run_query('select path from binaryFile.' ~ file_list(paths)) | length > 1) }}
{% endmacro %}

{% macro landing_checks_rows() -%}
    {{ return(adapter.dispatch('landing_checks_rows')()) }}
{%- endmacro %}

{% macro duckdb__landing_checks_rows() -%}
    read_json({{ sql_text(landing_checks_path()) }}, format = 'newline_delimited')
{%- endmacro %}

{% macro spark__landing_checks_rows() -%}
    (
        select check.*
        from (
            select from_json(
                value,
                'file_name string, expectation string, column_name string, is_met boolean, '
                || 'is_fatal boolean, observed string, message string, checked_at string'
            ) as check
            from text.{{ file_list([absolute_path(landing_checks_path())]) }}
        )
    )
{%- endmacro %}

{# a sum over the rows that meet a condition; 0 where none does #}
{% macro sum_where(expression, condition) -%}
    coalesce(sum(case when {{ condition }} then {{ expression }} end), 0)
{%- endmacro %}

{# a sum of seconds that does not depend on the order of its rows, as one of floats does;
   0 where no row meets the condition #}
{% macro sum_of_seconds(seconds, condition='true') -%}
    {{ sum_of_microseconds(seconds, condition) }} / 1e6
{%- endmacro %}

{% macro sum_of_microseconds(seconds, condition='true') -%}
    coalesce(sum(case when {{ condition }} then cast(round({{ seconds }} * 1000000) as bigint) end), 0)
{%- endmacro %}

{# a var as a number column; null stays null #}
{% macro number_var(name) -%}
    cast({{ 'null' if var(name) is none else var(name) }} as double)
{%- endmacro %}

{# the groups that a session with these starters is counted in: (all), and each of them or
   (unmarked). Sessions are counted by their starters first, since few lists of them differ #}
{% macro groups_of(starters) -%}
    {{ each_of("concat(" ~ text_list(['(all)']) ~ ', case when ' ~ count_of(starters) ~ ' = 0 then ' ~ text_list(['(unmarked)']) ~ ' else ' ~ starters ~ ' end)') }}
{%- endmacro %}

{# 5 Push Failures, 1 Push Click #}
{% macro counted(count, label) -%}
    {{ count }} || ' ' || {{ label }} || case when {{ count }} = 1 then '' else 's' end
{%- endmacro %}

{# 7.4% #}
{% macro percent(share) -%}
    {{ one_digit('100 * ' ~ share) }} || '%'
{%- endmacro %}

{# 4.3; rounded before it is written, or every engine rounds halves in its own way; null stays null #}
{% macro one_digit(number) -%}
    case when {{ number }} is not null then printf('%.1f', floor(10 * {{ number }} + 0.5e0) / 10) end
{%- endmacro %}

{# 1 day, 2 days #}
{% macro counted_days(count) -%}
    {{ count }} || case when {{ count }} = 1 then ' day' else ' days' end
{%- endmacro %}

{# 43 seconds, 4.3 minutes, 7.8 hours, 16.7 days #}
{% macro told_duration(seconds) -%}
    case
        when {{ seconds }} < 60 then cast(cast(floor({{ seconds }} + 0.5e0) as bigint) as string) || ' seconds'
        when {{ seconds }} < 7200 then {{ one_digit(seconds ~ ' / 60') }} || ' minutes'
        when {{ seconds }} < 172800 then {{ one_digit(seconds ~ ' / 3600') }} || ' hours'
        else {{ one_digit(seconds ~ ' / 86400') }} || ' days'
    end
{%- endmacro %}

{# an aggregate: units of an intervention and how many of them converted, for each arm #}
{% macro counts_by_arm() -%}
    {%- for arm in ['treated', 'control'] %}
        count(case when arm = '{{ arm }}' then 1 end) as count_{{ arm }},
        count(case when arm = '{{ arm }}' and is_converted then 1 end) as converted_{{ arm }}{{ "," if not loop.last }}
    {%- endfor %}
{%- endmacro %}
