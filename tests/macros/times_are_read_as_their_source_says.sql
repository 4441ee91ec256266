{# a unit, a format or a time zone that event_columns gives; else as always #}
with

cases (case_name, expected, actual) as (

    {% for source, landed, expected in [
        ({'unit': 's'}, '1768212000', '2026-01-12 10:00:00'),
        ({'unit': 's'}, '1768212000.1234567', '2026-01-12 10:00:00.123456'),
        ({'unit': 's'}, '1768212000123', none),
        ({'unit': 's'}, '2026-01-12T10:00:00Z', '2026-01-12 10:00:00'),
        ({'unit': 'ms'}, '1768212000123.4567', '2026-01-12 10:00:00.123456'),
        ({'unit': 'us'}, '1768212000123456', '2026-01-12 10:00:00.123456'),
        ({'unit': 'ns'}, '1768212000123456999', '2026-01-12 10:00:00.123456'),
        ({'unit': 'ns'}, '-1', none),
        ({'unit': 's', 'timezone': 'Asia/Kolkata'}, '1768212000', '2026-01-12 04:30:00'),
        ({'format': '%d.%m.%Y %H:%M'}, '12.01.2026 10:00', '2026-01-12 10:00:00'),
        ({'format': '%d.%m.%Y %H:%M'}, '2026-01-12 10:00', none),
        (
            {'format': '%Y%m%d%H%M%S', 'timezone': 'Asia/Kolkata'},
            '20260112153000', '2026-01-12 10:00:00'
        ),
        (
            {'format': '%d.%m.%Y %H:%M %z', 'timezone': 'Asia/Kolkata'},
            '12.01.2026 11:00 +0100', '2026-01-12 10:00:00'
        ),
        ({'timezone': 'Asia/Kolkata'}, '2026-01-12 15:30:00', '2026-01-12 10:00:00'),
        ({'timezone': 'Asia/Kolkata'}, '2026-01-12T10:00:00Z', '2026-01-12 10:00:00'),
        ({'timezone': 'America/New_York'}, '2026-07-12 06:00:00', '2026-07-12 10:00:00'),
    ] %}
    {% for way, actual in {
        'text': timestamp_from_text(sql_text(landed), source),
        'json': timestamp_from_json(sql_text(tojson({'a': landed})), "'$.a'", source),
    }.items() %}
    select
        {{ sql_text(way ~ ' ' ~ landed ~ ' ' ~ source) }} as case_name,
        {{ timestamp_literal(expected) }} as expected,
        {{ actual }} as actual
    union all
    {% endfor %}
    {% endfor %}
    select
        'number of seconds' as case_name,
        timestamp '2026-01-12 10:00:00' as expected,
        {{ timestamp_from_column('1768212000', 'INTEGER', {'unit': 's'}) }} as actual
    union all
    select
        'number in json' as case_name,
        timestamp '2026-01-12 10:00:00.5' as expected,
        {{ timestamp_from_json(
            "'{" ~ '"a": 1768212000.5' ~ "}'", "'$.a'", {'unit': 's'}
        ) }} as actual
    union all
    select
        'timestamp on a local clock' as case_name,
        timestamp '2026-01-12 10:00:00' as expected,
        {{ timestamp_from_column(
            "timestamp '2026-01-12 15:30:00'", 'TIMESTAMP', {'timezone': 'Asia/Kolkata'}
        ) }} as actual

)

select *
from cases
where actual is distinct from expected
