"""A history built batch by batch has the rows of one built at once, after every batch."""

import os
import shutil
import signal
import subprocess
import sys

import duckdb
import pytest
from arrivals import arrivals
from conftest import DEMO_EVENTS, ROOT, SETTINGS, build_step, run_dbt
from hypothesis import HealthCheck, Phase, given, settings
from warehouses import build_in_place, differences, fitted_alone

# landing zones of ten histories each; 30 were run before the release
ARRIVALS = int(os.environ.get("DROPOFF_ARRIVALS", "1"))


def last_build(warehouse):
    """(was it incremental, did it end) of the last build."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return connection.execute(
            "select is_incremental, is_finished from staging.builds order by build_number desc limit 1"
        ).fetchall()[0]


@pytest.mark.slow
@settings(
    max_examples=ARRIVALS,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(arrival=arrivals())
def test_batch_by_batch_equals_at_once(tmp_path_factory, arrival):
    folder = tmp_path_factory.mktemp("arrival")
    for name in ("events", "settings"):
        (folder / name).mkdir()
    arrival.write_settings(folder / "settings")
    incremental, full = folder / "incremental.duckdb", folder / "full.duckdb"
    place = tmp_path_factory.getbasetemp() / "w.duckdb"
    for number in range(len(arrival.states)):
        arrival.write_state(number, folder / "events")
        full.unlink(missing_ok=True)
        # what is fitted anew is told by what was known before, which is the same for both
        is_refit = arrival.vars[number]["refit"]
        if is_refit and number:
            fitted_alone(incremental, full)
        for warehouse in (incremental, full):
            if warehouse == full and not is_refit:
                fitted_alone(incremental, full)
            build_in_place(
                place,
                warehouse,
                events=f"{folder / 'events'}/*",
                seeds=folder / "settings",
                dbt_vars=arrival.vars[number],
            )
        assert last_build(incremental) == (number > 0, True)
        assert differences(incremental, full) == {}, number
    shutil.rmtree(folder)


@pytest.mark.slow
def test_a_changed_macro_is_another_project(tmp_path):
    """A build after it does everything anew; after no change the fingerprint is the same."""
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("macros", "models", "seeds", "tests/generic"):
        shutil.copytree(ROOT / name, tmp_path / name)

    def fingerprint():
        done = subprocess.run(
            [build_step.DBT, "-q", "compile", "--inline", "{{ project_fingerprint() }}"],
            cwd=tmp_path,
            env={name: value for name, value in os.environ.items() if name not in SETTINGS},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-2000:]
        return done.stdout.split()[-1]

    before = fingerprint()
    assert len(before) == 32
    assert fingerprint() == before
    with (tmp_path / "macros" / "times.sql").open("a") as macros:
        macros.write("{# another rule #}\n")
    assert fingerprint() != before


def start(app, *command):
    """Start a command on an app, in a process group of its own."""
    return subprocess.Popen(
        [*command],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name not in SETTINGS} | app,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def kill_at(process, model):
    """Kill -9 a command and all it started when dbt begins with a model."""
    for line in process.stdout:
        if "START" in line and line.rstrip(". [RUN]\n").endswith(model):
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return
    raise AssertionError(f"{model} was not begun")


def finish(process):
    """Wait for a command. Returns what it printed."""
    printed, _ = process.communicate()
    assert process.returncode == 0, printed[-3000:]
    return printed


def land_days(folder, count):
    """The first days of the demo, about 17,000 events each."""
    for path in sorted(DEMO_EVENTS.glob("*.parquet"))[:count]:
        shutil.copy2(path, folder)


@pytest.fixture
def app(tmp_path, tmp_path_factory):
    """An app of its own with no events yet, and what dbt parses of it kept from build to build."""
    (tmp_path / "events").mkdir()
    return {
        "DROPOFF_EVENTS": str(tmp_path / "events"),
        "DROPOFF_WAREHOUSE": str(tmp_path / "w.duckdb"),
        "DBT_TARGET_PATH": str(tmp_path_factory.mktemp("target")),
    }


@pytest.mark.slow
def test_builds_that_are_killed_leave_the_old_warehouse_and_the_next_one_catches_up(app, tmp_path):
    """200,000 events in all. Killed early and late, then let through."""
    make_build = (sys.executable, "steps/build.py")
    land_days(tmp_path / "events", 9)
    finish(start(app, *make_build))
    shutil.copy(app["DROPOFF_WAREHOUSE"], tmp_path / "old.duckdb")
    land_days(tmp_path / "events", 12)
    for model in ("base_app__accepted_rows", "fct_recommendations"):
        kill_at(start(app, *make_build), model)
        assert differences(app["DROPOFF_WAREHOUSE"], tmp_path / "old.duckdb") == {}
    assert "what changed redone" in finish(start(app, *make_build)).splitlines()[-1]
    assert last_build(app["DROPOFF_WAREHOUSE"]) == (True, True)
    (tmp_path / "old.duckdb").unlink()
    assert {path.name for path in tmp_path.iterdir()} == {"events", "w.duckdb"}

    full = {
        **app,
        "DROPOFF_WAREHOUSE": str(tmp_path / "full.duckdb"),
        "DBT_TARGET_PATH": str(tmp_path / "target"),
    }
    fitted_alone(app["DROPOFF_WAREHOUSE"], tmp_path / "full.duckdb")
    dbt_run = (os.path.join(os.path.dirname(sys.executable), "dbt"), "run")
    finish(start(full, *dbt_run))
    assert differences(app["DROPOFF_WAREHOUSE"], full["DROPOFF_WAREHOUSE"]) == {}

    # a plain dbt run writes in place: what it left half done is not trusted
    land_days(tmp_path / "events", 13)
    kill_at(start(app, *dbt_run), "fct_sessions")
    assert last_build(app["DROPOFF_WAREHOUSE"])[1] is False
    finish(start(app, *dbt_run))
    assert last_build(app["DROPOFF_WAREHOUSE"]) == (False, True)
    fitted_alone(app["DROPOFF_WAREHOUSE"], tmp_path / "full.duckdb")
    finish(start(full, *dbt_run))
    assert differences(app["DROPOFF_WAREHOUSE"], full["DROPOFF_WAREHOUSE"]) == {}


@pytest.mark.slow
def test_an_id_that_is_gone_leads_to_the_session_that_took_its_place(app, tmp_path):
    """A late event before the opening one moves a session's start; the same elsewhere moves none."""
    columns = "event_id,user_id,event_name,event_time\n"
    first = tmp_path / "events" / "1.csv"
    first.write_text(
        columns
        + "b,u,bus_search,2026-01-12T10:00:00Z\n"
        + "c,u,Journey Started,2026-01-12T11:00:00Z\n"
        + "d,v,Journey Started,2026-01-12T11:00:00Z\n"
    )

    def build():
        run = run_dbt(app["DROPOFF_WAREHOUSE"], "run", events=tmp_path / "events")
        assert run.success, run.output[-3000:]
        sessions = run.rows("select first_event_name, user_id, session_id from marts.fct_sessions")
        ids = {(row["user_id"], row["first_event_name"]): row["session_id"] for row in sessions}
        rekeys = run.rows("select old_session_id, new_session_id from marts.session_rekeys")
        return ids, {row["old_session_id"]: row["new_session_id"] for row in rekeys}

    before, rekeys = build()
    assert rekeys == {}

    (tmp_path / "events" / "2.csv").write_text(columns + "a,u,select_seat,2026-01-12T09:59:00Z\n")
    after, rekeys = build()
    assert rekeys == {before["u", "bus_search"]: after["u", "select_seat"]}
    for kept in (("u", "Journey Started"), ("v", "Journey Started")):
        assert after[kept] == before[kept]

    # moved once more: the oldest id leads to where the session is now
    (tmp_path / "events" / "3.csv").write_text(columns + "0,u,payment_page,2026-01-12T09:58:00Z\n")
    third, rekeys = build()
    newest = third["u", "payment_page"]
    assert rekeys == {before["u", "bus_search"]: newest, after["u", "select_seat"]: newest}

    # and back again: an id that is there is no id that is gone
    (tmp_path / "events" / "3.csv").unlink()
    (tmp_path / "events" / "2.csv").unlink()
    fourth, rekeys = build()
    assert fourth == before
    assert rekeys == {newest: None, after["u", "select_seat"]: None}
