"""The live view is what a build says, however rows arrive; and it is careful with files."""

import itertools
import json
import os
import random
import re
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import duckdb
import pytest
from conftest import DEMO_EVENTS, ROOT, SETTINGS, run_dbt

sys.path.append(str(ROOT / "live"))
import landing_zone
import play
import run
import window

OPEN_FOR_LONG = {"session_open_minutes": 900}


# --- what is read of files --------------------------------------------------------------------


@pytest.fixture
def zone(tmp_path):
    (tmp_path / "landing").mkdir()
    return landing_zone.LandingZone(str(tmp_path / "landing"), tmp_path / "part.ndjson", {})


@pytest.fixture
def landing(tmp_path, zone):
    return tmp_path / "landing"


def looked(zone):
    """{file name: what was read of it} of one look."""
    found = {}
    for arrival in zone.arrivals():
        with open(arrival.path, "rb") as file:
            found.setdefault(os.path.basename(arrival.file_name), []).append(file.read())
    return {name: b"".join(parts) for name, parts in found.items()}


def append(path, content):
    with open(path, "ab") as file:
        file.write(content)


def test_lines_are_read_once_and_a_line_in_the_writing_when_it_is_whole(zone, landing):
    append(landing / "a.ndjson", b'{"n": 1}\n{"n":')
    assert looked(zone) == {"a.ndjson": b'{"n": 1}\n'}
    append(landing / "a.ndjson", b' 2}\n{"n": 3}')
    assert looked(zone) == {"a.ndjson": b'{"n":' + b" 2}\n"}


def test_a_last_line_without_an_end_is_read_when_nobody_writes_on(zone, landing):
    append(landing / "a.ndjson", b'{"n": 1}\n{"n": 2}')
    assert looked(zone) == {"a.ndjson": b'{"n": 1}\n'}
    assert looked(zone) == {"a.ndjson": b'{"n": 2}'}
    assert looked(zone) == {}


def test_a_file_that_was_written_anew_is_read_from_its_start(zone, landing):
    append(landing / "a.ndjson", b'{"n": 1}\n{"n": 2}\n')
    looked(zone)
    (landing / "a.ndjson").write_bytes(b'{"n": 3}\n')
    assert looked(zone) == {"a.ndjson": b'{"n": 3}\n'}


def test_a_file_that_is_no_ndjson_is_read_once_it_is_still(zone, landing):
    append(landing / "a.csv", b"user_id\n1\n")
    assert looked(zone) == {}
    append(landing / "a.csv", b"2\n")
    assert looked(zone) == {}
    assert looked(zone) == {"a.csv": b"user_id\n1\n2\n"}
    assert looked(zone) == {}


def test_what_a_build_has_read_is_not_read_again(landing, tmp_path):
    path = landing / "a.ndjson"
    append(path, b'{"n": 1}\n')
    append(landing / "b.csv", b"user_id\n1\n")
    read = {str(file): (file.stat().st_size, file.stat().st_mtime_ns) for file in landing.iterdir()}
    zone = landing_zone.LandingZone(str(landing), tmp_path / "part.ndjson", read)
    assert looked(zone) == {}
    append(path, b'{"n": 2}\n')
    assert looked(zone) == {"a.ndjson": b'{"n": 2}\n'}


def test_a_burst_comes_in_blocks_of_whole_lines(zone, landing, monkeypatch):
    monkeypatch.setattr(landing_zone, "BLOCK_BYTES", 20)
    lines = [b'{"n": %d}\n' % number for number in range(10)]
    append(landing / "a.ndjson", b"".join(lines))
    parts = []
    for arrival in zone.arrivals():
        with open(arrival.path, "rb") as file:
            parts.append(file.read())
    assert len(parts) > 3
    assert all(part.endswith(b"\n") for part in parts)
    assert b"".join(parts) == b"".join(lines)


# --- the view is what a build says ------------------------------------------------------------


def some_rows(cut, share):
    """Landed rows of a share (%) of the demo's users: those received before `cut`, and those after."""
    with duckdb.connect() as connection:
        connection.execute(
            f"create view rows as from read_parquet('{DEMO_EVENTS}/*.parquet', union_by_name = true) "
            f"where hash(coalesce(user_id, '')) % 100 < {share}"
        )
        known = "coalesce(received_at, event_time)"
        before = connection.sql(f"from rows where {known} < '{cut}'").to_arrow_table()
        after = connection.execute(
            f"from rows where not coalesce({known} < '{cut}', false) order by {known}, event_id"
        )
        names = [column[0] for column in after.description]
        rows = [dict(zip(names, row, strict=True)) for row in after.fetchall()]
    return before, rows


