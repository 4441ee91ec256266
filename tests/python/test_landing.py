"""Whatever lands, nothing is lost and nothing stops the build; order and copies change nothing."""

import gzip
import io
import json
import os
import random
import re

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import zstandard
from conftest import DEMO_EVENTS, ROOT, load

cut_records = load(ROOT / "models" / "staging" / "base_app__cut_records.py")
landing_files = load(ROOT / "models" / "staging" / "base_app__landing_files.py")

# judged by the same clock in every build, whenever the test runs
VARS = {"build_clock": "2026-03-01 00:00:00"}
COLUMNS = ["event_id", "user_id", "event_name", "event_time", "received_at", "platform", "city"]
ROWS = [
    ("e1", "u1", "Journey Started", "2026-01-12 10:00:00", "2026-01-12 10:00:01", "ios", "Pune"),
    ("e2", "u1", "bus_search", "2026-01-12 10:00:05", "2026-01-12 10:00:06", "ios", None),
    ("e3", "u1", "bus_result", "2026-01-12 10:00:09.5", "2026-01-12 12:00:00", None, None),
    ("e4", "u2", 'naïve → 😀, "quoted"', "2026-01-12 11:00:00", "2026-01-12 11:00:01", "web", ""),
    ("e5", "u2", "login", "2026-01-12 11:00:02", None, "web", "Goa\nold town"),
]
CONTENT_TABLES = {
    "sessions": "select * from marts.fct_sessions",
    "events": "select * from marts.fct_session_events",
    "funnels": "select * from marts.fct_funnel_stages",
    "health": "select * from marts.fct_data_health",
    "users": "select * from marts.dim_users",
    "end events": "select * from marts.fct_end_events_daily",
}
CONTENT_MODELS = [
    "--select",
    *(f"+{name}" for name in re.findall(r"marts\.(\w+)", " ".join(CONTENT_TABLES.values()))),
]


def content(build):
    """Everything a reader sees, in an order that says nothing of how it was built."""
    assert build.success, build.output[-3000:]
    return {
        name: sorted(map(str, map(dict.items, build.rows(query))))
        for name, query in CONTENT_TABLES.items()
    }


def as_dicts(rows, empty=None):
    return [
        {
            name: empty if value in (None, "") else value
            for name, value in zip(COLUMNS, row, strict=True)
        }
        for row in rows
    ]


def write(folder, name, data):
    """Write a file; returns its path."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    return str(folder / name)


def ndjson(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def csv_text(rows, separator=","):
    table = pa.Table.from_pylist(as_dicts(rows))
    out = pa.BufferOutputStream()
    pyarrow.csv.write_csv(table, out, pyarrow.csv.WriteOptions(delimiter=separator))
    return out.getvalue().to_pybytes()


def parquet(rows):
    out = pa.BufferOutputStream()
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows)
    pyarrow.parquet.write_table(table, out)
    return out.getvalue().to_pybytes()


def in_milliseconds(rows, as_type):
    """The same rows with times as epoch milliseconds of a type."""
    with duckdb.connect() as connection:

        def epoch(value):
            query = "select epoch_ms(?::timestamp)"
            return value and as_type(connection.execute(query, [value]).fetchall()[0][0])

        return [
            row | {key: epoch(row[key]) for key in ("event_time", "received_at")} for row in rows
        ]


@pytest.mark.slow
def test_the_same_events_give_the_same_marts_in_every_format(dbt, tmp_path):
    """Parquet with text, timestamps or milliseconds, ndjson, csv, gz, zst, and all of them mixed."""
    rows = as_dicts(ROWS)
    halves = rows[:2], rows[2:]
    landings = {
        "parquet": {"a.parquet": parquet(rows)},
        "milliseconds": {"a.parquet": parquet(in_milliseconds(rows, int))},
        "ndjson": {"a.ndjson": ndjson(rows)},
        "ndjson of numbers": {"a.jsonl": ndjson(in_milliseconds(rows, int))},
        "ndjson of texts of digits": {"a.json": ndjson(in_milliseconds(rows, str))},
        "gz": {"a.ndjson.gz": gzip.compress(ndjson(rows))},
        "zst in two frames": {
            "a.ndjson.zst": b"".join(zstandard.compress(ndjson(half)) for half in halves)
        },
        "csv": {"a.csv": csv_text(ROWS)},
        "csv with a mark and CRLF": {"a.csv.gz": gzip.compress(b"\xef\xbb\xbf" + csv_text(ROWS))},
        "csv of semicolons, and of tabs": {
            "a.csv": csv_text(ROWS[:2], ";"),
            "b.csv": csv_text(ROWS[2:], "\t"),
        },
        "mixed": {
            "a.csv": csv_text(ROWS[:1]),
            "b.ndjson": ndjson(rows[1:2]),
            "c.parquet": parquet(rows[2:3]),
            "d.parquet": parquet(in_milliseconds(rows[3:4], float)),
            "e.csv": csv_text(ROWS[4:]),
        },
        "more columns here than there": {
            "a.parquet": parquet([row | {"properties": "{}"} for row in halves[0]]),
            "b.parquet": parquet(halves[1]),
        },
    }
    found = {}
    folder = tmp_path / "events"
    for name, files in landings.items():
        for old in folder.glob("*"):
            old.unlink()
        for file_name, data in files.items():
            write(folder, file_name, data)
        build = dbt("run", "--select", "+stg_app__events", events=folder, dbt_vars=VARS)
        assert build.success, build.output[-3000:]
        found[name] = sorted(map(str, build.rows("select * from staging.stg_app__events")))
    for name, staged in found.items():
        assert staged == found["parquet"], name
    assert len(found["parquet"]) == len(ROWS)


def cut(data, kind="csv"):
    """[(line number, is it readable, its text or object)] of a file's bytes."""
    return [
        (number, is_readable, json.loads(text) if is_readable else text)
        for number, is_readable, text in cut_records.RECORDS[kind](io.BytesIO(data))
    ]


