"""Steps run once, say what went wrong in a sentence, and never leave half a warehouse."""

import fcntl
import os
import shutil
import subprocess
import sys

import duckdb
import pytest
from conftest import DEMO_EVENTS, ROOT, SETTINGS


def step(folder, *arguments):
    return subprocess.run(
        [sys.executable, ROOT / "steps" / "step.py", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
    )


COUNT = ("--", "sh", "-c", "cat input >> output && echo counted")


def test_a_step_runs_again_only_when_an_input_changed(tmp_path):
    (tmp_path / "input").write_text("a")
    arguments = ("count", "--inputs", "input", "--outputs", "output", *COUNT)
    assert step(tmp_path, *arguments).stdout == "count     counted (0 s)\n"
    assert step(tmp_path, *arguments).stdout == "count     nothing changed\n"
    (tmp_path / "input").write_text("b")
    assert step(tmp_path, *arguments).stdout == "count     counted (0 s)\n"
    assert (tmp_path / "output").read_text() == "ab"
    (tmp_path / "output").unlink()
    assert step(tmp_path, *arguments).stdout == "count     counted (0 s)\n"


def test_a_step_that_fails_names_its_log_and_runs_again(tmp_path):
    (tmp_path / "input").write_text("a")
    arguments = ("fail", "--inputs", "input", "--", "sh", "-c", "echo The reason.; exit 3")
    for _ in range(2):
        failed = step(tmp_path, *arguments)
        assert failed.returncode == 3
        assert failed.stdout == (
            "fail      failed after 0 s; details in logs/fail.log\n          The reason.\n"
        )
    assert (tmp_path / "logs" / "fail.log").read_text() == "The reason.\n"


@pytest.fixture
def small_app(tmp_path):
    """One day of the demo and a copy of its settings, to build from and to break."""
    (tmp_path / "events").mkdir()
    shutil.copy(min(DEMO_EVENTS.glob("*.parquet")), tmp_path / "events")
    shutil.copytree(ROOT / "seeds", tmp_path / "seeds")
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    return environment | {
        "DROPOFF_EVENTS": str(tmp_path / "events"),
        "DROPOFF_SEEDS": str(tmp_path / "seeds"),
        "DROPOFF_WAREHOUSE": str(tmp_path / "small.duckdb"),
    }


def build(environment, *arguments):
    return subprocess.run(
        [sys.executable, "steps/build.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )


def pattern_changes(connection):
    """{pattern id: what the last fit made of it}."""
    query = "select pattern_id, change from marts.fct_pattern_changes"
    return dict(connection.execute(query).fetchall())


def count_sessions(warehouse):
    with duckdb.connect(warehouse, read_only=True) as connection:
        return connection.execute("select count(*) from marts.fct_sessions").fetchall()[0][0]


@pytest.mark.slow
def test_a_build_replaces_the_warehouse_under_its_readers_or_leaves_it(small_app, tmp_path):
    """A reader keeps its file over a build; contradictory settings leave the old file as it was."""
    warehouse = small_app["DROPOFF_WAREHOUSE"]
    done = build(small_app)
    assert done.returncode == 0, done.stdout[-2000:]
    sessions = count_sessions(warehouse)
    assert f"{sessions:,} sessions from" in done.stdout.splitlines()[-1]

    with duckdb.connect(warehouse, read_only=True) as reader:
        known = pattern_changes(reader)
        assert set(known.values()) == {"new"}
        again = build(small_app, "--full-refresh", "--vars", "{session_timeout_minutes: 1}")
        assert again.returncode == 0, again.stdout[-2000:]
        assert "all built anew" in again.stdout.splitlines()[-1]
        assert reader.execute("select count(*) from marts.fct_sessions").fetchall() == [(sessions,)]
    assert count_sessions(warehouse) > sessions
    with duckdb.connect(warehouse, read_only=True) as reader:
        # fitted anew, and what was known before is told by its id
        assert pattern_changes(reader).keys() >= known.keys()
        assert "kept" in pattern_changes(reader).values()

    settings = tmp_path / "seeds" / "event_types.csv"
    settings.write_text(settings.read_text() + "bus_search,step,Again\n")
    before = os.stat(warehouse)
    failed = build(small_app)
    assert failed.returncode == 1
    line = settings.read_text().count("\n")
    assert failed.stdout.splitlines()[-1] == (
        f"{settings}, line {line}: the event 'bus_search' is listed twice (first on line 10)."
    )
    assert "Traceback" not in failed.stdout + failed.stderr
    assert (before.st_ino, before.st_mtime_ns) == (
        os.stat(warehouse).st_ino,
        os.stat(warehouse).st_mtime_ns,
    )
    assert {path.name for path in tmp_path.iterdir()} == {"events", "seeds", "small.duckdb"}


@pytest.mark.slow
def test_a_second_build_at_once_says_so_and_stops(small_app, tmp_path):
    lock = tmp_path / "small.duckdb.lock"
    with lock.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        second = build(small_app)
    assert second.returncode == 1
    assert second.stdout == (
        f"{tmp_path}/small.duckdb is being written by another process; "
        "build again when it has ended.\n"
    )
    assert second.stderr == ""


# far from every default: no test of the project may lean on one
UNUSUAL_VARS = """{
    session_timeout_minutes: 30, as_of: "2026-02-16 00:00:00", starter_join_seconds: 5,
    reporting_timezone: Asia/Kolkata, high_drop_share: 0.2, drop_off_step_rate: 0.5,
    bounce_max_steps: 1, bounce_under_seconds: 5, late_after_seconds: 5, show_user_ids: true,
    build_clock: "2026-05-01 00:00:00", session_open_minutes: 5, future_tolerance_seconds: 5,
    oldest_event_time: "2001-01-01", display_name_digits: 8
}"""


@pytest.mark.slow
def test_plain_dbt_build_works_in_the_project_root(small_app):
    """As the contract writes it, all tests included, with other vars than the defaults."""
    done = subprocess.run(
        [
            os.path.join(os.path.dirname(sys.executable), "dbt"),
            "build",
            "--vars",
            UNUSUAL_VARS,
        ],
        cwd=ROOT,
        env=small_app,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert count_sessions(small_app["DROPOFF_WAREHOUSE"]) > 0