def as_json(row):
    return json.dumps({name: value and str(value) for name, value in row.items()}) + "\n"


def with_copies(rows, rng):
    """Rows and copies of some: late ones, earlier received ones, ones of another user."""
    told = list(rows)
    for row in rng.sample(rows, min(60, len(rows))):
        changed = dict(row)
        if rng.random() < 0.4:
            changed["user_id"] = rng.choice(rows)["user_id"]
        if rng.random() < 0.5 and row["received_at"]:
            changed["received_at"] = row["received_at"] - timedelta(minutes=10)
        if rng.random() < 0.2 and row["event_time"]:
            changed["event_time"] = row["event_time"] - timedelta(hours=2)
        told.insert(rng.randrange(len(told)), changed)
    return told


def land(rows, landing, rng, look):
    """Let rows land bit by bit, in files of all kinds, and look in between."""
    number = itertools.count(1)
    left = list(rows)
    while left:
        size = rng.choice([1, 30, 120])
        batch, left = left[:size], left[size:]
        rng.shuffle(batch)
        if rng.random() < 0.15:
            lines = [",".join(batch[0])]
            lines += [
                ",".join('"' + str(v or "").replace('"', '""') + '"' for v in row.values())
                for row in batch
            ]
            (landing / f"{next(number):03}-{rng.random()}.csv").write_text("\n".join(lines) + "\n")
        else:
            text = "".join(as_json(row) for row in batch).encode()
            middle = rng.randrange(len(text))
            append(landing / "stream.ndjson", text[:middle])
            look()
            append(landing / "stream.ndjson", text[middle:])
        look()


@pytest.mark.slow
def test_the_live_view_is_what_a_build_says(tmp_path, monkeypatch):
    rng = random.Random(7)
    before, after = some_rows("2026-02-16 14:00:00", 20)
    landing, site = tmp_path / "landing", tmp_path / "site"
    landing.mkdir()
    site.mkdir()
    with duckdb.connect() as connection:
        connection.register("before", before)
        connection.execute(f"copy (from before) to '{landing}/before.parquet'")

    people = random.Random(8)
    users = sorted({row["user_id"] for row in after if row["user_id"]})

    def map_some(name):
        """Some of those who come have another id, or a third that leads to it."""
        lines = ["anonymous_id,user_id"]
        for _ in range(25):
            one, two, three = people.sample(users, 3)
            lines += [f"{one},{two}", f"{two},{three}", f"{one},{three}"]
        (tmp_path / "identities").mkdir(exist_ok=True)
        (tmp_path / "identities" / name).write_text("\n".join(lines) + "\n")

    map_some("a.csv")

    def build():
        models = ["+fct_active_sessions", "+fct_sessions", "stg_app__events"]
        models += ["+stg_ledger__assignments", "stg_ledger__rejected_rows"]
        done = run_dbt(
            tmp_path / "w.duckdb",
            "run",
            "--select",
            *models,
            events=landing,
            interventions=tmp_path / "ledger",
            identities=tmp_path / "identities",
            dbt_vars=OPEN_FOR_LONG,
        )
        assert done.success, done.output
        return done

    def differing(done):
        query = "select * from marts.fct_active_sessions order by risk_rank"
        built = done.rows(query)
        assert len(built) > 10
        seen = live.window.active_sessions()
        return [pair for pair in itertools.zip_longest(seen, built) if pair[0] != pair[1]]

    build()
    monkeypatch.setenv("DROPOFF_EVENTS", str(landing))
    monkeypatch.setenv("DROPOFF_SEEDS", "seeds")
    dbt_vars = run.project_vars("{session_open_minutes: 900}")
    ledger = tmp_path / "ledger" / "live.ndjson"
    interventions = run.Interventions(tmp_path / "live", ledger, 0.3, None)
    live = run.Live(
        str(landing), tmp_path / "w.duckdb", site, dbt_vars, tmp_path / "live", interventions
    )

    rows = with_copies(after, rng)
    half = len(rows) // 2
    land(rows[:half], landing, rng, live.look)
    # a file of another shape, and one that nobody can read
    with duckdb.connect() as connection:
        connection.register("rows", before.slice(0, 50))
        connection.execute(
            f"copy (select * exclude (city), 1 as other from rows) to '{landing}/z.parquet'"
        )
    (landing / "broken.parquet").write_bytes(b"PAR1 and no more")
    for _ in range(3):
        live.look()
    assert differing(build()) == []

    # a build in between: the view goes on from it, and knows more people
    map_some("b.csv")
    build()
    live.looked_at_warehouse -= run.REBASE_SECONDS
    live.follow_the_warehouse()
    assert live.window.file_number == live.window.value("select max(file_number) from store.files")
    land(rows[half:], landing, rng, live.look)
    for _ in range(3):
        live.look()
    # what goes out stands in the ledger, and a build reads it
    due = [row for row in live.window.active_sessions() if row["suggestion"]]
    assert live.interventions.offer(due, datetime.now(UTC)) == len(due) > 5
    done = build()
    assert differing(done) == []
    staged = done.rows(
        "select session_id, user_id, arm, stage from staging.stg_ledger__assignments"
    )
    assert {(row["session_id"], row["user_id"], row["stage"]) for row in staged} == {
        (row["session_id"], row["user_id"], row["stage"]) for row in due
    }
    assert len(staged) == len(due)
    assert done.rows("from staging.stg_ledger__rejected_rows") == []

    # old data is a feed that has stopped: nobody is intervened with
    live.publish(datetime.now(UTC))
    shown = json.loads((site / "live.json").read_text())
    assert shown["is_stopped"]
    assert shown["count_converted"] >= len(shown["converted"])
    assert sum(shown["levels"].values()) == sum(s["count_sessions"] for s in shown["stages"])
    assert not any("user_id" in row for row in shown["sessions"] + shown["converted"])
    live.end()
    assert json.loads((site / "live.json").read_text()) is None