@pytest.mark.parametrize(
    ("header", "separator"),
    [
        ("a,b;c", ","),
        ("a;b;c,d", ";"),
        ("a\tb", "\t"),
        ("a;b\tc", ";"),
        ("a", ","),
        ("", ","),
        ('"a;b;c","d\t\t\t"', ","),
        ('"a,b""c,,";d', ";"),
        ('"a;never closed', ","),
    ],
)
def test_the_separator_is_what_the_header_has_most_of_outside_quotes(header, separator):
    assert cut_records.separator_of(header) == separator


def test_a_csv_of_spreadsheets_is_cut_at_its_own_separator():
    """A decimal comma is text; a row that was written with another separator does not fit."""
    semicolons = b'\xef\xbb\xbf\r\n"user\n;id";price\r\nu1;1,5\r\n"u;2";\r\nu3,2\r\n'
    assert cut(semicolons) == [
        (4, True, {"user\n;id": "u1", "price": "1,5"}),
        (5, True, {"user\n;id": "u;2", "price": None}),
        (6, False, "u3,2"),
    ]
    assert cut(b"user_id\tprice\nu1\t1,5\n\n") == [(2, True, {"user_id": "u1", "price": "1,5"})]


def test_a_quote_that_never_closes_swallows_no_row():
    """What is behind it is one rejected row, also where the number of fields would fit."""
    assert cut(b'a,b\n1,2\n3,"4\n5,6\n') == [
        (2, True, {"a": "1", "b": "2"}),
        (4, False, '3,"4\n5,6'),
    ]
    assert cut(b'a,"b\n1,2\n') == [(2, False, 'a,"b\n1,2')]
    assert cut(b'a,b\n1,"2"') == [(2, True, {"a": "1", "b": "2"})]


def test_a_header_that_is_no_text_is_a_rejected_row_like_those_below():
    assert cut(b"a,\xff\n1,2\n") == [(1, False, "a,\\xff"), (2, False, "1,2")]


ONE_LINE = ndjson(as_dicts(ROWS[:1]))
PACKED_LINES = zstandard.compress(ONE_LINE * 9)
BROKEN = bytearray(gzip.compress(ONE_LINE * 9, mtime=0))
BROKEN[-20] ^= 64


@pytest.mark.parametrize(
    ("name", "data", "count"),
    [
        ("a.ndjson.gz", bytes(BROKEN), 1),
        ("a.csv.gz", bytes(BROKEN), 1),
        ("a.ndjson.zst", PACKED_LINES[:-1], 1),
        ("a.ndjson.zst", zstandard.compress(ONE_LINE) + PACKED_LINES[:5], 2),
        ("a.ndjson.zst", zstandard.compress(ONE_LINE) + b"junk", 2),
        ("a.csv.zst", PACKED_LINES[:4], 1),
    ],
)
def test_a_packed_file_that_is_broken_or_cut_off_ends_in_a_rejected_row(
    tmp_path, name, data, count
):
    write(tmp_path, name, data)
    records = list(cut_records.file_records(f"{tmp_path}/{name}", name.split(".")[1], None))
    assert len(records) == count
    assert records[-1][1] is False
    assert records[-1][2].startswith(f"{tmp_path}/{name}: ")


