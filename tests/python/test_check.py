"""The checks of what lands: each expectation met and broken, and what a run says and remembers."""

import gzip
import importlib.util
import json
import os
import re
import socket
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from vendor_exports import EXPORTS

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("landing_check", ROOT / "landing" / "check.py")
check = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check)

EXIST = "expect_column_to_exist"
NOT_NULL = "expect_column_values_to_not_be_null"
IN_SET = "expect_column_values_to_be_in_set"
UNIQUE = "expect_column_values_to_be_unique"
BETWEEN = "expect_column_values_to_be_between"
RECEIVED = "expect_column_pair_values_a_to_be_greater_than_b"
VOLUME = "expect_table_row_count_to_be_between"
ALL_ROWS = "expect_table_row_count_to_equal"

START = datetime(2026, 1, 12)


@pytest.fixture
def landing(tmp_path, monkeypatch):
    """An empty landing zone with settings, as the current folder."""
    monkeypatch.chdir(tmp_path)
    settings = ("EVENTS", "INTERVENTIONS", "SEEDS", "WAREHOUSE")
    for name in (f"DROPOFF_{setting}" for setting in settings):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "event_types.csv").write_text(
        "event_name,role,label\nopen,starter,\nlook,step,\n"
    )
    (tmp_path / "seeds" / "funnel_stages.csv").write_text("funnel,stage\nbooking,select_seat\n")
    folder = tmp_path / "landing" / "events"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def run(landing, capsys):
    """Run the checks as a command; give the exit code, what was printed, and the rows."""

    def run_command(*arguments):
        code = check.main(list(arguments))
        out, err = capsys.readouterr()
        return code, out, err

    return run_command


