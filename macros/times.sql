{# Times: every conversion to a UTC timestamp with microseconds, cut off, never rounded. #}

{# a setting written by a person, with or without offset; null stays null #}
{% macro timestamp_literal(value) -%}
    {%- if value is none -%}
        cast(null as timestamp)
    {%- else -%}
        cast(cast('{{ value }}' as timestamptz) at time zone 'UTC' as timestamp)
    {%- endif -%}
{%- endmacro %}

{# epoch milliseconds -> timestamp; null where it is no time before the year 10000 #}
{% macro timestamp_from_epoch_ms(number) -%}
    case
        when try_cast({{ number }} as hugeint) between 0 and 253402300799999
            then make_timestamp(try_cast({{ number }} as bigint) * 1000)
    end
{%- endmacro %}

{# a number, or its text, in s, ms, us or ns since 1970 -> timestamp, cut off behind the microsecond #}
{% macro timestamp_from_epoch(number, unit) -%}
    {%- set microseconds = {
        's': 'cast(try_cast(' ~ number ~ ' as decimal(30, 6)) * 1000000 as hugeint)',
        'ms': 'cast(try_cast(' ~ number ~ ' as decimal(30, 3)) * 1000 as hugeint)',
        'us': 'try_cast(' ~ number ~ ' as hugeint)',
        'ns': 'try_cast(' ~ number ~ ' as hugeint) // 1000',
    }[unit] -%}
    case
        when {{ microseconds }} between 0 and 253402300799999999
            then make_timestamp(cast({{ microseconds }} as bigint))
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
        when regexp_full_match({{ trimmed }}, '[0-9]+')
            then {{ timestamp_from_epoch_ms(trimmed) }}
        when regexp_full_match(upper({{ trimmed }}), '{{ extended }}|{{ basic }}')
            then cast(try_cast(
                regexp_replace(
                    regexp_replace(
                        regexp_replace(
                            replace(upper({{ trimmed }}), ',', '.'),
                            '^([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})',
                            '\1-\2-\3T\4:\5'
                        ),
                        '^(.{16})([0-9]{2})', '\1:\2'
                    ),
                    '^(.{10}[T ][0-9]{2})(Z|[+-].*|)$', '\1:00\2'
                ) as timestamptz
            ) at time zone 'UTC' as timestamp)
    end
{%- endmacro %}

{# text -> timestamp or null, written as its source says: in a format, or as a number in a unit,
   or as above; where it names no offset, the clock of the source's time zone showed it #}
{% macro timestamp_from_text(text, source={}) -%}
    {%- set has_offset = 'regexp_matches(' ~ text ~ ", '[T ].*([Zz]|[+-][0-9:]+)\\s*$')" -%}
    {%- if source.format -%}
        {%- set time = 'try_strptime(' ~ text ~ ', ' ~ sql_text(source.format) ~ ')' -%}
        {%- if '%z' in source.format -%}
            cast({{ time }} at time zone 'UTC' as timestamp)
        {%- else -%}
            {{ timestamp_in_zone('cast(' ~ time ~ ' as timestamp)', source) }}
        {%- endif -%}
    {%- elif source.unit -%}
        case
            when regexp_full_match({{ text }}, '\s*[0-9]+([.][0-9]*)?\s*')
                then {{ timestamp_in_zone(timestamp_from_epoch(
                    'regexp_extract(' ~ text ~ ", '[0-9]+([.][0-9]{0," ~ {'s': 6, 'ms': 3}.get(source.unit, 0) ~ "})?')",
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

{# what the clock of the source's time zone showed -> UTC #}
{% macro timestamp_in_zone(timestamp, source) -%}
    {%- if source.timezone -%}
        cast(({{ timestamp }} at time zone {{ sql_text(source.timezone) }}) at time zone 'UTC' as timestamp)
    {%- else -%}
        {{ timestamp }}
    {%- endif -%}
{%- endmacro %}

{# a value in a JSON object -> timestamp or null: text, or a number that is whole #}
{% macro timestamp_from_json(json, path, source={}) -%}
    {%- set text = 'json_extract_string(' ~ json ~ ', ' ~ path ~ ')' -%}
    {%- if source.unit or source.format -%}
        {{ timestamp_from_text(text, source) }}
    {%- else -%}
    case json_type({{ json }}, {{ path }})
        when 'VARCHAR' then {{ timestamp_from_text(text, source) }}
        else {{ timestamp_from_column('try_cast(' ~ text ~ ' as double)', 'DOUBLE', source) }}
    end
    {%- endif -%}
{%- endmacro %}

{# any landed column -> timestamp or null, by the type it was landed with #}
{% macro timestamp_from_column(column, data_type, source={}) -%}
    {%- set data_type = data_type | upper -%}
    {%- if data_type == 'TIMESTAMP WITH TIME ZONE' -%}
        cast({{ column }} at time zone 'UTC' as timestamp)
    {%- elif data_type == 'TIMESTAMPTZ_NS' -%}
        make_timestamp(epoch_ns({{ column }}) // 1000)
    {%- elif data_type == 'TIMESTAMP_NS' -%}
        {{ timestamp_in_zone('make_timestamp(epoch_ns(' ~ column ~ ') // 1000)', source) }}
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

{% macro seconds_between(earlier, later) -%}
    (epoch_us({{ later }}) - epoch_us({{ earlier }})) / 1000000.0
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
        ({{ timestamp_utc }} at time zone 'UTC') at time zone '{{ var("reporting_timezone") }}'
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
        cast((cast({{ date }} as timestamp) at time zone '{{ var("reporting_timezone") }}') at time zone 'UTC' as timestamp)
    {%- endif -%}
{%- endmacro %}

{# what the clock on the wall shows in reporting_timezone, as text that no reader's zone shifts #}
{% macro local_time_text(timestamp_utc, pattern='%H:%M:%S') -%}
    strftime(cast({{ reporting_time(timestamp_utc) }} as timestamp), '{{ pattern }}')
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
    {%- set hour = 'hour(' ~ reporting_time(timestamp_utc) ~ ') // 4 * 4' -%}
    printf('%02d:00-%02d:59', {{ hour }}, {{ hour }} + 3)
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