def test_a_parquet_file_with_a_wrong_byte_within_cannot_be_read(tmp_path):
    """Its footer is sound, so that only who reads all of it finds out."""
    data = parquet([{"user_id": "é" * 40}])
    assert landing_files.describe_parquet(write(tmp_path, "a.parquet", data), duckdb) == (
        '[["user_id", "VARCHAR"]]',
        None,
    )
    where = data.index("é".encode())
    broken = data[:where] + b"\xff" + data[where + 1 :]
    columns, error = landing_files.describe_parquet(write(tmp_path, "b.parquet", broken), duckdb)
    assert columns is None
    assert "Invalid string encoding" in error


def at(unit, zone, *times):
    return pa.array(times, pa.timestamp(unit, zone))


def test_parquet_is_read_whatever_its_names_and_times(dbt, tmp_path):
    """Patterns and columns in names, a column of DuckDB's name, times of all units and of no year."""
    start = 1768212000
    times = {
        "*.parquet": at("ns", "Asia/Kolkata", start * 10**9 + 1, None),
        "[ab].parquet": at("us", "UTC", start * 10**6, 10 - 2**63),
        "a.parquet": at("us", None, start * 10**6, 10 - 2**63),
        "?.parquet": at("ns", None, start * 10**9, -(2**63) + 1),
        "b.parquet": pa.array([20466, 2**31 - 2], pa.date32()),
    }
    folder = tmp_path / "what [lands]*"
    for name, column in times.items():
        columns = {"user_id": [name, name], "event_name": ["a", "b"], "filename": ["x", "y"]}
        write(folder, name, parquet(pa.table(columns | {"event_time": column})))
    row = {"user_id": "u", "event_name": "a", "event_time": at("s", None, start)[0].as_py()}
    write(folder / "day=1", "a.parquet", parquet([row | {"user_id": "in a folder"}]))
    write(folder, "c.parquet", parquet([row | {"user_id": "in a file", "day": 1}]))
    write(folder, os.fsdecode(b"\xff.ndjson"), ndjson(as_dicts(ROWS)))
    models = ["+stg_app__events", "stg_app__rejected_rows"]
    build = dbt("run", "--select", *models, events=folder, dbt_vars=VARS)
    assert build.success, build.output[-3000:]
    staged = build.rows("select user_id, event_name, event_at from staging.stg_app__events")
    assert {row["user_id"]: str(row["event_at"]) for row in staged} == {
        **dict.fromkeys([*times, "in a folder", "in a file"], "2026-01-12 10:00:00"),
        "b.parquet": "2026-01-13 00:00:00",
    }
    assert {row["event_name"] for row in staged} == {"a"}
    rejected = build.rows("""
        select reject_reason, count(*) as count
        from staging.stg_app__rejected_rows group by all order by 1
    """)
    assert rejected == [
        {"reject_reason": "bad_event_time", "count": len(times)},
        {"reject_reason": "unreadable", "count": 1},
    ]