def events(count=200, **columns):
    """A frame of good events, a second apart."""
    times = [START + timedelta(seconds=second) for second in range(count)]
    frame = {
        "event_id": [f"e{number}" for number in range(count)],
        "user_id": ["u"] * count,
        "event_name": ["open", "look"] * (count // 2) + ["look"] * (count % 2),
        "event_time": times,
        "received_at": times,
    }
    return pd.DataFrame({**frame, **columns})


def broken(good, bad, count_bad, count=200):
    """So many bad values, then good ones."""
    return [bad] * count_bad + [good] * (count - count_bad)


def rows_of(out="warehouse.checks.ndjson"):
    return [json.loads(line) for line in Path(out).read_text().splitlines()]


def row_of(expectation, column=None, file_name="landing/events/a.parquet"):
    (row,) = [
        row
        for row in rows_of()
        if (row["file_name"], row["expectation"], row["column_name"])
        == (file_name, expectation, column)
    ]
    return row


# --- each expectation, met and broken ------------------------------------------------------------


def test_good_events_meet_every_expectation(landing, run):
    events().to_parquet(landing / "a.parquet")
    assert run() == (0, "1 file checked, 0 expectations not met\n", "")
    rows = rows_of()
    assert {row["expectation"] for row in rows} == {
        check.READABLE,
        EXIST,
        NOT_NULL,
        IN_SET,
        UNIQUE,
        BETWEEN,
        RECEIVED,
        VOLUME,
    }
    assert all(row["is_met"] and not row["is_fatal"] for row in rows)
    keys = [(row["file_name"], row["expectation"], row["column_name"] or "") for row in rows]
    assert keys == sorted(set(keys))
    whole = ["file_name", "file_size", "checked_at", "expectation", "is_met", "observed", "message"]
    assert all(row[name] is not None for row in rows for name in whole)
    assert all(re.fullmatch(r"[^.].*\.", row["message"]) for row in rows)


@pytest.mark.parametrize(
    ("column", "expectation", "values", "unmet"),
    [
        ("user_id", NOT_NULL, broken("u", None, 6), False),
        ("user_id", NOT_NULL, broken("u", " \t", 7), True),
        ("event_id", NOT_NULL, [None] * 7 + [f"e{number}" for number in range(193)], True),
        ("event_name", NOT_NULL, broken("open", "", 7), True),
        ("event_time", NOT_NULL, broken("2026-01-12T00:00:00Z", "soon", 6), False),
        ("event_time", NOT_NULL, broken("2026-01-12T00:00:00Z", "soon", 7), True),
        ("event_name", IN_SET, broken("open", "mystery", 10), False),
        ("event_name", IN_SET, broken("open", "mystery", 11), True),
        (
            "event_id",
            UNIQUE,
            ["e1", "e1", "e2", "e2"] + [f"f{number}" for number in range(196)],
            False,
        ),
        ("event_id", UNIQUE, ["e1"] * 5 + [f"f{number}" for number in range(195)], True),
        ("event_time", BETWEEN, broken(START, datetime(1999, 12, 31), 4), False),
        ("event_time", BETWEEN, broken(START, datetime(1999, 12, 31), 5), True),
        ("event_time", BETWEEN, broken("2026-01-12", "0001-01-01T00:00:00Z", 5), True),
        ("event_time", BETWEEN, broken("1768219200000", "999999999999999", 5), True),
    ],
)
def test_a_share_is_met_up_to_its_tolerance(landing, run, column, expectation, values, unmet):
    received = [START + timedelta(seconds=1)] * 200
    events(**{column: values, "received_at": received}).to_parquet(landing / "a.parquet")
    code, _, err = run()
    row = row_of(expectation, column)
    assert (code, err, row["is_met"], row["is_fatal"]) == (0, "", not unmet, False)


@pytest.mark.parametrize(("ahead", "unmet"), [(300, False), (301, True)])
def test_an_event_may_be_ahead_of_its_receipt_by_the_tolerance(landing, run, ahead, unmet):
    times = [START + timedelta(seconds=ahead)] * 200
    events(event_time=times, received_at=[START] * 200).to_parquet(landing / "a.parquet")
    assert run()[0] == 0
    assert row_of(RECEIVED, "event_time")["is_met"] is not unmet


@pytest.mark.parametrize(
    ("count_before", "count_rows", "message"),
    [
        (5, 10, "The file has 10 rows, where 10 to 1,000 are expected."),
        (5, 9, "The file has 9 rows, where 10 to 1,000 are expected."),
        (5, 1001, "The file has 1,001 rows, where 10 to 1,000 are expected."),
        (4, 9, "The file has 9 rows, where at least 1 are expected."),
    ],
)
def test_a_file_far_from_the_volume_of_those_before_is_noted(
    landing, run, count_before, count_rows, message
):
    for number in range(count_before):
        events(100).to_parquet(landing / f"a{number}.parquet")
    run()
    events(count_rows).to_parquet(landing / "b.parquet")
    assert run()[0] == 0
    row = row_of(VOLUME, file_name="landing/events/b.parquet")
    assert row["message"] == message
    assert row["is_met"] is not (count_before == 5 and count_rows != 10)


def test_an_empty_file_is_noted(landing, run):
    (landing / "a.ndjson").write_text("")
    events(0).to_parquet(landing / "b.parquet")
    (landing / "c.csv").write_text("user_id,event_name,event_time\n")
    assert run()[:2] == (0, "3 files checked, 3 expectations not met\n")


@pytest.mark.parametrize("event_format", EXPORTS)
def test_exports_of_other_tools_meet_what_is_expected_of_times(landing, run, event_format):
    told = events().assign(platform="ios", app_version=None, city="Pune").to_dict("records")
    for event in told:
        for name in ("event_time", "received_at"):
            event[name] = event[name].to_pydatetime()
    for write in EXPORTS[event_format].values():
        write(told, landing)
    code, _, err = run("--vars", f"{{event_format: {event_format}}}")
    assert (code, err) == (0, "")
    unmet = {(row["expectation"], row["column_name"]) for row in rows_of() if not row["is_met"]}
    assert unmet == set()


# --- what stops the run --------------------------------------------------------------------------


def test_a_missing_column_stops_the_run_with_one_sentence_until_it_is_mapped(landing, run):
    events().rename(columns={"user_id": "distinct_id"}).to_parquet(landing / "a.parquet")
    sentence = (
        "landing/events/a.parquet does not meet expect_column_to_exist: there is no column for "
        "user_id; say in event_columns which column is user_id, or take the file away.\n"
    )
    assert run() == (1, "1 file checked, 1 expectation not met\n", sentence)
    assert row_of(EXIST, "user_id")["is_fatal"] is True
    assert run() == (1, "nothing new to check\n", sentence)
    mapped = run("--vars", "{event_columns: {user_id: distinct_id}}")
    assert mapped == (0, "1 file checked, 0 expectations not met\n", "")


@pytest.mark.parametrize(
    ("column", "bad", "expectation"),
    [
        ("user_id", None, NOT_NULL),
        ("event_time", "soon", NOT_NULL),
        ("event_time", "1768219200", BETWEEN),
    ],
)
def test_nearly_all_rows_rejected_stops_the_run(landing, run, column, bad, expectation):
    good = "2026-01-12T00:00:00Z"
    events(**{column: broken(good, bad, 180)}).to_parquet(landing / "a.parquet")
    assert run()[0] == 0
    events(**{column: broken(good, bad, 181)}).to_parquet(landing / "a.parquet")
    code, _, err = run()
    assert code == 1
    assert f"landing/events/a.parquet does not meet {expectation}: {column} is" in err
    cure = f"; say in event_columns which column is {column}, or take the file away.\n"
    assert err.endswith(cure)
    assert err.count("\n") == 1


def test_a_small_file_of_garbage_stops_nothing(landing, run):
    events().to_parquet(landing / "a.parquet")
    rows = [{"user_id": None, "event_name": "<script>" * 100_000, "event_time": "0001-01-01"}] * 20
    lines = [json.dumps(row) for row in rows] + [
        "{",
        "[]",
        '{"user_id": "\\ud800"}',
        '{"user_id": [1]}',
    ]
    (landing / "b.ndjson").write_bytes("\n".join(lines).encode() + b"\n\xff\xfe\n")
    assert run()[0] == 0
    garbage = [row for row in rows_of() if row["file_name"].endswith("b.ndjson")]
    assert max(len(row["observed"]) for row in garbage) < 100
    assert row_of(ALL_ROWS, file_name="landing/events/b.ndjson")["observed"] == "4 unreadable"


def test_a_file_without_ids_among_files_with_ids_stops_the_run(landing, run):
    events().drop(columns="event_id").to_parquet(landing / "a.parquet")
    assert run()[0] == 0
    events().drop(columns="event_id").to_csv(landing / "b.csv", index=False)
    events().to_csv(landing / "c.csv", index=False)
    code, _, err = run()
    assert code == 1
    assert "landing/events/b.csv does not meet expect_column_values_to_not_be_null: event_id" in err


def test_a_corrupt_file_is_recorded_and_fatal_only_where_all_are(landing, run):
    (landing / "a.parquet").write_bytes(b"PAR1 and no more")
    (landing / "b.ndjson.gz").write_bytes(gzip.compress(b'{"user_id": "u"}\n' * 999)[:30])
    (landing / "c.csv.zst").write_bytes(b"not compressed")
    (landing / "d.ndjson").write_bytes(b"\xff\xfe\n{\n")
    (landing / "e.xlsx").write_bytes(b"")
    code, out, err = run()
    assert (code, out) == (1, "5 files checked, 5 expectations not met\n")
    assert err.startswith(
        "landing/events/a.parquet does not meet expect_file_to_be_readable (and 4 more like it): "
    )
    assert err.endswith("; land it again, or point DROPOFF_EVENTS elsewhere.\n")
    assert row_of(check.READABLE)["is_fatal"] is True
    events().to_parquet(landing / "f.parquet")
    assert run() == (0, "1 file checked, 0 expectations not met\n", "")
    assert row_of(check.READABLE)["is_met"] is False
    assert row_of(check.READABLE)["is_fatal"] is False
    assert re.fullmatch(r"The file cannot be read: .+\.", row_of(check.READABLE)["message"])


def parquet_with_a_column_twice():
    table, out = pa.table(events()), pa.BufferOutputStream()
    pq.write_table(table.append_column("user_id", table["user_id"]), out)
    return out.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.parquet", b"PAR1 and no more", "the file cannot be read: "),
        (
            "a.json",
            b'[\n{"user_id": 1},\n]\n',
            "the file cannot be read: none of its 3 rows is one; land it again, or "
            "point DROPOFF_EVENTS elsewhere.",
        ),
        (
            "twice.parquet",
            parquet_with_a_column_twice(),
            "the file cannot be read: its column user_id is no good; land it again, or point "
            "DROPOFF_EVENTS elsewhere.",
        ),
        (
            "a.xlsx",
            b"",
            "the file cannot be read: its name ends in none of .parquet, .ndjson, .jsonl, .json, .csv;",
        ),
    ],
)
def test_a_landing_zone_of_one_unreadable_file_says_why(landing, run, name, content, sentence):
    (landing / name).write_bytes(content)
    code, _, err = run()
    assert code == 1
    place = f"landing/events/{name} does not meet expect_file_to_be_readable: "
    assert err.startswith(place + sentence)
    assert err.endswith("; land it again, or point DROPOFF_EVENTS elsewhere.\n")


