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

{# a sum over the rows that meet a condition; 0 where none does #}
{% macro sum_where(expression, condition) -%}
    coalesce(sum(case when {{ condition }} then {{ expression }} end), 0)
{%- endmacro %}

{# a sum of seconds that does not depend on the order of its rows, as one of floats does;
   0 where no row meets the condition #}
{% macro sum_of_seconds(seconds, condition='true') -%}
    {{ sum_of_microseconds(seconds, condition) }} / 1000000.0
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
    unnest(list_concat(['(all)'], case when len({{ starters }}) = 0 then ['(unmarked)'] else {{ starters }} end))
{%- endmacro %}

{# 5 Push Failures, 1 Push Click #}
{% macro counted(count, label) -%}
    {{ count }} || ' ' || {{ label }} || case when {{ count }} = 1 then '' else 's' end
{%- endmacro %}

{# 7.4% #}
{% macro percent(share) -%}
    printf('%.1f', 100 * {{ share }}) || '%'
{%- endmacro %}

{# 1 day, 2 days #}
{% macro counted_days(count) -%}
    {{ count }} || case when {{ count }} = 1 then ' day' else ' days' end
{%- endmacro %}

{# 43 seconds, 4.3 minutes, 7.8 hours, 16.7 days #}
{% macro told_duration(seconds) -%}
    case
        when {{ seconds }} < 60 then printf('%.0f', {{ seconds }}) || ' seconds'
        when {{ seconds }} < 7200 then printf('%.1f', {{ seconds }} / 60) || ' minutes'
        when {{ seconds }} < 172800 then printf('%.1f', {{ seconds }} / 3600) || ' hours'
        else printf('%.1f', {{ seconds }} / 86400) || ' days'
    end
{%- endmacro %}

{# an aggregate: units of an intervention and how many of them converted, for each arm #}
{% macro counts_by_arm() -%}
    {%- for arm in ['treated', 'control'] %}
        count(case when arm = '{{ arm }}' then 1 end) as count_{{ arm }},
        count(case when arm = '{{ arm }}' and is_converted then 1 end) as converted_{{ arm }}{{ "," if not loop.last }}
    {%- endfor %}
{%- endmacro %}