GARBAGE_NDJSON = b"".join(
    line + b"\n"
    for line in [
        b'{"event_id": "g1", "user_id": "u", "event_name": "bus_search", "event_time": 1768212000000}',
        b"not json",
        b'{"event_id": "g2", "user_id": "u"',
        b"[1, 2]",
        b'"text"',
        b"null",
        b'{"event_id": "g3", "user_id": "\xff", "event_name": "a", "event_time": 1768212000000}',
        b"",
        b"   ",
        b'{"event_id": "g4", "user_id": null, "event_name": "a", "event_time": 1768212000000}',
        b'{"event_id": "g5", "user_id": " ", "event_name": "a", "event_time": 1768212000000}',
        b'{"event_id": "g6", "event_name": "a", "event_time": 1768212000000}',
        b'{"event_id": "", "user_id": "u", "event_name": "a", "event_time": 1768212000000}',
        b'{"event_id": "g7", "user_id": "u", "event_name": "\\t", "event_time": 1768212000000}',
        b'{"event_id": "g8", "user_id": "u", "event_name": "a", "event_time": "0001-01-01T00:00:00Z"}',
        b'{"event_id": "g9", "user_id": "u", "event_name": "a", "event_time": "soon"}',
        b'{"event_id": "g10", "user_id": "u", "event_name": "a", "event_time": "2030-01-01"}',
        b'{"event_id": "g1", "user_id": "u", "event_name": "bus_search", "event_time": 1768212000001}',
        b'{"event_id": "g11", "user_id": "u", "event_name": "<script>alert(1)</script>", '
        b'"event_time": 1768212001000}',
        b'{"event_id": "g12", "user_id": "u", "event_name": "' + b"n" * 1_000_000 + b'", '
        b'"event_time": 1768212002000}',
        b'{"event_id": "g13", "user_id": "{{ x }} \'; drop table y; --", "event_name": "\\u0000", '
        b'"event_time": 1768212003000}',
        b'{"event_id": "g14", "user_id": "u", "event_name": "\\ud800", "event_time": 1768212003000}',
    ]
)
GARBAGE_CSV = (
    b"event_id,user_id,event_name,event_time\n"
    b"c1,u,bus_search,1768212004000\n"
    b"c2,u,too few\n"
    b"c3,u,too,many,1768212004000\n"
    b"c4,\xfe,a,1768212004000\n"
    b'c5,"u\nv","a, ""b""",1768212004000\n'
    b"\n"
    b'c6,u,"never closed,1768212004000\n'
)


@pytest.mark.slow
def test_garbage_is_rejected_row_by_row_and_nothing_is_lost(dbt, tmp_path):
    write(tmp_path / "events", "a.ndjson", GARBAGE_NDJSON)
    write(tmp_path / "events", "b.csv", GARBAGE_CSV)
    write(tmp_path / "events", "broken.parquet", b"PAR1 this is none")
    write(tmp_path / "events", "half.ndjson.gz", gzip.compress(ndjson(as_dicts(ROWS)) * 999)[:-200])
    write(tmp_path / "events", "empty.csv", b"")
    write(tmp_path / "events", "_SUCCESS", b"")
    build = dbt(
        "build", "--exclude-resource-type", "unit_test", events=tmp_path / "events", dbt_vars=VARS
    )
    assert build.success, build.output[-3000:]
    reasons = {
        row["event_id"] or row["payload"][:20]: row["reason"]
        for row in build.rows("""
            select event_id, payload, rejected.reject_reason as reason
            from staging.stg_app__rejected_rows as rejected
            left join staging.base_app__judged_rows using (file_number, file_row_number)
            where file_name like '%a.ndjson'
        """)
    }
    assert reasons == {
        "not json": "unreadable",
        '{"event_id": "g2", "': "unreadable",
        "[1, 2]": "unreadable",
        '"text"': "unreadable",
        "null": "unreadable",
        '{"event_id": "g3", "': "unreadable",
        '{"event_id": "", "us': "missing_event_id",
        "g4": "missing_user_id",
        "g5": "missing_user_id",
        "g6": "missing_user_id",
        "g7": "missing_event_name",
        "g8": "bad_event_time",
        "g9": "bad_event_time",
        "g10": "time_in_future",
        "g1": "duplicate_event_id",
        '{"event_id": "g14", ': "unreadable",
    }
    by_file = build.rows("""
        select
            regexp_extract(file_name, '[^/]+$') as file,
            count(*) as landed,
            count(case when reject_reason = 'unreadable' then 1 end) as unreadable
        from (
            select file_number, reject_reason from staging.stg_app__rejected_rows
            union all
            select file_number, null from staging.base_app__staged_rows
        )
        inner join staging.base_app__files using (file_number)
        group by file_name
        order by file
    """)
    counts = {row["file"]: (row["landed"], row["unreadable"]) for row in by_file}
    half = counts.pop("half.ndjson.gz")
    assert half[0] > 100
    assert half[1] in (1, 2)
    assert counts == {"a.ndjson": (20, 7), "b.csv": (6, 4), "broken.parquet": (1, 1)}
    names = build.rows(
        "select event_name, event_short_name from marts.dim_event_types where not is_known"
    )
    assert "<script>alert(1)</script>" in {row["event_name"] for row in names}
    assert max(len(row["event_name"]) for row in names) == 1_000_000
    assert max(len(row["event_short_name"]) for row in names) == 80