# --- formats, columns, types ---------------------------------------------------------------------


def test_ndjson_and_csv_are_read_compressed_or_not(landing, run):
    frame = events().astype({"event_time": str, "received_at": str})
    lines = frame.to_json(orient="records", lines=True).encode()
    table = frame.to_csv(index=False).encode()
    (landing / "a.ndjson").write_bytes(lines + b"\n \n")
    (landing / "b.jsonl.gz").write_bytes(gzip.compress(lines))
    (landing / "c.ndjson.zst").write_bytes(zstandard.compress(lines))
    (landing / "d.csv").write_bytes(b"\xef\xbb\xbf" + table + b"\n")
    (landing / "e.csv.gz").write_bytes(gzip.compress(table))
    (landing / "f.csv.zst").write_bytes(zstandard.compress(table))
    assert run() == (0, "6 files checked, 0 expectations not met\n", "")
    assert {row["count_rows"] for row in rows_of()} == {200}


def test_lines_that_cannot_be_read_are_counted(landing, run):
    text = events().to_csv(index=False)
    (landing / "a.csv").write_text(
        text + "one,two\n" + "\n" + '"a\nb",u,open,2026-01-12,2026-01-12\n'
    )
    assert run()[:2] == (0, "1 file checked, 1 expectation not met\n")
    row = row_of(ALL_ROWS, file_name="landing/events/a.csv")
    assert row["message"] == "Of 202 rows 1 cannot be read and will be rejected."


