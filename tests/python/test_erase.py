"""A person who is erased is nowhere, and nobody else has lost a row."""

import fcntl
import gzip
import json
import os
import subprocess
import sys

import duckdb
import pytest
import zstandard
from conftest import ROOT, run_dbt

GONE = "anna-17"
DID = [
    (GONE, "Journey Started"),
    ("ben", "Journey Started"),
    (GONE, "bus_search"),
    ("anna-170", "Journey Started"),
    ("ben", 'select "a", seat\nor two'),
]
ROWS = [
    {"user_id": user, "event_name": name, "event_time": f"2026-01-12 10:0{minute}:00"}
    for minute, (user, name) in enumerate(DID)
]


@pytest.fixture
def app(tmp_path):
    """A landing zone of all kinds of files, a ledger, and what live keeps."""
    landing = tmp_path / "landing"
    landing.mkdir()
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    lines += f'{{"user_id": "{GONE}", "event_name": broken\n' + "{broken, but of nobody\n"
    (landing / "a.ndjson").write_text(lines)
    with gzip.open(landing / "b.ndjson.gz", "wt") as file:
        file.write(lines)
    (landing / "c.jsonl.zst").write_bytes(zstandard.compress(lines.encode()))
    with duckdb.connect() as connection:
        connection.execute(
            f"create table rows as select * from read_json('{landing}/b.ndjson.gz', "
            "ignore_errors = true, format = 'newline_delimited') where user_id is not null"
        )
        connection.execute(f"copy rows to '{landing}/d.parquet'")
        connection.execute(f"copy rows to '{landing}/e.csv' (header)")
        connection.execute(f"copy (select 1 as other) to '{landing}/f.parquet'")
    (landing / "notes.txt").write_text("left alone")
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "live.ndjson").write_text(
        "".join(
            json.dumps({"assignment_id": user, "user_id": user}) + "\n" for user in (GONE, "ben")
        )
    )
    live = tmp_path / "w.live"
    (live / "window-0").mkdir(parents=True)
    (live / "window-0" / "base.duckdb").write_text(GONE)
    (live / "outbox.ndjson").write_text(
        "".join(json.dumps({"key": "1", "user_id": user}) + "\n" for user in (GONE, "ben"))
    )
    return tmp_path


def erase(app, *arguments, identities=""):
    environment = os.environ | {
        "DROPOFF_IDENTITIES": identities,
        "DROPOFF_EVENTS": str(app / "landing"),
        "DROPOFF_INTERVENTIONS": str(app / "ledger"),
        "DROPOFF_WAREHOUSE": str(app / "w.duckdb"),
    }
    environment.pop("DROPOFF_LIVE", None)
    return subprocess.run(
        [sys.executable, ROOT / "steps" / "erase.py", *arguments],
        cwd=app,
        env=environment,
        capture_output=True,
        text=True,
    )


def read(path):
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    if path.suffix == ".zst":
        content = zstandard.ZstdDecompressor().stream_reader(content).read()
    return content.decode()


@pytest.mark.slow
def test_a_person_who_is_erased_is_nowhere_and_nobody_else_lost_a_row(app):
    before = {
        path.name: read(path)
        for path in (app / "landing").glob("*[!t]")
        if "parquet" not in path.name
    }
    proved = erase(app, GONE, "--prove")
    assert proved.returncode == 1
    assert "The id is still in 8 places" in proved.stdout
    done = erase(app, GONE)
    assert done.returncode == 0, done.stderr
    # two rows in each of five files, and a broken one in each that can hold it
    assert "13 rows of this user taken out of 5 files, 1 assignments, " in done.stdout
    assert ", 0 mappings and 1 messages; " in done.stdout
    for name, text in before.items():
        kept = "".join(
            line
            for line in text.splitlines(True)
            if f'{GONE}"' not in line and f"{GONE}," not in line
        )
        assert read(app / "landing" / name) == kept, name
    with duckdb.connect() as connection:
        users = connection.execute(
            f"select user_id from '{app}/landing/d.parquet' order by 1"
        ).fetchall()
    assert users == [("anna-170",), ("ben",), ("ben",)]
    assert (app / "landing" / "notes.txt").read_text() == "left alone"

    build = run_dbt(
        app / "w.duckdb",
        "run",
        "--select",
        "+fct_sessions",
        "stg_app__rejected_rows",
        events=app / "landing",
    )
    assert build.success, build.output
    [sessions] = build.rows("select count(distinct user_id) as users from marts.fct_sessions")
    assert sessions["users"] == 2
    proved = erase(app, GONE, "--prove")
    assert (proved.returncode, proved.stdout[:24]) == (0, "No trace of this user in"), proved.stdout
    # the search finds who is there
    assert "marts.fct_sessions" in erase(app, "anna-170", "--prove").stdout