@pytest.mark.slow
def test_shuffled_split_and_repeated_input_gives_the_same_rows(dbt, tmp_path):
    """Two days of the demo: as landed, and shuffled over files of three formats, a part twice."""
    days = sorted(DEMO_EVENTS.glob("*.parquet"))[:2]
    rows = pa.concat_tables(pyarrow.parquet.read_table(day) for day in days).to_pylist()
    whole, shuffled = tmp_path / "whole", tmp_path / "shuffled"
    write(whole, "a.parquet", parquet(rows))

    random.Random(1).shuffle(rows)
    third = len(rows) // 3
    times = ("event_time", "received_at")
    texts = [
        row | {name: row[name].isoformat() for name in times if row[name]} for row in rows[:third]
    ]
    write(shuffled, "z.ndjson", ndjson(texts))
    write(shuffled, "y.parquet", parquet(rows[third : 2 * third]))
    write(shuffled, "x.parquet", parquet(rows[2 * third :]))
    first = content(dbt("run", *CONTENT_MODELS, events=whole, dbt_vars=VARS))
    second = content(dbt("run", *CONTENT_MODELS, events=shuffled, dbt_vars=VARS))
    assert first == second

    write(shuffled, "again.ndjson", ndjson(texts))
    third_build = dbt("run", *CONTENT_MODELS, events=shuffled, dbt_vars=VARS)
    repeated = content(third_build)
    first.pop("health")
    health = repeated.pop("health")
    assert repeated == first
    assert health != second["health"]


@pytest.mark.slow
def test_rows_without_ids_make_their_own_from_all_but_received_at(dbt, tmp_path):
    """The same row received twice, in two formats, is one event; another city is another one."""
    row = {"who": "u", "what": "bus_search", "when": "2026-01-12 10:00:00", "city": "Pune", "n": 1}
    folder = tmp_path / "events"
    write(folder, "a.ndjson", ndjson([row | {"received_at": "2026-01-12 10:00:01"}]))
    write(folder, "b.ndjson", ndjson([row | {"received_at": "2026-01-12 10:00:02"}]))
    write(
        folder, "c.parquet", parquet([row | {"received_at": "2026-01-12 10:00:03", "extra": None}])
    )
    write(folder, "d.ndjson", ndjson([row | {"city": "Goa"}]))
    names = {"user_id": "who", "event_name": "what", "event_time": "when"}
    build = dbt("run", events=folder, dbt_vars=VARS | {"event_columns": names})
    assert build.success, build.output[-3000:]
    (counts,) = build.rows("""
        select sum(count_staged) as staged, sum(count_duplicate_event_id) as copies
        from marts.fct_data_health
    """)
    assert counts == {"staged": 2, "copies": 2}


@pytest.mark.slow
def test_a_landing_zone_of_nothing_but_empty_files_builds(dbt, tmp_path):
    write(tmp_path / "events", "a.ndjson", b"")
    build = dbt(
        "build", "--exclude-resource-type", "unit_test", events=tmp_path / "events", dbt_vars=VARS
    )
    assert build.success, build.output[-3000:]
    assert build.rows("select count(*) as n from marts.fct_sessions") == [{"n": 0}]
    assert build.rows("select as_of, primary_funnel from marts.dim_settings") == [
        {"as_of": None, "primary_funnel": "booking"}
    ]


@pytest.mark.parametrize("landed", ["folder", "glob", "file"])
def test_a_landing_zone_is_a_folder_a_glob_or_a_file(dbt, tmp_path, landed):
    write(tmp_path / "events", "a.ndjson", ndjson(as_dicts(ROWS)))
    folder = tmp_path / "events"
    events = {"folder": folder, "glob": folder / "*.ndjson", "file": folder / "a.ndjson"}[landed]
    build = dbt("run", "--select", "+stg_app__events", events=events, dbt_vars=VARS)
    assert build.rows("select count(*) as n from staging.stg_app__events") == [{"n": 5}]


ASSIGNMENTS = [
    {
        "assignment_id": f"a{number}",
        "intervention": "seats → 😀",
        "unit": "session",
        "user_id": "u1",
        "stage": "select_seat",
        "arm": arm,
        "assigned_at": f"2026-01-12 10:00:0{number}",
    }
    for number, arm in enumerate(["treated", "control", "variant b", "treated"])
]
LEDGER_MODELS = ["+fct_ledger_health", "+stg_app__events"]