def test_a_file_is_read_as_the_build_reads_it(landing, run):
    """Capitals in an ending, semicolons, CR alone; what is broken or odd is told, not raised."""
    frame = events().astype({"event_time": str, "received_at": str})
    semicolons = frame.to_csv(index=False, sep=";").replace("\n", "\r").encode()
    (landing / "a.CSV").write_bytes(semicolons)
    (landing / "b.Csv.GZ").write_bytes(gzip.compress(semicolons))
    assert run() == (0, "2 files checked, 0 expectations not met\n", "")
    (landing / "cut.csv.zst").write_bytes(zstandard.compress(semicolons)[:-9])
    times = pa.array([2**31 - 1] * 200, pa.date32())
    pq.write_table(pa.table({**events(), "event_time": times}), landing / "far.parquet")
    (landing / "twice.parquet").write_bytes(parquet_with_a_column_twice())
    (landing / os.fsdecode(b"\xff.ndjson")).write_bytes(b"{}\n")
    code, out, err = run()
    assert (code, out[:16]) == (1, "4 files checked,")
    assert err.startswith("landing/events/\\xff.ndjson does not meet expect_column_to_exist")
    told = {(row["file_name"][15:], row["message"]) for row in rows_of() if not row["is_met"]}
    assert {
        (
            "cut.csv.zst",
            "The file cannot be read: The file ends before the end of its zstd frame.",
        ),
        ("twice.parquet", "The file cannot be read: its column user_id is no good."),
        (
            "far.parquet",
            "event_time is before 2000 or yet to come in 100 % of 200 rows, and more than 2 % is "
            "unusual.",
        ),
    } < told


