{# Landed columns: our names found in the input. Those of events are looked for where the vars
   event_format and event_columns say. #}

{# Where one of our columns of events comes from: [{column, unit, format, timezone}], of which the
   first that holds a value counts. event_columns says so of a name, event_format of all. While dbt
   parses, check_vars has not yet said that one of them is nonsense. #}
{% macro landed_sources(our_name) %}
    {% set formats = var('event_formats') if var('event_formats') is mapping else {} %}
    {% set names = formats.get(var('event_format') | string) %}
    {% set names = names if names is mapping else {} %}
    {% set given = var('event_columns') if var('event_columns') is mapping else {} %}
    {% set given = given.get(our_name, names.get(our_name, our_name)) %}
    {% set sources = [] %}
    {% for source in as_list(given) %}
        {% set written = {'column': '' if source is mapping else source | string} %}
        {% for key, value in (source if source is mapping else {}).items() if value is string %}
            {% do written.update({key: value}) %}
        {% endfor %}
        {% do sources.append(written) %}
    {% endfor %}
    {{ return(sources) }}
{% endmacro %}

{# a list that somebody wrote, or a list of the one thing that they wrote #}
{% macro as_list(given) %}
    {{ return(given if given is sequence and given is not string and given is not mapping else [given]) }}
{% endmacro %}

{# a column that bears our name itself #}
{% macro own_source(name) %}
    {{ return([{'column': name}]) }}
{% endmacro %}

{# a name with dots that is no column itself is a path: a column, then fields within it #}
{% macro path_of(source) %}
    {{ return(source.column.split('.')) }}
{% endmacro %}

{% macro is_any_source_found(sources, column_names) %}
    {% set found = [] %}
    {% for source in sources if source.column in column_names or path_of(source)[0] in column_names %}
        {% do found.append(source) %}
    {% endfor %}
    {{ return(found | length > 0) }}
{% endmacro %}

{# Events that lie in a table and not in files: the relation, which makes a model hang on it. While
   dbt parses, check_vars has not yet said that its name is nonsense. #}
{% macro events_relation() %}
    {% set name = var('events_relation') if is_relation_name(var('events_relation')) else '' %}
    {% set parts = name.split('.') if name else [] %}
    {% if parts | length == 2 %}
        {{ return(source(parts[0], parts[1])) }}
    {% elif parts | length == 1 %}
        {{ return(ref(parts[0])) }}
    {% endif %}
    {{ return(none) }}
{% endmacro %}

{% macro is_relation_name(name) %}
    {{ return(name is string and modules.re.fullmatch('[^.]+([.][^.]+)?', name) is not none) }}
{% endmacro %}

{# {column: type} of a relation, in its order #}
{% macro relation_types(relation) %}
    {% set types = {} %}
    {% if execute and relation %}
        {% for row in run_query('describe select * from ' ~ relation) %}
            {% do types.update({row[0]: row[1]}) %}
        {% endfor %}
    {% endif %}
    {{ return(types) }}
{% endmacro %}

{# A table has no files; the rows of a date, of the time they were received at where they have one,
   stand for a file, and are read again when one of them is no longer what it was. #}
{% macro part_of_relation(relation, types) -%}
    {{ sql_text(relation.render() | replace('"', '')) }} || '/' || coalesce(cast(cast(coalesce(
        {{ parquet_timestamp(landed_sources('received_at'), types) }},
        {{ parquet_timestamp(landed_sources('event_time'), types) }}
    ) as date) as string), 'no date')
{%- endmacro %}

{# Files that share a format and columns are read together, each group with its own casts; a
   column that folders name (day=1/) is in no file, and is read apart from one that is.
   Returns [{file_names, types: {column: type}, relation}], parquet and the relation only; text
   files are records. #}
{% macro parquet_file_groups(files, condition) %}
    {% set groups = [] %}
    {% set relation = events_relation() %}
    {% if execute and load_relation(files) %}
        {% set query %}
            select columns_json, to_json({{ list_in_order('file_name', 'file_name') }}), file_format
            from {{ files }}
            where file_format in ('parquet', 'relation') and read_error is null and ({{ condition }})
            group by file_format, columns_json, regexp_extract_all(file_name, '([^/=]+)=[^/]*/', 1)
            order by columns_json, min(file_name)
        {% endset %}
        {% for row in run_query(query) %}
            {% do groups.append({
                'types': dict(fromjson(row[0])),
                'file_names': fromjson(row[1]),
                'relation': relation if row[2] == 'relation' else none,
            }) %}
        {% endfor %}
    {% endif %}
    {{ return(groups) }}
{% endmacro %}

{# an aggregate over base_app__files #}
{% macro any_file_has_event_ids() -%}
    {%- set names = [] -%}
    {%- for source in landed_sources('event_id') -%}
        {%- do names.extend([source.column, path_of(source)[0]]) -%}
    {%- endfor -%}
    coalesce(bool_or({{ lists_meet('column_names', text_list(names | unique)) }}), false)
{%- endmacro %}

{# an aggregate: what is in the lists, each once, sorted #}
{% macro distinct_of_lists(list) -%}
    {{ return(adapter.dispatch('distinct_of_lists')(list)) }}
{%- endmacro %}

{% macro duckdb__distinct_of_lists(list) -%}
    list_sort(list_distinct(flatten(list({{ list }}))))
{%- endmacro %}

{% macro spark__distinct_of_lists(list) -%}
    sort_array(array_distinct(flatten(collect_list({{ list }}))))
{%- endmacro %}

{# the names in columns_json of a file: [[name, type], ...] #}
{% macro described_names(columns_json) -%}
    {{ return(adapter.dispatch('described_names')(columns_json)) }}
{%- endmacro %}

{% macro duckdb__described_names(columns_json) -%}
    list_transform(
        cast({{ columns_json }} as json[]), lambda pair: json_extract_string(pair, '$[0]')
    )
{%- endmacro %}

{% macro spark__described_names(columns_json) -%}
    transform(from_json({{ columns_json }}, 'array<array<string>>'), pair -> pair[0])
{%- endmacro %}

{% macro is_json_object(text) -%}
    {{ return(adapter.dispatch('is_json_object')(text)) }}
{%- endmacro %}

{% macro duckdb__is_json_object(text) -%}
    case when json_valid({{ text }}) then json_type({{ text }}) = 'OBJECT' else false end
{%- endmacro %}

{% macro spark__is_json_object(text) -%}
    coalesce(startswith(trim({{ text }}), '{') and try_parse_json({{ text }}) is not null, false)
{%- endmacro %}

{% macro json_names(json) -%}
    {{ return(adapter.dispatch('json_names')(json)) }}
{%- endmacro %}

{% macro duckdb__json_names(json) -%}
    json_keys({{ json }})
{%- endmacro %}

{% macro spark__json_names(json) -%}
    json_object_keys({{ json }})
{%- endmacro %}

{% macro text_list(texts) -%}
    {{ return(adapter.dispatch('text_list')(texts)) }}
{%- endmacro %}

{% macro duckdb__text_list(texts) -%}
    [{% for text in texts %}{{ sql_text(text) }}{{ ", " if not loop.last }}{% endfor %}]
{%- endmacro %}

{% macro spark__text_list(texts) -%}
    cast(array({% for text in texts %}{{ sql_text(text) }}{{ ", " if not loop.last }}{% endfor %}) as array<string>)
{%- endmacro %}

{# the pattern that finds just this name, whatever is in it #}
{% macro name_as_pattern(name) -%}
    {{ return(adapter.dispatch('name_as_pattern')(name)) }}
{%- endmacro %}

{% macro duckdb__name_as_pattern(name) -%}
    {{ name | replace('[', '[[]') | replace('*', '[*]') | replace('?', '[?]') }}
{%- endmacro %}

{% macro spark__name_as_pattern(name) -%}
    {{ modules.re.sub('([][*?{},\\\\])', '\\\\\\1', name) }}
{%- endmacro %}

{# files as a list to read #}
{% macro file_list(file_names) -%}
    {{ return(adapter.dispatch('file_list')(file_names)) }}
{%- endmacro %}

{% macro duckdb__file_list(file_names) -%}
    [{% for name in file_names %}{{ sql_text(name_as_pattern(name)) }}{{ ", " if not loop.last }}{% endfor %}]
{%- endmacro %}

{# names from the root; a list of one is none to Spark #}
{% macro spark__file_list(file_names) -%}
    {%- set names = [] -%}
    {%- for name in file_names %}{% do names.append(name_as_pattern(name)[1:]) %}{% endfor -%}
    `/{{ ('{' ~ names | join(',') ~ '}' if names | length > 1 else names[0]) | replace('`', '``') }}`
{%- endmacro %}

{# The rows of a parquet group with the file and the number of each, landed_file_name and
   file_row_number. A timestamp of no year that a calendar has is null: DuckDB cannot write it. #}
{% macro rows_of_parquet(group) -%}
    {{ return(adapter.dispatch('rows_of_parquet')(group)) }}
{%- endmacro %}

{# what folders say of a file (day=1/) is no column of it #}
{% macro spark__rows_of_parquet(group) -%}
    {%- set in_folders = modules.re.findall('([^/=]+)=[^/]*/', group.file_names[0]) -%}
    {%- set path = "url_decode(replace(_metadata.file_path, '+', '%2B'))" -%}
    (
        select
            {%- for name, type in group.types.items() %}
            {%- if name in in_folders %}
            cast(regexp_extract({{ path }}, {{ sql_text('/' ~ name ~ '=([^/]*)/') }}, 1) as {{ type | replace('VARCHAR', 'STRING') }}) as {{ sql_name(name) }},
            {%- elif type in ('TIMESTAMP', 'TIMESTAMP WITH TIME ZONE') %}
            case when {{ sql_name(name) }} between '0001-01-01' and '9999-12-31' then {{ sql_name(name) }} end as {{ sql_name(name) }},
            {%- else %}
            {{ sql_name(name) }},
            {%- endif %}
            {%- endfor %}
            regexp_replace({{ path }}, '^file:(//)?', '') as landed_file_name,
            _metadata.row_index as file_row_number
        from parquet.{{ file_list(group.file_names) }}
    )
{%- endmacro %}

{% macro duckdb__rows_of_parquet(group) -%}
    (
        select
            * replace (
                {%- for name, type in group.types.items() if type in ('TIMESTAMP', 'TIMESTAMP WITH TIME ZONE') %}
                case when {{ sql_name(name) }} between '0001-01-01' and '9999-12-31' then {{ sql_name(name) }} end as {{ sql_name(name) }},
                {%- endfor %}
                file_row_number as file_row_number
            )
        from {{ numbered_rows_of_relation(group) if group.relation else
            "read_parquet(" ~ file_list(group.file_names) ~ ", filename = 'landed_file_name', file_row_number = true)" }}
    )
{%- endmacro %}

{# The rows of some dates, each with the name of its date and its number there: the same whenever
   they are read, since rows that are alike in all columns may change places. #}
{% macro numbered_rows_of_relation(group) -%}
    (
        select
            *,
            row_number() over (
                partition by landed_file_name
                order by {% for name in group.types %}{{ sql_name(name) }}{{ ", " if not loop.last }}{% endfor %}
            ) - 1 as file_row_number
        from (
            select *, {{ part_of_relation(group.relation, group.types) }} as landed_file_name
            from {{ group.relation }}
        )
        where landed_file_name in {{ names_in(group.file_names) }}
    )
{%- endmacro %}

{% macro names_in(names) -%}
    ({% for name in names %}{{ sql_text(name) }}{{ ", " if not loop.last }}{% endfor %})
{%- endmacro %}

{# a text cut at a character #}
{% macro texts_between(text, separator) -%}
    {{ return(adapter.dispatch('texts_between')(text, separator)) }}
{%- endmacro %}

{% macro duckdb__texts_between(text, separator) -%}
    string_split({{ text }}, '{{ separator }}')
{%- endmacro %}

{# Spark cuts at a pattern #}
{% macro spark__texts_between(text, separator) -%}
    split({{ text }}, '[{{ separator }}]')
{%- endmacro %}

{# text and names as SQL literals, quotes doubled; in Spark's texts a backslash means something #}
{% macro sql_text(text) -%}
    {{ return(adapter.dispatch('sql_text')(text)) }}
{%- endmacro %}

{% macro default__sql_text(text) -%}
    '{{ text | replace("'", "''") }}'
{%- endmacro %}

{% macro spark__sql_text(text) -%}
    '{{ text | replace('\\', '\\\\') | replace("'", "''") }}'
{%- endmacro %}

{% macro sql_name(name) -%}
    {{ return(adapter.dispatch('sql_name')(name)) }}
{%- endmacro %}

{% macro duckdb__sql_name(name) -%}
    "{{ name | replace('"', '""') }}"
{%- endmacro %}

{% macro spark__sql_name(name) -%}
    `{{ name | replace('`', '``') }}`
{%- endmacro %}

{# does a pattern fit all of a text, or a part of it; and the first such part replaced #}
{% macro is_full_match(text, pattern) -%}
    {{ return(adapter.dispatch('is_full_match')(text, pattern)) }}
{%- endmacro %}

{% macro duckdb__is_full_match(text, pattern) -%}
    regexp_full_match({{ text }}, {{ sql_text(pattern) }})
{%- endmacro %}

{% macro spark__is_full_match(text, pattern) -%}
    regexp_like({{ text }}, {{ sql_text('\\A(?:' ~ pattern ~ ')\\z') }})
{%- endmacro %}

{% macro is_match(text, pattern) -%}
    {{ return(adapter.dispatch('is_match')(text, pattern)) }}
{%- endmacro %}

{% macro duckdb__is_match(text, pattern) -%}
    regexp_matches({{ text }}, {{ sql_text(pattern) }})
{%- endmacro %}

{% macro spark__is_match(text, pattern) -%}
    regexp_like({{ text }}, {{ sql_text(pattern) }})
{%- endmacro %}

{% macro replaced(text, pattern, by) -%}
    {{ return(adapter.dispatch('replaced')(text, pattern, by)) }}
{%- endmacro %}

{% macro duckdb__replaced(text, pattern, by) -%}
    regexp_replace({{ text }}, {{ sql_text(pattern) }}, {{ sql_text(by) }})
{%- endmacro %}

{% macro spark__replaced(text, pattern, by) -%}
    regexp_replace({{ text }}, {{ sql_text(pattern) }}, {{ sql_text(by | replace('\\', '$')) }})
{%- endmacro %}

{# as a pointer where the name is empty, which a path cannot say #}
{% macro json_path(name) -%}
    {{ return(adapter.dispatch('json_path')(name)) }}
{%- endmacro %}

{% macro spark__json_path(name) -%}
    {{ sql_text("$['" ~ name ~ "']") }}
{%- endmacro %}

{% macro duckdb__json_path(name) -%}
    {{ sql_text('/' if name == '' else '$."' ~ (name | replace('\\', '\\\\') | replace('"', '\\"')) ~ '"') }}
{%- endmacro %}

{# The field of a JSON value, also of one that is written in a text: of an object by its name; of
   a list by its number; of a list of pairs of key and value by the key, where the value may be
   an object of one typed value, as GA4 has it. #}
{% macro json_field(json, name) -%}
    {{ return(adapter.dispatch('json_field')(json, name)) }}
{%- endmacro %}

{% macro spark__json_field(json, name) -%}
    coalesce(
        get_json_object({{ json }}, {{ json_path(name) }}),
        {%- if modules.re.fullmatch('[0-9]{1,9}', name) %}
        get_json_object({{ json }}, '$[{{ name }}]'),
        {%- endif %}
        {%- for value in ['value.string_value', 'value.int_value', 'value.float_value', 'value.double_value', 'value'] %}
        try_element_at(transform(
            filter(
                from_json(case when startswith({{ json }}, '[') then {{ json }} end, 'array<string>'),
                pair -> get_json_object(pair, '$.key') = {{ sql_text(name) }}
            ),
            pair -> get_json_object(pair, '$.{{ value }}')
        ), 1){{ "," if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{% macro duckdb__json_field(json, name) -%}
    list_transform([{{ json_in_text('json_extract_string(' ~ json ~ ", '$')") }}], lambda value: coalesce(
        json_extract(value, {{ json_path(name) }}),
        {%- if modules.re.fullmatch('[0-9]{1,9}', name) %}
        json_extract(value, '$[{{ name }}]'),
        {%- endif %}
        list_transform(
            list_filter(
                cast(case when json_type(value) = 'ARRAY' then value end as json[]),
                lambda pair: json_extract_string(pair, '$.key') = {{ sql_text(name) }}
            ),
            lambda pair: coalesce(
                {%- for kind in ['string', 'int', 'float', 'double'] %}
                nullif(json_extract(pair, '$.value.{{ kind }}_value'), 'null'),
                {%- endfor %}
                json_extract(pair, '$.value')
            )
        )[1]
    ))[1]
{%- endmacro %}

{% macro json_in_text(text) -%}
    {{ return(adapter.dispatch('json_in_text')(text)) }}
{%- endmacro %}

{% macro spark__json_in_text(text) -%}
    {{ text }}
{%- endmacro %}

{% macro duckdb__json_in_text(text) -%}
    case when json_valid({{ text }}) then cast({{ text }} as json) end
{%- endmacro %}

{% macro json_fields(json, names) -%}
    {%- if names -%}
        {{ json_fields(json_field(json, names[0]), names[1:]) }}
    {%- else -%}
        {{ json }}
    {%- endif -%}
{%- endmacro %}

{# a text of JSON as such; Spark keeps it a text #}
{% macro as_json(text) -%}
    {{ return(adapter.dispatch('as_json')(text)) }}
{%- endmacro %}

{% macro duckdb__as_json(text) -%}
    cast({{ text }} as json)
{%- endmacro %}

{% macro spark__as_json(text) -%}
    {{ text }}
{%- endmacro %}

{# the text of what a path finds in JSON; Spark's functions give the text of what they find #}
{% macro text_in_json(json, path="'$'") -%}
    {{ return(adapter.dispatch('text_in_json')(json, path)) }}
{%- endmacro %}

{% macro duckdb__text_in_json(json, path) -%}
    json_extract_string({{ json }}, {{ path }})
{%- endmacro %}

{% macro spark__text_in_json(json, path) -%}
    {%- if path == "'$'" -%} {{ json }} {%- else -%} get_json_object({{ json }}, {{ path }}) {%- endif -%}
{%- endmacro %}

{# the first of several texts that is not blank #}
{% macro first_text(texts) -%}
    {%- if texts | length == 1 -%}
        {{ texts[0] }}
    {%- else -%}
        {{ element_of(list_where(list_of(texts), 'text', 'not ' ~ is_blank('text')), 1) }}
    {%- endif -%}
{%- endmacro %}

{# the first of several times that is one #}
{% macro first_time(times) -%}
    {{ times[0] if times | length == 1 else 'coalesce(' ~ times | join(', ') ~ ')' }}
{%- endmacro %}

{# one of our text columns out of a JSON object #}
{% macro json_text(sources, json) -%}
    {%- set texts = [] -%}
    {%- for source in sources -%}
        {%- do texts.append(text_in_json(json, json_path(source.column))) -%}
        {%- if path_of(source) | length > 1 -%}
            {%- do texts.append(text_in_json(json_fields(as_json(json), path_of(source)))) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ first_text(texts) }}
{%- endmacro %}

{# one of our times out of a JSON object #}
{% macro json_timestamp(sources, json) -%}
    {%- set times = [] -%}
    {%- for source in sources -%}
        {%- do times.append(timestamp_from_json(json, json_path(source.column), source)) -%}
        {%- if path_of(source) | length > 1 -%}
            {%- do times.append(timestamp_from_json(json_fields(as_json(json), path_of(source)), "'$'", source)) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ first_time(times) }}
{%- endmacro %}

{# what a path leads to in a parquet group, as JSON: nested columns, and text that holds JSON #}
{% macro parquet_json(source, types) -%}
    {%- set name = path_of(source)[0] -%}
    {%- if types[name] in ('VARCHAR', 'BLOB') -%}
        {%- set json = json_in_text(text_from_column(sql_name(name), types[name])) -%}
    {%- else -%}
        {%- set json = 'to_json(' ~ sql_name(name) ~ ')' -%}
    {%- endif -%}
    {{ json_fields(json, path_of(source)[1:]) }}
{%- endmacro %}

{# one of our text columns out of a parquet group #}
{% macro parquet_text(sources, types) -%}
    {%- set texts = [] -%}
    {%- for source in sources -%}
        {%- if source.column in types -%}
            {%- do texts.append(text_from_column(sql_name(source.column), types[source.column])) -%}
        {%- elif path_of(source)[0] in types -%}
            {%- do texts.append(text_in_json(parquet_json(source, types))) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ first_text(texts) if texts else 'cast(null as string)' }}
{%- endmacro %}

{# one of our times out of a parquet group #}
{% macro parquet_timestamp(sources, types) -%}
    {%- set times = [] -%}
    {%- for source in sources -%}
        {%- if source.column in types -%}
            {%- do times.append(timestamp_from_column(sql_name(source.column), types[source.column], source)) -%}
        {%- elif path_of(source)[0] in types -%}
            {%- do times.append(timestamp_from_json(parquet_json(source, types), "'$'", source)) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ first_time(times) if times else 'cast(null as timestamp)' }}
{%- endmacro %}

{# true unless a column that one of ours comes from holds bytes that are not UTF-8 #}
{% macro parquet_is_readable(sources, types) -%}
    {%- set names = [] -%}
    {%- for source in sources -%}
        {%- do names.append(source.column if source.column in types else path_of(source)[0]) -%}
    {%- endfor -%}
    true
    {%- for name in names | unique if types.get(name) == 'BLOB' %}
        and ({{ sql_name(name) }} is null or {{ text_from_column(sql_name(name), 'BLOB') }} is not null)
    {%- endfor -%}
{%- endmacro %}

{# the whole landed row as JSON text #}
{% macro parquet_payload(types, table=none) -%}
    {{ return(adapter.dispatch('parquet_payload')(types, table)) }}
{%- endmacro %}

{% macro spark__parquet_payload(types, table=none) -%}
    {%- set prefix = table ~ '.' if table else '' -%}
    to_json(
        named_struct({% for name in types %}{{ sql_text(name) }}, {{ prefix }}{{ sql_name(name) }}{{ ", " if not loop.last }}{% endfor %}),
        map('ignoreNullFields', 'false', 'timestampFormat', 'yyyy-MM-dd HH:mm:ss.SSSSSS', 'timestampNTZFormat', 'yyyy-MM-dd HH:mm:ss.SSSSSS')
    )
{%- endmacro %}

{% macro duckdb__parquet_payload(types, table=none) -%}
    {%- set prefix = table ~ '.' if table else '' -%}
    cast(to_json(struct_pack({% for name in types %}{{ sql_name(name) }} := {{ prefix }}{{ sql_name(name) }}{{ ", " if not loop.last }}{% endfor %})) as varchar)
{%- endmacro %}

{# An id for rows that carry none: the row without received_at, its event_time in one form,
   its other values as text in the order of their names, nulls left out. #}
{% macro row_hash(payload, event_time) -%}
    {{ return(adapter.dispatch('row_hash')(payload, event_time)) }}
{%- endmacro %}

{% macro spark__row_hash(payload, event_time) -%}
    {%- set names = [] -%}
    {%- for source in landed_sources('received_at') + landed_sources('event_time') -%}
        {%- do names.append(sql_text(source.column)) -%}
        {%- if path_of(source) | length > 1 -%}
            {%- do stop("Rows without an event id whose times lie within a column ('" ~ source.column ~ "') are not read on Spark; build with DuckDB.") -%}
        {%- endif -%}
    {%- endfor -%}
    md5(concat_ws('|', cast(unix_micros({{ event_time }}) as string), array_join(
        sort_array(transform(
            filter(
                map_entries(from_json({{ payload }}, 'map<string, string>')),
                pair -> pair.value is not null and pair.key not in ({{ names | join(', ') }})
            ),
            pair -> to_json(map(pair.key, pair.value))
        )), ','
    )))
{%- endmacro %}

{% macro duckdb__row_hash(payload, event_time) -%}
    {%- set times = landed_sources('received_at') + landed_sources('event_time') -%}
    {%- set json = payload_without_fields(payload, times) -%}
    md5(concat_ws('|', cast(epoch_us({{ event_time }}) as varchar), array_to_string(
        list_sort(
            list_filter(
                list_transform(
                    json_keys({{ json }}),
                    lambda key: json_object(key, json_extract_string({{ json }}, '/' || replace(replace(key, '~', '~0'), '/', '~1')))
                ),
                lambda pair: not ends_with(pair, ':null}')
                    {%- for source in times %}
                    and not starts_with(pair, {{ sql_text('{"' ~ source.column ~ '":') }})
                    {%- endfor %}
            )
        ), ','
    )))
{%- endmacro %}

{# a landed row without the fields within its columns that these paths lead to #}
{% macro payload_without_fields(payload, sources) -%}
    {%- set json = namespace(text=payload) -%}
    {%- for source in sources if path_of(source) | length > 1 -%}
        {%- set names = path_of(source) -%}
        {%- set patch = namespace(value=none) -%}
        {%- for name in names | reverse %}{% set patch.value = {name: patch.value} %}{% endfor -%}
        {%- set within = sql_text('/' ~ names[:-1] | join('/')) -%}
        {%- set json.text = 'case when json_type(' ~ json.text ~ ', ' ~ within ~ ") = 'OBJECT' then json_merge_patch("
            ~ json.text ~ ', ' ~ sql_text(tojson(patch.value)) ~ ') else ' ~ json.text ~ ' end' -%}
    {%- endfor -%}
    {{ json.text }}
{%- endmacro %}

{# Stops where a column that must exist is in no file, or event_columns names one that is in
   none. Returns whether any file has event ids; where none has, rows make their own. #}
{% macro landed_columns_checked(files) %}
    {% set found = [] %}
    {% set declared = [] %}
    {% if execute and load_relation(files) %}
        {% set query %}
            select to_json({{ distinct_of_lists('column_names') }}), bool_or(declares_columns)
            from {{ files }}
        {% endset %}
        {% set row = run_query(query)[0] %}
        {% do found.extend(fromjson(row[0] or '[]')) %}
        {% if row[1] %}{% do declared.append(true) %}{% endif %}
    {% endif %}
    {% if execute and found %}
        {% set mapped = var('event_columns') %}
        {% for our_name in ['user_id', 'event_name', 'event_time'] + mapped.keys() | list %}
            {% set sources = landed_sources(our_name) %}
            {% if not is_any_source_found(sources, found) and (our_name in mapped or declared) %}
                {% do stop(
                    "No landed file has the column '" ~ sources | map(attribute='column') | join("' or '") ~ "' for " ~ our_name
                    ~ " (found: " ~ found | unique | sort | join(', ') | truncate(300)
                    ~ "); name the right one in the var event_columns."
                ) %}
            {% endif %}
        {% endfor %}
    {% endif %}
    {{ return(is_any_source_found(landed_sources('event_id'), found)) }}
{% endmacro %}

{# one sentence on one line that a person can act on, and no model after it #}
{% macro stop(sentence) %}
    {{ exceptions.raise_compiler_error(sentence | replace('\r', ' ') | replace('\n', ' ')) }}
{% endmacro %}