def in_numbers(rows, as_type):
    """The same assignments with times as epoch milliseconds."""
    start = 1768212000000
    return [
        row | {"assigned_at": as_type(start + 1000 * int(row["assigned_at"][-1]))} for row in rows
    ]


@pytest.mark.slow
def test_the_same_ledger_gives_the_same_assignments_in_every_format(dbt, tmp_path):
    """Parquet, ndjson and csv; a text file of the ledger is no text file of events."""
    write(tmp_path / "events", "a.ndjson", ndjson(as_dicts(ROWS)))
    ledgers = {
        "parquet": {"a.parquet": parquet(ASSIGNMENTS)},
        "milliseconds": {"a.parquet": parquet(in_numbers(ASSIGNMENTS, int))},
        "ndjson": {"a.ndjson": ndjson(in_numbers(ASSIGNMENTS, int))},
        "csv": {"a.csv.gz": gzip.compress(ledger_csv(ASSIGNMENTS))},
        "mixed, one file twice": {
            "a.csv": ledger_csv(ASSIGNMENTS[:1]),
            "b.parquet": parquet(ASSIGNMENTS[1:]),
            "_SUCCESS": b"",
        },
    }
    folder = tmp_path / "interventions"
    for name, files in ledgers.items():
        for old in folder.glob("*"):
            old.unlink()
        for file_name, data in files.items():
            write(folder, file_name, data)
        build = dbt(
            "run",
            "--select",
            *LEDGER_MODELS,
            events=tmp_path / "events",
            interventions=folder,
            dbt_vars=VARS,
        )
        assert build.success, build.output[-3000:]
        staged = build.rows("""
            select assignment_id, intervention, user_id, session_id, arm, planned_treated_share,
            epoch_ms(assigned_at) as assigned_ms, received_at = assigned_at as is_received_then
            from staging.stg_ledger__assignments order by assignment_id
        """)
        assert staged == [
            {
                "assignment_id": f"a{number}",
                "intervention": "seats → 😀",
                "user_id": "u1",
                "session_id": None,
                "arm": arm,
                "planned_treated_share": 0.5,
                "assigned_ms": 1768212000000 + 1000 * number,
                "is_received_then": True,
            }
            for number, arm in [(0, "treated"), (1, "control"), (3, "treated")]
        ], name
        (rejected,) = build.rows(
            "select reject_reason, payload from staging.stg_ledger__rejected_rows"
        )
        assert rejected["reject_reason"] == "bad_arm"
        assert json.loads(rejected["payload"])["arm"] == "variant b"
        assert build.rows("select count(*) as n from staging.stg_app__events") == [{"n": 5}]


def ledger_csv(rows):
    out = pa.BufferOutputStream()
    pyarrow.csv.write_csv(pa.Table.from_pylist(rows), out)
    return out.getvalue().to_pybytes()


@pytest.mark.slow
def test_a_broken_ledger_stops_nothing(dbt, tmp_path):
    """Garbage, a file without its columns and one that is in both landing zones."""
    folder = tmp_path / "interventions"
    write(folder, "a.ndjson", ndjson(ASSIGNMENTS) + b"not json\n[1]\n")
    write(folder, "b.csv", b"user_id,when\nu1,soon\nu1\n")
    write(folder, "broken.parquet", b"PAR1 this is none")
    write(folder, "events.ndjson", ndjson(as_dicts(ROWS)))
    build = dbt(
        "build",
        "--exclude-resource-type",
        "unit_test",
        events=folder / "events.ndjson",
        interventions=folder,
        dbt_vars=VARS,
    )
    assert build.success, build.output[-3000:]
    counts = build.rows("select reject_reason, count_rows from marts.fct_ledger_health")
    assert {row["reject_reason"]: row["count_rows"] for row in counts if row["count_rows"]} == {
        "(staged)": 3,
        "unreadable": 4,
        "missing_assignment_id": 1 + len(ROWS),
        "bad_arm": 1,
    }
    assert build.rows("select count(*) as n from staging.stg_app__events") == [{"n": 5}]
    (result,) = build.rows(
        "select count_assigned, count_treated, evidence from marts.fct_intervention_results "
        "where segment = '(all)'"
    )
    # all three are of one session, which is therefore in both arms
    assert result == {"count_assigned": 1, "count_treated": 0, "evidence": "observational"}