@pytest.mark.parametrize(
    ("written", "texts"),
    [
        ("%-d.%-m.%Y %H:%M", ["1.2.2026 10:00", "01.02.2026 10:00"]),
        ("%d.%m.%Y %H:%M:%S.%g", ["01.02.2026 10:00:00.000"]),
        ("%d.%m.%Y %%n %H:%M:%S.%n", ["01.02.2026 %n 10:00:00.000000000"]),
    ],
)
def test_times_in_a_format_of_duckdb_are_read(written, texts):
    times = check.as_times_of(pd.Series(texts), {"column": "t", "format": written})
    assert set(times) == {pd.Timestamp("2026-02-01 10:00")}


@pytest.mark.parametrize(
    "times",
    [
        pd.Series([1768219200000, 1768219200000.0, "1768219200000", "2026-01-12T17:30:00+05:30"]),
        pd.Series([1768219200000] * 4),
        pd.Series([1768219200000.0, 1768219200000.0, 1768219200000.0, 1768219200000]),
        pd.Series(["2026-01-12 12:00:00", "2026-01-12T12:00:00Z"] * 2),
        pd.Series(pd.to_datetime(["2026-01-12 12:00:00+00:00"] * 4)).dt.tz_convert("Asia/Kolkata"),
        pd.Series(pd.to_datetime(["2026-01-12 12:00:00"] * 4)).astype("datetime64[s]"),
        pd.Series(pd.to_datetime(["2026-01-12 12:00:00"] * 4)).astype("datetime64[ns]"),
    ],
)
def test_what_is_a_time(times):
    assert list(check.as_times(times)) == [pd.Timestamp("2026-01-12 12:00:00")] * 4


def test_what_is_no_time():
    values = ["soon", "", None, True, [1], "-5", "12/01/2026", "99999999999999999999"]
    assert check.as_times(pd.Series(values, dtype=object)).isna().all()


def test_columns_go_by_their_mapped_names(landing, run):
    names = {
        "event_id": "$insert_id",
        "user_id": "distinct_id",
        "event_name": "event",
        "event_time": "ts",
    }
    events().rename(columns=names).to_csv(landing / "a.csv", index=False)
    code, out, _ = run("--vars", json.dumps({"event_columns": names}))
    assert (code, out) == (0, "1 file checked, 0 expectations not met\n")
    row_of(UNIQUE, "event_id", "landing/events/a.csv")


# --- what is remembered --------------------------------------------------------------------------


def test_only_new_and_changed_files_are_checked_again(landing, run):
    events().to_parquet(landing / "a.parquet")
    events().to_parquet(landing / "b.parquet")
    run()
    before = rows_of()
    assert run() == (0, "nothing new to check\n", "")
    assert rows_of() == before
    events(100).to_parquet(landing / "b.parquet")
    events(150).to_parquet(landing / "c.parquet")
    assert run()[1] == "2 files checked, 0 expectations not met\n"
    counts = {row["file_name"][-9:]: row["count_rows"] for row in rows_of()}
    assert counts == {"a.parquet": 200, "b.parquet": 100, "c.parquet": 150}
    kept = [row for row in rows_of() if row["file_name"].endswith("a.parquet")]
    assert kept == [row for row in before if row["file_name"].endswith("a.parquet")]


def test_a_file_touched_or_taken_away_is_noticed(landing, run):
    events().to_parquet(landing / "a.parquet")
    events().to_parquet(landing / "b.parquet")
    run()
    os.utime(landing / "a.parquet", (0, 0))
    assert run()[1] == "1 file checked, 0 expectations not met\n"
    (landing / "b.parquet").unlink()
    assert run()[1] == "nothing new to check\n"
    assert {row["file_name"] for row in rows_of()} == {"landing/events/a.parquet"}


def test_other_settings_check_all_files_again(landing, run):
    events().to_parquet(landing / "a.parquet")
    run()
    Path("seeds/event_types.csv").write_text("event_name,role,label\nopen,starter,\n")
    assert run()[1] == "1 file checked, 1 expectation not met\n"
    assert row_of(IN_SET, "event_name")["observed"] == "50 % unknown, such as look"


def test_with_nothing_new_great_expectations_is_not_imported(landing, run, monkeypatch):
    events().to_parquet(landing / "a.parquet")
    run()
    monkeypatch.setattr(check, "Checker", None)
    assert run() == (0, "nothing new to check\n", "")