# --- what a user can get wrong ----------------------------------------------------------------


@pytest.fixture
def told(tmp_path, monkeypatch, caplog, capsys):
    """What a command of live says before it ends with 1; its settings may be changed."""
    monkeypatch.chdir(tmp_path)
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DROPOFF_EVENTS", "landing")
    monkeypatch.setenv("DROPOFF_INTERVENTIONS", "ledger")
    monkeypatch.setenv("DROPOFF_LIVE", "live")
    monkeypatch.setattr("signal.signal", lambda *_: None)
    (tmp_path / "file").write_text("no folder and no warehouse")
    caplog.set_level("INFO")

    def run_command(module, *arguments, **settings):
        for name, value in settings.items():
            monkeypatch.setenv(f"DROPOFF_{name}", value)
        monkeypatch.setattr(sys, "argv", ["live", *arguments])
        caplog.clear()
        assert module.main() == 1
        return [record.getMessage() for record in caplog.records], capsys.readouterr().out

    return run_command


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"INTERVENTIONS": ""},
            "Set DROPOFF_INTERVENTIONS to a folder for the ledger of interventions: without one "
            "nobody could measure what they do.",
        ),
        (
            {"INTERVENTIONS": "ledger/*"},
            "DROPOFF_INTERVENTIONS is 'ledger/*'; make live writes into it, so name a folder.",
        ),
        (
            {"INTERVENTIONS": "file"},
            "DROPOFF_INTERVENTIONS is 'file'; make live writes into it, so name a folder.",
        ),
        ({"WAREHOUSE": "w.duckdb"}, "There is no warehouse at w.duckdb: run make build."),
        (
            {"WAREHOUSE": "file"},
            "file does not open as a DuckDB file: build it anew with make build, or set "
            "DROPOFF_WAREHOUSE to another.",
        ),
    ],
)
def test_what_live_cannot_begin_with_is_one_sentence(told, settings, sentence):
    assert told(run, **settings)[0][-1] == sentence


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("text", "VARS (--vars) is 'text', which is no YAML mapping; write it like "),
        ("{control_share: '0.1'}", "The var control_share is 0.1: set a number above 0 and below"),
        ("{intervention_levels: HIGH}", "The var intervention_levels is 'HIGH'; write it like [HI"),
        (
            "{feed_stopped_after_seconds: soon}",
            "The var feed_stopped_after_seconds is 'soon'; it must be a number from 1 to 1000000000.",
        ),
    ],
)
def test_vars_of_live_are_looked_at(told, given, sentence):
    assert told(run, "--vars", given)[0][-1].startswith(sentence)


@pytest.mark.parametrize("settings", [{"LIVE": "file"}, {"LIVE": "file/live"}])
def test_a_folder_that_live_cannot_write_is_one_sentence(told, settings):
    sentence = "DROPOFF_LIVE and DROPOFF_INTERVENTIONS name the folders that live writes into.\n"
    place = f"{settings['LIVE']} cannot be read or written ("
    _, printed = told(run, **settings)
    assert printed.startswith(place)
    assert printed.endswith(sentence)


def test_a_duckdb_file_of_something_else_is_no_warehouse(told):
    duckdb.connect("other.duckdb").close()
    sentences, _ = told(run, WAREHOUSE="other.duckdb")
    assert sentences[-1].startswith(
        "other.duckdb is no warehouse that the live view can go on from (Catalog Error: "
    )
    assert sentences[-1].endswith("): build it anew with make build.")


