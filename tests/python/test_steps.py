"""Steps run once, say what went wrong in a sentence, and never leave half a warehouse."""

import argparse
import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from conftest import DEMO_EVENTS, ROOT, SETTINGS, build_step


def step(folder, *arguments):
    return subprocess.run(
        [sys.executable, ROOT / "steps" / "step.py", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
    )


COUNT = ("--", "sh", "-c", "cat input >> output && echo counted")


def test_a_step_that_names_no_files_always_runs(tmp_path):
    for _ in range(2):
        assert step(tmp_path, "lint", "--", "echo", "clean").stdout == "lint      clean (0 s)\n"


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


def test_a_folder_that_a_step_cannot_write_is_one_sentence(tmp_path):
    (tmp_path / "logs").write_text("no folder")
    failed = step(tmp_path, "fail", "--", "true")
    assert (failed.returncode, failed.stderr) == (1, "")
    assert failed.stdout == (
        "fail      logs cannot be read or written (File exists); make needs a project folder that "
        "can be written.\n"
    )


# --- what a user can get wrong -------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path):
    """A folder with the Makefile, and programs of our own before those of the machine."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "bin").mkdir()

    def run(*command, programs, path=os.defpath):
        for name, script in programs.items():
            (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / "bin" / name).chmod(0o755)
        return subprocess.run(
            command,
            cwd=tmp_path,
            env={"PATH": f"{tmp_path}/bin:{path}"},
            capture_output=True,
            text=True,
        )

    return run


def test_a_python_that_is_too_old_is_told_before_anything_else(machine):
    old = '[ "$1" = --version ] && echo Python 3.9.2 && exit 0; exit 1'
    done = machine("make", "run", programs={"python3": old})
    assert done.returncode == 2
    assert done.stdout == (
        "dropoff needs Python 3.11 or newer as python3, which is Python 3.9.2: install one and put "
        "it first in PATH.\n"
    )


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("new-app", "Name the app: make new-app NAME=shop"),
        ("erase", "Name whom to erase: make erase WHO=<user id>"),
        (
            "slim",
            "make slim STATE=<folder> needs the manifest.json and the warehouse.duckdb of an earlier "
            "build there.",
        ),
    ],
)
def test_what_a_target_needs_is_told(machine, target, sentence):
    done = machine("make", target, programs={"python3": "exit 0"})
    assert (done.returncode, done.stdout) == (2, f"{sentence}\n")


def test_chromium_is_asked_for_where_it_cannot_be_installed(machine):
    script = ROOT / "steps" / "setup_browser.sh"
    done = machine("/bin/sh", script, programs={"id": "echo 1000"}, path="")
    assert (done.returncode, done.stdout) == (
        1,
        "The page tests need Chromium; install it once with: sudo apt-get install chromium\n",
    )


@pytest.fixture
def reports(tmp_path):
    """The tools of the reports in a folder where nothing was built or installed."""
    for name in ("tools", "repair"):
        shutil.copytree(ROOT / "reports" / name, tmp_path / "reports" / name)
    shutil.copy(ROOT / "reports" / "package.json", tmp_path / "reports")

    def run(script, *arguments, **environment):
        bin_folder = os.path.dirname(sys.executable)
        return subprocess.run(
            ["node", tmp_path / "reports" / script, *arguments],
            env=os.environ | {"PATH": f"{bin_folder}:{os.environ['PATH']}"} | environment,
            capture_output=True,
            text=True,
        )

    return run


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        ("sources", "There is no warehouse at none.duckdb: run make build first."),
        ("build", "The pages have no data yet: run npm run sources first."),
        ("page", "Name a step: sources, build or dev, not page."),
    ],
)
def test_a_step_of_the_pages_says_which_comes_first(reports, step, sentence):
    done = reports("tools/evidence.js", step, DROPOFF_WAREHOUSE="none.duckdb")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{sentence}\n")


def test_another_evidence_than_the_one_that_is_repaired_is_told(reports):
    done = reports("repair/evidence.js")
    assert done.returncode == 1
    assert re.fullmatch(
        r"reports/repair/evidence.js does not know \S+ as installed: "
        "install the versions in reports/package.json or adapt the repair.\n",
        done.stderr,
    )


def build_of(warehouse, *arguments):
    return build(os.environ | {"DROPOFF_WAREHOUSE": str(warehouse)}, *arguments)


def test_a_file_of_another_kind_is_not_replaced(tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text("what somebody needs")
    done = build_of(notes)
    assert (done.returncode, done.stderr) == (1, "")
    assert (
        done.stdout
        == f"{notes} is no DuckDB file; set DROPOFF_WAREHOUSE to another, or move the file away.\n"
    )
    assert notes.read_text() == "what somebody needs"
    assert list(tmp_path.iterdir()) == [notes]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("none/w.duckdb", "No such file or directory: {}.lock"),
        (".", "Is a directory: {}"),
    ],
)
def test_a_warehouse_that_cannot_be_written_is_one_sentence(tmp_path, name, reason):
    warehouse = tmp_path / name
    done = build_of(warehouse)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == (
        f"{warehouse} cannot be built ({reason.format(warehouse)}); set DROPOFF_WAREHOUSE to a "
        "file in a folder that is there and can be written.\n"
    )


def test_vars_that_are_none_are_one_sentence(tmp_path):
    done = build_of(tmp_path / "w.duckdb", "--vars", "{a: [")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == (
        "VARS (--vars) is '{a: [', which is no YAML mapping; write it like "
        "'{control_share: 0.2}'.\n"
    )


# --- a build -------------------------------------------------------------------------------------


@pytest.fixture
def small_app(tmp_path, tmp_path_factory):
    """One day of the demo and a copy of its settings, to build from and to break."""
    (tmp_path / "events").mkdir()
    shutil.copy(min(DEMO_EVENTS.glob("*.parquet")), tmp_path / "events")
    shutil.copytree(ROOT / "seeds", tmp_path / "seeds")
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    return environment | {
        "DROPOFF_EVENTS": str(tmp_path / "events"),
        "DROPOFF_SEEDS": str(tmp_path / "seeds"),
        "DROPOFF_WAREHOUSE": str(tmp_path / "small.duckdb"),
        # other tests read what the build of the demo left
        "DBT_TARGET_PATH": str(tmp_path_factory.mktemp("target")),
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


@pytest.fixture
def built_by_hand(tmp_path, monkeypatch):
    """A warehouse with a log of a killed dbt beside it, and a build that leaves one of its own."""
    warehouse = tmp_path / "w.duckdb"
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create table told as select 'old' as word")

    def leave_in_the_log(path, statement):
        with duckdb.connect(str(path)) as connection:
            connection.execute("pragma disable_checkpoint_on_shutdown")
            connection.execute(statement)
        return Path(f"{path}.wal")

    def run_dbt(new_file, arguments, locks):
        log = leave_in_the_log(new_file, "update told set word = 'new'")
        assert log.exists()
        run_dbt.spoil(log)
        return 0, []

    run_dbt.spoil = lambda log: None
    monkeypatch.setattr(build_step, "run_dbt", run_dbt)
    monkeypatch.setattr(build_step, "summary", lambda *_: "built")
    killed = leave_in_the_log(warehouse, "create table half as select 1")
    assert killed.exists()

    def build():
        return build_step.build(warehouse, argparse.Namespace(vars="", full_refresh=False))

    build.run_dbt, build.killed, build.warehouse = run_dbt, killed, warehouse
    return build


def word(warehouse):
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return connection.execute("select word from told").fetchall()


def test_what_a_build_left_in_its_log_is_in_the_warehouse(built_by_hand, monkeypatch):
    def replace(*paths, replaced=os.replace):
        # beside the new file it would be replayed into it
        assert not built_by_hand.killed.exists()
        replaced(*paths)

    monkeypatch.setattr(build_step.os, "replace", replace)
    assert built_by_hand() == 0
    assert word(built_by_hand.warehouse) == [("new",)]


def test_a_build_that_cannot_be_written_to_its_end_replaces_nothing(built_by_hand, capsys):
    def spoil(log):
        log.unlink()
        log.mkdir()

    built_by_hand.run_dbt.spoil = spoil
    assert built_by_hand() == 1
    printed = capsys.readouterr().out
    assert re.fullmatch(
        rf"{built_by_hand.warehouse} stays as it was: the new one could not be written to its end "
        r"\(.+\); make room on its disk and build again\.\n",
        printed,
    )
    assert word(built_by_hand.warehouse) == [("old",)]


@pytest.mark.slow
def test_settings_are_checked_without_a_build(tmp_path):
    shutil.copytree(ROOT / "seeds", tmp_path / "seeds")
    command = [sys.executable, ROOT / "steps" / "build.py", "--settings-only"]
    environment = os.environ | {
        "DROPOFF_SEEDS": str(tmp_path / "seeds"),
        "DROPOFF_WAREHOUSE": str(tmp_path / "none.duckdb"),
        "DBT_TARGET_PATH": str(tmp_path / "target"),
        "DBT_LOG_PATH": str(tmp_path),
    }

    def checked():
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout.splitlines()[-1]

    assert checked() == (0, f"the settings in {tmp_path / 'seeds'} are sound")
    funnels = tmp_path / "seeds" / "funnels.csv"
    funnels.write_text(funnels.read_text().replace("order_mode", "mode", 1))
    code, sentence = checked()
    assert code == 1
    assert sentence.startswith(f"{funnels}, line 1: the column order_mode is missing;")
    assert not (tmp_path / "none.duckdb").exists()


def test_what_dbt_says_is_told_without_its_marks():
    lines = [
        "  Runtime Error in model base_app__rows (models/staging/base_app__rows.sql)",
        '  IO Error: No files found that match the pattern "landing/events/[*]1.parquet"',
        "  LINE 188: all_rows as (",
        "            ^^^",
    ]
    assert build_step.file_that_went(lines) == "landing/events/*1.parquet"
    other = [lines[0], "  Binder Error: what else", *lines[2:], "  compiled code at target/a.sql"]
    assert build_step.file_that_went(other) is None
    assert build_step.trouble(other) == ["Binder Error: what else"]


def test_a_build_whose_files_went_says_so(built_by_hand, monkeypatch, capsys):
    line = 'IO Error: No files found that match the pattern "a.parquet"'
    monkeypatch.setattr(build_step, "run_dbt", lambda *_: (1, [line]))
    assert built_by_hand() == 1
    assert capsys.readouterr().out == (
        "a.parquet went away while it was read: build again, when nobody changes the files.\n"
    )
    assert word(built_by_hand.warehouse) == [("old",)]


# takes the lock again and again, and counts how often somebody else has it, too
TAKING = """
import contextlib, os, random, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from build import only_build_of
warehouse, until = Path(sys.argv[2]), time.time() + 1
taken = twice = 0
while time.time() < until:
    with contextlib.suppress(BlockingIOError), only_build_of(warehouse):
        taken += 1
        try:
            os.close(os.open(f"{warehouse}.held", os.O_CREAT | os.O_EXCL))
            time.sleep(random.uniform(0, 0.0002))
            os.unlink(f"{warehouse}.held")
        except OSError:
            twice += 1
print(taken, twice)
"""


def test_a_lock_is_held_by_one_build_however_fast_they_come(tmp_path):
    command = [sys.executable, "-c", TAKING, ROOT / "steps", tmp_path / "w.duckdb"]
    takers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    counts = [[int(count) for count in taker.communicate()[0].split()] for taker in takers]
    taken, twice = map(sum, zip(*counts, strict=True))
    assert taken > 100
    assert twice == 0