def test_rows_that_are_not_whole_are_made_anew(landing, run):
    events().to_parquet(landing / "a.parquet")
    Path("warehouse.checks.ndjson").write_text('{"file_name": "landing/ev')
    assert run()[1] == "1 file checked, 0 expectations not met\n"


def test_nothing_is_left_behind_and_nobody_asked(landing, run, monkeypatch):
    asked = []
    monkeypatch.setattr(socket.socket, "connect", lambda *address: asked.append(address))
    events().to_parquet(landing / "a.parquet")
    before = set(Path().rglob("*"))
    run()
    assert set(Path().rglob("*")) - before == {Path("warehouse.checks.ndjson")}
    assert not asked
    assert os.environ["GX_ANALYTICS_ENABLED"] == "False"


# --- the ledger of interventions -----------------------------------------------------------------

LEDGER = "landing/interventions/a.parquet"


@pytest.fixture
def ledger(landing):
    """An empty folder of the ledger, beside a landing zone of good events."""
    events().to_parquet(landing / "a.parquet")
    folder = landing.parent / "interventions"
    folder.mkdir()
    return folder


def assignments(count=200, **columns):
    """A frame of good assignments, a second apart."""
    times = [START + timedelta(seconds=second) for second in range(count)]
    frame = {
        "assignment_id": [f"a{number}" for number in range(count)],
        "intervention": "seats",
        "unit": "session",
        "user_id": "u",
        "stage": "select_seat",
        "arm": ["treated", "control"] * (count // 2),
        "assigned_at": times,
        "received_at": times,
    }
    return pd.DataFrame({**frame, **columns})


def test_a_good_ledger_meets_every_expectation(ledger, run):
    assignments().to_parquet(ledger / "a.parquet")
    assert run() == (0, "2 files checked, 0 expectations not met\n", "")
    rows = [row for row in rows_of() if row["file_name"] == LEDGER]
    assert {(row["expectation"], row["column_name"]) for row in rows} == {
        (check.READABLE, None),
        (VOLUME, None),
        *((EXIST, name) for name in check.REQUIRED_LEDGER_COLUMNS),
        *((NOT_NULL, name) for name in check.REQUIRED_LEDGER_COLUMNS),
        (UNIQUE, "assignment_id"),
        (IN_SET, "unit"),
        (IN_SET, "arm"),
        (IN_SET, "stage"),
        (BETWEEN, "assigned_at"),
        (RECEIVED, "assigned_at"),
    }
    assert all(row["is_met"] for row in rows)
    assert run() == (0, "nothing new to check\n", "")


@pytest.mark.parametrize(
    ("expectation", "column", "columns", "message"),
    [
        (
            IN_SET,
            "arm",
            {"arm": broken("treated", "variant b", 20)},
            "arm is not treated or control in 10 % of 200 rows, and more than 5 % is unusual.",
        ),
        (
            IN_SET,
            "unit",
            {"unit": "device"},
            "unit is not session or user in 100 % of 200 rows, and more than 5 % is unusual.",
        ),
        (
            IN_SET,
            "stage",
            {"stage": "checkout"},
            "stage is not in funnel_stages.csv in 100 % of 200 rows, and more than 5 % is unusual.",
        ),
        (
            NOT_NULL,
            "user_id",
            {"user_id": broken("u", " ", 7)},
            "user_id is missing in 3.5 % of 200 rows, and more than 3 % is unusual.",
        ),
        (
            NOT_NULL,
            "assigned_at",
            {"assigned_at": None},
            "assigned_at is missing or not a time in 100 % of 200 rows, "
            "and more than 3 % is unusual.",
        ),
        (
            BETWEEN,
            "assigned_at",
            {"assigned_at": datetime(1970, 1, 1)},
            "assigned_at is before 2000 or yet to come in 100 % of 200 rows, "
            "and more than 2 % is unusual.",
        ),
        (
            UNIQUE,
            "assignment_id",
            {"assignment_id": "a"},
            "assignment_id is shared with another row in 100 % of 200 rows, "
            "and more than 2 % is unusual.",
        ),
        (
            RECEIVED,
            "assigned_at",
            {"received_at": START - timedelta(seconds=301)},
            "assigned_at is later than the receipt in 100 % of 200 rows, "
            "and more than 2 % is unusual.",
        ),
    ],
)
def test_a_bad_ledger_is_told_and_stops_nothing(ledger, run, expectation, column, columns, message):
    assignments(**columns).to_parquet(ledger / "a.parquet")
    code, _, err = run()
    assert (code, err) == (0, "")
    row = row_of(expectation, column, file_name=LEDGER)
    assert (row["is_met"], row["is_fatal"], row["message"]) == (False, False, message)


@pytest.mark.parametrize("column", check.REQUIRED_LEDGER_COLUMNS)
def test_a_ledger_without_a_column_stops_nothing(ledger, run, column):
    assignments().drop(columns=column).to_parquet(ledger / "a.parquet")
    assert run()[0] == 0
    row = row_of(EXIST, column, file_name=LEDGER)
    assert (row["is_met"], row["is_fatal"]) == (False, False)


def test_a_ledger_that_cannot_be_read_stops_nothing(ledger, run):
    (ledger / "a.parquet").write_bytes(b"PAR1 this is none")
    assert run() == (0, "2 files checked, 1 expectation not met\n", "")


def test_only_the_demo_has_a_ledger_that_is_not_named(ledger, run, monkeypatch):
    assignments().to_parquet(ledger / "a.parquet")
    assert run("--events", "landing/events/a.*")[1].startswith("1 file checked")
    assert run("--events", "landing/events")[1].startswith("1 file checked")
    monkeypatch.setenv("DROPOFF_INTERVENTIONS", "")
    assert run()[1] == "nothing new to check\n"
    assert {row["file_name"] for row in rows_of()} == {"landing/events/a.parquet"}
    monkeypatch.setenv("DROPOFF_INTERVENTIONS", "landing/none")
    assert run()[1] == "nothing new to check\n"


# --- arguments -----------------------------------------------------------------------------------


def test_the_environment_gives_the_defaults(landing, run, monkeypatch):
    (landing / "day=1").mkdir()
    events().to_parquet(landing / "day=1" / "a.parquet")
    (landing / "_SUCCESS").write_text("")
    (landing / "b.parquet.part").write_text("half of it")
    Path("other").mkdir()
    Path("seeds/event_types.csv").rename("other/event_types.csv")
    monkeypatch.setenv("DROPOFF_EVENTS", "landing/events")
    monkeypatch.setenv("DROPOFF_SEEDS", "other")
    monkeypatch.setenv("DROPOFF_WAREHOUSE", "below/shop.duckdb")
    assert run() == (0, "1 file checked, 0 expectations not met\n", "")
    assert rows_of("below/shop.checks.ndjson")[0]["file_name"] == "landing/events/day=1/a.parquet"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--events", "none/*"],
            "No landed file matches 'none/*'; set DROPOFF_EVENTS (--events) to a folder or a glob "
            "of parquet, ndjson or csv files.\n",
        ),
        (
            ["--interventions", "none/*"],
            "No ledger file matches 'none/*'; set DROPOFF_INTERVENTIONS (--interventions) to a "
            "folder or a glob of parquet, ndjson or csv files.\n",
        ),
        (
            ["--interventions", "none.csv"],
            "No ledger file matches 'none.csv'; set DROPOFF_INTERVENTIONS (--interventions) to a "
            "folder or a glob of parquet, ndjson or csv files.\n",
        ),
        (
            ["--seeds", "none"],
            "none/event_types.csv cannot be read (No such file or directory); set DROPOFF_SEEDS "
            "(--seeds) to a folder of settings.\n",
        ),
        (
            ["--seeds", "latin"],
            "latin/event_types.csv is not UTF-8 text; save the file as CSV in UTF-8.\n",
        ),
        (
            ["--seeds", "semicolons"],
            "semicolons/event_types.csv, line 1: the column event_name is missing; the first line "
            "names the columns, with commas between.\n",
        ),
        (
            ["--out", "seeds"],
            "seeds cannot be read or written (Is a directory); the checks are kept beside the "
            "warehouse, which DROPOFF_WAREHOUSE names.\n",
        ),
        (
            ["--vars", "{event_columns: []}"],
            "The var event_columns is '[]'; write it like {user_id: distinct_id}.\n",
        ),
        *(
            (
                ["--vars", text],
                f"VARS (--vars) is '{text}', which is no YAML mapping; write it like "
                "'{control_share: 0.2}'.\n",
            )
            for text in ("{", "just text", "[1]")
        ),
        *(
            (
                ["--vars", f"{{oldest_event_time: {text}}}"],
                f"The var oldest_event_time is '{told}', which is no time; write it like "
                "2026-02-16 00:00:00.\n",
            )
            for text, told in [("soon", "soon"), ("null", "None"), ("[1]", "[1]"), ("2", "2")]
        ),
        (
            ["--vars", "{event_columns: {event_time: {column: t, unit: [s]}}}"],
            "The var event_columns maps event_time to '{'column': 't', 'unit': ['s']}', where the "
            "unit '['s']' is none of s, ms, us, ns.\n",
        ),
    ],
)
def test_bad_settings_are_one_sentence(landing, run, arguments, sentence):
    events().to_parquet(landing / "a.parquet")
    for name, content in {
        "latin": "é,\n".encode("latin-1"),
        "semicolons": b"event_name;role\nopen;starter\n",
    }.items():
        Path(name).mkdir()
        Path(name, "event_types.csv").write_bytes(content)
    assert run(*arguments) == (2, "", sentence)


WRONG_COLUMNS = [
    ({"event_format": "shop"}, "The var event_format is 'shop', which is none of amplitude, "),
    ({"event_format": ["ga4"]}, "The var event_format is '['ga4']', which is none of amplitude, "),
    (
        {"event_formats": 5},
        "The var event_formats is '5'; write it like {shop: {user_id: who}}.",
    ),
    (
        {"event_formats": {"shop": {"who": "x"}}, "event_format": "shop"},
        "The var event_formats maps 'who', which is none of event_id, user_id, event_name, "
        "event_time, received_at, platform, app_version, city.",
    ),
    *(
        (
            {"event_columns": {ours: written}},
            f"The var event_columns maps {ours} to '{written}', {told}",
        )
        for ours, written, told in [
            (
                "user_id",
                [],
                "which names no column; write it like {user_id: [user_id, anonymous_id]}.",
            ),
            ("user_id", 5, "which is no column's name; write it like {user_id: distinct_id}."),
            (
                "event_time",
                {"column": "at", "zone": "UTC"},
                "where 'zone' is none of column, unit, format, timezone.",
            ),
            (
                "city",
                {"column": "town", "unit": "s"},
                "but only event_time and received_at have a unit, a format or a time zone.",
            ),
            (
                "event_time",
                {"column": "at", "unit": "days"},
                "where the unit 'days' is none of s, ms, us, ns.",
            ),
            (
                "event_time",
                {"column": "at", "unit": "s", "format": "%Y"},
                "which has a unit and a format; a time is written in one of them.",
            ),
            (
                "event_time",
                ["at", {"column": "at", "format": "%Q"}],
                "where '%Q' is no format of a time; write it like '%d.%m.%Y %H:%M:%S'.",
            ),
            (
                "received_at",
                {"column": "at", "timezone": "Mars/Olympus"},
                "where 'Mars/Olympus' is no time zone; write an IANA name like Asia/Kolkata.",
            ),
        ]
    ),
]


@pytest.mark.parametrize(("dbt_vars", "sentence"), WRONG_COLUMNS)
def test_columns_that_no_file_can_have_are_one_sentence(landing, run, dbt_vars, sentence):
    events().to_parquet(landing / "a.parquet")
    code, out, err = run("--vars", json.dumps(dbt_vars))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(sentence)


@pytest.mark.parametrize(
    ("written", "text"),
    [("%-d.%-m.%Y %H:%M:%S", "2.1.2026 03:04:05"), ("%Y%m%dT%H%M%S.%g", "20260102T030405.000")],
)
def test_a_format_that_only_the_build_knew_is_read(landing, run, written, text):
    events(event_time=[text] * 200).to_csv(landing / "a.csv", index=False)
    columns = {"event_time": {"column": "event_time", "format": written}}
    assert run("--vars", json.dumps({"event_columns": columns}))[0] == 0
    assert row_of(NOT_NULL, "event_time", "landing/events/a.csv")["is_met"]