@pytest.mark.slow
def test_a_sentence_of_dbt_is_told(told):
    with duckdb.connect("w.duckdb") as connection:
        connection.execute("create schema staging")
        connection.execute(
            "create table staging.builds as select 1 as build_number, '' fingerprint"
        )
        connection.execute(
            "create table staging.base_app__files(file_number integer, file_name varchar, "
            "file_format varchar, columns_json varchar, column_names varchar[], read_error varchar, "
            "loaded_in_build integer, declares_columns boolean)"
        )
    sentences, _ = told(
        run, "--vars", "{event_columns: {city: town}}", WAREHOUSE="w.duckdb", SEEDS="seeds"
    )
    assert sentences[-1].startswith(
        "dbt cannot compile the models: No landed file has the column 'town' for city "
    )


def test_a_warehouse_that_changes_while_it_is_copied_is_being_written(tmp_path, monkeypatch):
    warehouse = tmp_path / "w.duckdb"
    duckdb.connect(str(warehouse)).close()
    copy_file = window.shutil.copyfile

    def copy_and_write(old, new):
        copy_file(old, new)
        os.utime(old, (1, 1))

    monkeypatch.setattr(window.shutil, "copyfile", copy_and_write)
    sentence = f"{warehouse} is being written; begin again when the build is done."
    with pytest.raises(window.WindowError, match=re.escape(sentence)):
        window.copy_of(warehouse, tmp_path / "copy.duckdb")


@pytest.fixture
def live(tmp_path, caplog):
    """A live view of which nothing is there but what it tells."""
    caplog.set_level("INFO")
    view = object.__new__(run.Live)
    view.looked_at_warehouse, view.warehouse = -run.REBASE_SECONDS, tmp_path
    view.window = view.built = None
    view.is_full = False
    return view


def test_a_build_that_cannot_be_read_leaves_the_one_before(live, monkeypatch, caplog):
    def refuse():
        raise window.WindowError("w.duckdb is being written; begin again when the build is done.")

    monkeypatch.setattr(live, "begin", refuse)
    live.follow_the_warehouse()
    assert caplog.records[-1].getMessage() == (
        "w.duckdb is being written; begin again when the build is done. "
        "The live view stays with the build before."
    )


def test_interventions_that_cannot_be_written_down_are_told_once(live, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(live, "is_stopped", lambda _: False)
    live.vars = {"intervention_levels": []}
    live.window = SimpleNamespace(active_sessions=list)
    live.interventions = SimpleNamespace(offer=refuse)
    for _ in range(2):
        live.intervene(datetime.now(UTC))
    assert [record.getMessage() for record in caplog.records] == [
        "Interventions cannot be written down, and none goes out: "
        "[Errno 28] No space left on device."
    ]


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf"])
def test_a_rate_that_nobody_can_play_is_one_sentence(told, rate):
    told_rate = f"RATE (--rate) is {rate}; it must be above 0 and at most 100,000.\n"
    assert told(play, "--out", "played", "--rate", rate) == ([], told_rate)


def test_what_cannot_be_played_is_one_sentence(told, tmp_path):
    (tmp_path / "other").mkdir()
    duckdb.sql(f"copy (select 1 as other) to '{tmp_path}/other/a.parquet'")
    (tmp_path / "mine").mkdir()
    columns = "'u' as user_id, 'e' as event_name, now()::timestamp as event_time"
    columns += ", '' as platform, '' as app_version, '' as city"
    duckdb.sql(f"copy (select {columns}) to '{tmp_path}/mine/a.parquet'")
    for folder, out, sentence in [
        ("none", "played", "There are no parquet files below none: run make land."),
        (
            "other",
            "played",
            "The parquet files below other hold no events under our column names.",
        ),
        ("mine", "file", "file cannot be written (File exists); name a folder with --out."),
    ]:
        assert told(play, "--from", folder, "--out", out) == ([], f"{sentence}\n")


# --- what is played ---------------------------------------------------------------------------


def test_played_events_come_in_order_at_about_the_rate_and_a_user_does_one_thing_at_a_time():
    visits = [
        (f"u{number}", [(0.0, "begin"), (7.0, "end")], [("web", "1", None)] * 2)
        for number in range(500)
    ]
    events = list(
        itertools.takewhile(lambda event: event[0] < 100, play.schedule(visits, 20, seed=1))
    )
    times = [at for at, *_ in events]
    assert times == sorted(times)
    assert times[0] >= -play.PAST_SECONDS
    assert 0.8 < len(times) / (100 + play.PAST_SECONDS) / 20 < 1.2
    starts = {}
    for at, user, name, _ in events:
        if name == "begin":
            assert at - starts.get(user, -1e9) >= 7
            starts[user] = at
