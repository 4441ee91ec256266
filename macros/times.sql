{# Times: every conversion to a UTC timestamp with microseconds, cut off, never rounded. A timestamp
   of Spark's is a moment, shown in the session's zone, which is UTC. #}

{# a moment, as it is told with an offset -> UTC #}
{% macro utc_of(moment) -%}
    {{ return(adapter.dispatch('utc_of')(moment)) }}
{%- endmacro %}

{% macro duckdb__utc_of(moment) -%}
    cast({{ moment }} at time zone 'UTC' as timestamp)
{%- endmacro %}

{% macro spark__utc_of(moment) -%}
    {{ moment }}
{%- endmacro %}

{% macro type_of_moments() -%}
    {{ return(adapter.dispatch('type_of_moments')()) }}
{%- endmacro %}

{% macro duckdb__type_of_moments() -%} timestamptz {%- endmacro %}

{% macro spark__type_of_moments() -%} timestamp {%- endmacro %}

{# what the clock on the wall of a zone shows -> UTC, and back #}
{% macro utc_of_wall(timestamp, zone) -%}
    {{ return(adapter.dispatch('utc_of_wall')(timestamp, zone)) }}
{%- endmacro %}

{% macro duckdb__utc_of_wall(timestamp, zone) -%}
    cast(({{ timestamp }} at time zone {{ sql_text(zone) }}) at time zone 'UTC' as timestamp)
{%- endmacro %}

{% macro spark__utc_of_wall(timestamp, zone) -%}
    to_utc_timestamp({{ timestamp }}, {{ sql_text(zone) }})
{%- endmacro %}

{% macro wall_of_utc(timestamp, zone) -%}
    {{ return(adapter.dispatch('wall_of_utc')(timestamp, zone)) }}
{%- endmacro %}

{% macro duckdb__wall_of_utc(timestamp, zone) -%}
    ({{ timestamp }} at time zone 'UTC') at time zone {{ sql_text(zone) }}
{%- endmacro %}

{% macro spark__wall_of_utc(timestamp, zone) -%}
    from_utc_timestamp({{ timestamp }}, {{ sql_text(zone) }})
{%- endmacro %}

{# microseconds since 1970, and back #}
{% macro epoch_microseconds(timestamp) -%}
    {{ return(adapter.dispatch('epoch_microseconds')(timestamp)) }}
{%- endmacro %}

{% macro duckdb__epoch_microseconds(timestamp) -%}
    epoch_us({{ timestamp }})
{%- endmacro %}

{% macro spark__epoch_microseconds(timestamp) -%}
    unix_micros({{ timestamp }})
{%- endmacro %}

{% macro timestamp_of_microseconds(number) -%}
    {{ return(adapter.dispatch('timestamp_of_microseconds')(number)) }}
{%- endmacro %}

{% macro duckdb__timestamp_of_microseconds(number) -%}
    make_timestamp({{ number }})
{%- endmacro %}

{% macro spark__timestamp_of_microseconds(number) -%}
    timestamp_micros({{ number }})
{%- endmacro %}

{# a whole number of any length #}
{% macro type_of_large_numbers() -%}
    {{ return(adapter.dispatch('type_of_large_numbers')()) }}
{%- endmacro %}

{% macro duckdb__type_of_large_numbers() -%} hugeint {%- endmacro %}

{% macro spark__type_of_large_numbers() -%} decimal(38, 0) {%- endmacro %}

{# before all that can have happened #}
{% macro beginning_of_time() -%}
    {{ return(adapter.dispatch('beginning_of_time')()) }}
{%- endmacro %}

{% macro duckdb__beginning_of_time() -%}
    cast('-infinity' as timestamp)
{%- endmacro %}

{% macro spark__beginning_of_time() -%}
    timestamp '0001-01-01 00:00:00'
{%- endmacro %}

{% macro days_between(earlier, later) -%}
    {{ return(adapter.dispatch('days_between')(earlier, later)) }}
{%- endmacro %}

{% macro duckdb__days_between(earlier, later) -%}
    date_diff('day', {{ earlier }}, {{ later }})
{%- endmacro %}

{% macro spark__days_between(earlier, later) -%}
    datediff({{ later }}, {{ earlier }})
{%- endmacro %}

{# a setting written by a person, with or without offset; null stays null #}
{% macro timestamp_literal(value) -%}
    {%- if value is none -%}
        cast(null as timestamp)
    {%- else -%}
        {{ utc_of("cast('" ~ value ~ "' as " ~ type_of_moments() ~ ")") }}
    {%- endif -%}
{%- endmacro %}

{# epoch milliseconds -> timestamp; null where it is no time before the year 10000 #}
{% macro timestamp_from_epoch_ms(number) -%}
    case
        when try_cast({{ number }} as {{ type_of_large_numbers() }}) between 0 and 253402300799999
            then {{ timestamp_of_microseconds('try_cast(' ~ number ~ ' as bigint) * 1000') }}
    end
{%- endmacro %}

{# a number, or its text, in s, ms, us or ns since 1970 -> timestamp, cut off behind the microsecond #}
{% macro timestamp_from_epoch(number, unit) -%}
    {%- set large = type_of_large_numbers() -%}
    {%- set microseconds = {
        's': 'cast(try_cast(' ~ number ~ ' as decimal(30, 6)) * 1000000 as ' ~ large ~ ')',
        'ms': 'cast(try_cast(' ~ number ~ ' as decimal(30, 3)) * 1000 as ' ~ large ~ ')',
        'us': 'try_cast(' ~ number ~ ' as ' ~ large ~ ')',
        'ns': whole_division('try_cast(' ~ number ~ ' as ' ~ large ~ ')', 1000),
    }[unit] -%}
    case
        when {{ microseconds }} between 0 and 253402300799999999
            then {{ timestamp_of_microseconds('cast(' ~ microseconds ~ ' as bigint)') }}
    end
{%- endmacro %}

{# ISO 8601 text (no offset: UTC) or all digits (epoch milliseconds) -> timestamp or null.
   The basic form and an hour alone are written out first: the cast knows neither. #}
{% macro timestamp_from_iso_text(text) -%}
    {%- set trimmed = 'trim(' ~ text ~ ')' -%}
    {%- set offset = '(Z|[+-][0-9]{2}(:?[0-9]{2})?)?' -%}
    {%- set extended = '[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}(:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?)?' ~ offset ~ ')?' -%}
    {%- set basic = '[0-9]{8}T[0-9]{4}([0-9]{2}([.,][0-9]+)?)?' ~ offset -%}
    case
        when {{ is_full_match(trimmed, '[0-9]+') }}
            then {{ timestamp_from_epoch_ms(trimmed) }}
        when {{ is_full_match('upper(' ~ trimmed ~ ')', extended ~ '|' ~ basic) }}
            then {{ utc_of(timestamp_of_iso_text(replaced(
                replaced(
                    replaced(
                        'replace(upper(' ~ trimmed ~ "), ',', '.')",
                        '^([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})', '\\1-\\2-\\3T\\4:\\5'
                    ),
                    '^(.{16})([0-9]{2})', '\\1:\\2'
                ),
                '^(.{10}[T ][0-9]{2})(Z|[+-].*|)$', '\\1:00\\2'
            ))) }}
    end
{%- endmacro %}

{# Spark reads six digits of a second; a colon in an offset is read by both #}
{% macro timestamp_of_iso_text(text) -%}
    {{ return(adapter.dispatch('timestamp_of_iso_text')(text)) }}
{%- endmacro %}

{% macro duckdb__timestamp_of_iso_text(text) -%}
    try_cast({{ text }} as timestamptz)
{%- endmacro %}

{% macro spark__timestamp_of_iso_text(text) -%}
    try_cast({{ replaced(
        replaced(replaced(text, '([.][0-9]{6})[0-9]+', '\\1'), '([+-][0-9]{2})$', '\\1:00'),
        '([+-][0-9]{2})([0-9]{2})$', '\\1:\\2'
    ) }} as timestamp)
{%- endmacro %}

{# text -> timestamp or null, written as its source says: in a format, or as a number in a unit,
   or as above; where it names no offset, the clock of the source's time zone showed it #}
{% macro timestamp_from_text(text, source={}) -%}
    {%- set has_offset = is_match(text, '[T ].*([Zz]|[+-][0-9:]+)\\s*$') -%}
    {%- if source.format -%}
        {{ timestamp_in_format(text, source) }}
    {%- elif source.unit -%}
        case
            when {{ is_full_match(text, '\\s*[0-9]+([.][0-9]*)?\\s*') }}
                then {{ timestamp_in_zone(timestamp_from_epoch(
                    'regexp_extract(' ~ text ~ ", '[0-9]+([.][0-9]{0," ~ {'s': 6, 'ms': 3}.get(source.unit, 0) ~ "})?', 0)",
                    source.unit
                ), source) }}
            else {{ timestamp_from_text(text, {'timezone': source.timezone}) }}
        end
    {%- elif source.timezone -%}
        case
            when {{ has_offset }} then {{ timestamp_from_iso_text(text) }}
            else {{ timestamp_in_zone(timestamp_from_iso_text(text), source) }}
        end
    {%- else -%}
        {{ timestamp_from_iso_text(text) }}
    {%- endif -%}
{%- endmacro %}

{# as strptime reads it; Spark's patterns are others, and few of them are wanted #}
{% macro timestamp_in_format(text, source) -%}
    {{ return(adapter.dispatch('timestamp_in_format')(text, source)) }}
{%- endmacro %}

{% macro duckdb__timestamp_in_format(text, source) -%}
    {%- set time = 'try_strptime(' ~ text ~ ', ' ~ sql_text(source.format) ~ ')' -%}
    {%- if '%z' in source.format -%}
        {{ utc_of(time) }}
    {%- else -%}
        {{ timestamp_in_zone('cast(' ~ time ~ ' as timestamp)', source) }}
    {%- endif -%}
{%- endmacro %}

{% macro spark__timestamp_in_format(text, source) -%}
    {%- set letters = {
        'Y': 'yyyy', 'm': 'MM', 'd': 'dd', 'H': 'HH', 'M': 'mm', 'S': 'ss', 'f': '[SSSSSS]', 'z': 'XX',
        'y': 'yy', 'j': 'DDD', 'I': 'hh', 'p': 'a', 'b': 'MMM', 'B': 'MMMM', '%': '%',
    } -%}
    {%- set pattern = namespace(text='') -%}
    {%- for literal, letter in modules.re.findall('([^%]+)|%(-?.)', source.format) -%}
        {%- if literal -%}
            {%- set pattern.text = pattern.text ~ modules.re.sub('([A-Za-z]+)', "'\\1'", literal) -%}
        {%- elif letter in letters -%}
            {%- set pattern.text = pattern.text ~ letters[letter] -%}
        {%- else -%}
            {%- do stop("The format '" ~ source.format ~ "' has %" ~ letter ~ ', which Spark does not read; build with DuckDB.') -%}
        {%- endif -%}
    {%- endfor -%}
    {{ timestamp_in_zone('try_to_timestamp(' ~ text ~ ', ' ~ sql_text(pattern.text) ~ ')', source if '%z' not in source.format else {}) }}
{%- endmacro %}

{# what the clock of the source's time zone showed -> UTC #}
{% macro timestamp_in_zone(timestamp, source) -%}
    {%- if source.timezone -%}
        {{ utc_of_wall(timestamp, source.timezone) }}
    {%- else -%}
        {{ timestamp }}
    {%- endif -%}
{%- endmacro %}

{# a value in a JSON object -> timestamp or null: text, or a number that is whole #}
{% macro timestamp_from_json(json, path, source={}) -%}
    {%- set text = text_in_json(json, path) -%}
    {%- if source.unit or source.format -%}
        {{ timestamp_from_text(text, source) }}
    {%- else -%}
        {{ timestamp_from_json_value(json, path, text, source) }}
    {%- endif -%}
{%- endmacro %}

{% macro timestamp_from_json_value(json, path, text, source) -%}
    {{ return(adapter.dispatch('timestamp_from_json_value')(json, path, text, source)) }}
{%- endmacro %}

{# a number that is not all digits, such as 1.7e12, is no time as a text #}
{% macro spark__timestamp_from_json_value(json, path, text, source) -%}
    coalesce({{ timestamp_from_text(text, source) }}, {{ timestamp_from_column('try_cast(' ~ text ~ ' as double)', 'DOUBLE', source) }})
{%- endmacro %}

{% macro duckdb__timestamp_from_json_value(json, path, text, source) -%}
    case json_type({{ json }}, {{ path }})
        when 'VARCHAR' then {{ timestamp_from_text(text, source) }}
        else {{ timestamp_from_column('try_cast(' ~ text ~ ' as double)', 'DOUBLE', source) }}
    end
{%- endmacro %}

{# any landed column -> timestamp or null, by the type it was landed with #}
{% macro timestamp_from_column(column, data_type, source={}) -%}
    {%- set data_type = data_type | upper -%}
    {%- if data_type == 'TIMESTAMP WITH TIME ZONE' -%}
        {{ utc_of(column) }}
    {%- elif data_type == 'TIMESTAMPTZ_NS' -%}
        {{ timestamp_of_nanoseconds(column) }}
    {%- elif data_type == 'TIMESTAMP_NS' -%}
        {{ timestamp_in_zone(timestamp_of_nanoseconds(column), source) }}
    {%- elif data_type.startswith('TIMESTAMP') or data_type == 'DATE' -%}
        {{ timestamp_in_zone('try_cast(' ~ column ~ ' as timestamp)', source) }}
    {%- elif source.unit or source.format -%}
        {%- if source.unit and data_type not in ('VARCHAR', 'BLOB') -%}
            {{ timestamp_in_zone(timestamp_from_epoch(column, source.unit), source) }}
        {%- else -%}
            {{ timestamp_from_text(text_from_column(column, data_type), source) }}
        {%- endif -%}
    {%- elif data_type in ('DOUBLE', 'FLOAT') or data_type.startswith('DECIMAL') -%}
        case
            when {{ column }} = floor({{ column }})
                then {{ timestamp_in_zone(timestamp_from_epoch_ms(column), source) }}
        end
    {%- elif data_type.endswith('INT') or data_type.endswith('INTEGER') -%}
        {{ timestamp_in_zone(timestamp_from_epoch_ms(column), source) }}
    {%- else -%}
        {{ timestamp_from_text(text_from_column(column, data_type), source) }}
    {%- endif -%}
{%- endmacro %}

{# a landed time that is kept to the nanosecond; Spark has it as a number #}
{% macro timestamp_of_nanoseconds(column) -%}
    {{ return(adapter.dispatch('timestamp_of_nanoseconds')(column)) }}
{%- endmacro %}

{% macro duckdb__timestamp_of_nanoseconds(column) -%}
    make_timestamp(epoch_ns({{ column }}) // 1000)
{%- endmacro %}

{% macro spark__timestamp_of_nanoseconds(column) -%}
    timestamp_micros(cast(floor({{ column }} / cast(1000 as decimal(4, 0))) as bigint))
{%- endmacro %}

{% macro seconds_between(earlier, later) -%}
    ({{ epoch_microseconds(later) }} - {{ epoch_microseconds(earlier) }}) / 1e6
{%- endmacro %}

{# a number of seconds as an interval; written out, since 1e-05 is none #}
{% macro seconds_interval(seconds) -%}
    interval '{{ "%f" | format(seconds | float) }} seconds'
{%- endmacro %}

{# what the clock on the wall shows in reporting_timezone #}
{% macro reporting_time(timestamp_utc) -%}
    {%- if var('reporting_timezone') == 'UTC' -%}
        {{ timestamp_utc }}
    {%- else -%}
        {{ wall_of_utc(timestamp_utc, var('reporting_timezone')) }}
    {%- endif -%}
{%- endmacro %}

{# the date on the wall in reporting_timezone #}
{% macro reporting_date(timestamp_utc) -%}
    cast({{ reporting_time(timestamp_utc) }} as date)
{%- endmacro %}

{# the midnight that begins a date in reporting_timezone, UTC #}
{% macro local_midnight(date) -%}
    {%- if var('reporting_timezone') == 'UTC' -%}
        cast({{ date }} as timestamp)
    {%- else -%}
        {{ utc_of_wall('cast(' ~ date ~ ' as timestamp)', var('reporting_timezone')) }}
    {%- endif -%}
{%- endmacro %}

{# the time of day on the wall in reporting_timezone, as text that no reader's zone shifts #}
{% macro local_time_text(timestamp_utc) -%}
    substr(cast(cast({{ reporting_time(timestamp_utc) }} as timestamp) as string), 12, 8)
{%- endmacro %}

{# the date there, as text #}
{% macro local_date_text(timestamp_utc) -%}
    cast({{ reporting_date(timestamp_utc) }} as string)
{%- endmacro %}

{# the moment the build began, unless the var says another #}
{% macro build_clock() -%}
    {{ timestamp_literal(var('build_clock') or run_started_at.strftime('%Y-%m-%d %H:%M:%S.%f')) }}
{%- endmacro %}

{# a time before oldest_event_time is none: its clock was never set #}
{% macro time_from_oldest(timestamp) -%}
    case when {{ timestamp }} >= {{ timestamp_literal(var('oldest_event_time')) }} then {{ timestamp }} end
{%- endmacro %}

{# a received_at that lies ahead of the build's clock, or before any, is none either #}
{% macro valid_received_at(received_at) -%}
    case
        when {{ received_at }} between {{ timestamp_literal(var('oldest_event_time')) }}
            and {{ build_clock() }} + {{ seconds_interval(var('future_tolerance_seconds')) }}
            then {{ received_at }}
    end
{%- endmacro %}

{# later than it was received, or where that is not known, than the build's clock #}
{% macro is_in_future(timestamp, valid_received_at) -%}
    {{ timestamp }} > coalesce({{ valid_received_at }}, {{ build_clock() }})
    + {{ seconds_interval(var('future_tolerance_seconds')) }}
{%- endmacro %}

{# four hours of the day on the wall in reporting_timezone: 08:00-11:59 #}
{% macro hours_band(timestamp_utc) -%}
    {%- set hour = whole_division('hour(' ~ reporting_time(timestamp_utc) ~ ')', 4) ~ ' * 4' -%}
    case when {{ timestamp_utc }} is not null then printf('%02d:00-%02d:59', {{ hour }}, {{ hour }} + 3) end
{%- endmacro %}

{# how long after an assignment a conversion is put down to it #}
{% macro effect_window() -%}
    interval '{{ var('effect_window_minutes') }} minutes'
{%- endmacro %}

{# The last date that is over for so long that what is known of it hardly changes any more. Its
   rows may still come, and its sessions go on: both are what the wait is for. By data time, unless
   alert_clock says another #}
{% macro last_whole_day(as_of) -%}
    {{ reporting_date(
        '(coalesce(' ~ timestamp_literal(var('alert_clock')) ~ ', ' ~ as_of ~ ") - interval '"
        ~ var('alert_wait_minutes') ~ " minutes')"
    ) }} - 1
{%- endmacro %}