@pytest.mark.slow
def test_a_person_is_erased_under_all_their_ids(app):
    (app / "who.csv").write_text(f"anonymous_id,user_id\n{GONE},zoe\nanna-170,eve\n")
    asked = erase(app, GONE, identities="who.csv")
    assert "does not say which other ids are this user's: run make build." in asked.stdout
    zones = {"events": app / "landing", "identities": app / "who.csv"}
    assert run_dbt(app / "w.duckdb", "run", "--select", "+stg_app__events", **zones).success
    with duckdb.connect(str(app / "w.duckdb")) as connection:
        assert connection.execute(
            "select distinct user_id from staging.stg_app__events order by 1"
        ).fetchall() == [("ben",), ("eve",), ("zoe",)]
    # what builds all anew knows nobody any more
    then = f"rm {app / 'w.duckdb'}"
    done = erase(app, "zoe", "--then", then, identities="who.csv")
    [erased, proved] = done.stdout.splitlines()
    assert erased == (
        "13 rows of this user under 2 ids taken out of 5 files, 1 assignments, 1 mappings and "
        "1 messages; build the warehouse in full next"
    )
    assert proved.startswith("No trace of this user in ")
    assert (app / "who.csv").read_text() == "anonymous_id,user_id\nanna-170,eve\n"


def test_nobody_is_erased_by_a_blank_id_nor_while_live_is_at_work(app):
    assert erase(app, GONE, "--vars", "nonsense").stdout == (
        "VARS (--vars) is 'nonsense', which is no YAML mapping; write it like "
        "'{control_share: 0.2}'.\n"
    )
    assert erase(app, " ").stdout == "The user id is blank: name whom to erase.\n"
    lock = os.open(app / "w.live", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    done = erase(app, GONE)
    os.close(lock)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == f"make live is at work in {app}/w.live: end it first.\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a0.parquet", b"PAR1 and no more"),
        ("a0.csv.gz", b"not compressed"),
        ("a0.ndjson.gz", gzip.compress(b'{"user_id": "ben"}\n' * 999, mtime=0)[:30]),
        ("a0.ndjson.zst", b"not compressed"),
    ],
)
def test_a_file_that_nobody_can_read_may_hold_the_person(app, name, content):
    (app / "landing" / name).write_bytes(content)
    for arguments in [[], ["--prove"]][: 1 + (name != "a0.parquet")]:
        done = erase(app, GONE, *arguments)
        assert (done.returncode, done.stderr, done.stdout.count("\n")) == (1, "", 1)
        assert done.stdout.startswith(f"{app}/landing/{name} cannot be read or written anew (")
        assert done.stdout.endswith(
            "), and may hold this user: mend it or take it away, and erase again.\n"
        )
    assert (app / "landing" / name).read_bytes() == content


def test_a_wrong_landing_zone_proves_nothing(app):
    (app / "landing").rename(app / "elsewhere")
    for arguments in ([], ["--prove"]):
        done = erase(app, GONE, *arguments)
        assert (done.returncode, done.stderr) == (1, "")
        assert done.stdout == (
            f"No landed file matches '{app}/landing', so nobody can say where this user is; set "
            "DROPOFF_EVENTS to the landing zone.\n"
        )


def test_nobody_is_left_in_a_csv_of_semicolons_nor_taken_from_a_file_with_a_like_name(app):
    """A name is no pattern, and a row nested too deep to read is nobody's."""
    landing = app / "landing"
    for file in landing.iterdir():
        file.unlink()
    (landing / "a.csv").write_text(f'"user\n,id";user_id\n1;{GONE}\n2,5;ben\n{GONE},3;ben\n')
    (landing / "deep.ndjson").write_text('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}\n")
    with duckdb.connect() as connection:
        for name, user in [("b.parquet", "ben"), ("[ab].parquet", GONE)]:
            connection.execute(f"copy (select '{user}' as user_id) to '{landing}/{name}'")
    done = erase(app, GONE)
    assert done.stdout.startswith("2 rows of this user taken out of 2 files"), done.stderr
    assert (landing / "a.csv").read_text() == (f'"user\n,id";user_id\n2,5;ben\n{GONE},3;ben\n')
    with duckdb.connect() as connection:
        assert connection.execute(f"from '{landing}/b.parquet'").fetchall() == [("ben",)]
        assert connection.execute(f"from '{landing}/[[]ab].parquet'").fetchall() == []
