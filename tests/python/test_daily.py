"""A daily run: its exit codes, its report, where alerts go, and the examples of schedules."""

import fcntl
import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import jsonschema
import pytest
import yaml
from conftest import ROOT, SETTINGS, load
from test_interventions import Receiver

daily = load(ROOT / "steps" / "daily.py")
DOCS = (ROOT / "docs" / "schedule.md").read_text(encoding="utf-8")
SCHEMA = json.loads((ROOT / "docs" / "daily-report.schema.json").read_text(encoding="utf-8"))
STEPS = ["settings", "check", "build", "reports"]
MAKE = """#!/bin/sh
step=$2
echo "$*" >> "{folder}/calls"
echo "setup     nothing changed"
if [ "$(cat {folder}/fails)" = $step ]; then
    echo "$step     failed after 3 s; details in logs/$step.log"
    echo "          The reason, in a sentence."
    echo "make: *** [Makefile:1: $step] Error 1"
    exit 2
fi
if [ "$(cat {folder}/fails)" = setup ]; then
    echo "setup     failed after 3 s; details in logs/setup.log"
    exit 2
fi
[ $step != build ] || {python} {folder}/build.py
echo "$step     done what it does (3 s)"
"""
BUILD = """
import duckdb
with duckdb.connect("{warehouse}") as connection:
    connection.execute(open("{folder}/build.sql").read())
"""
ALERT = {"alert_id": "a1", "kind": "step_fell", "alert_date": "2026-02-15", "is_current": True}


def build_sql(number=1, is_incremental=False, staged=10, duplicates=2, alerts=()):
    """What a build leaves, as far as a daily run reads it."""
    rows = [
        f"select '{alert['alert_id']}', date '{alert['alert_date']}', "
        f"date '{alert['alert_date']}', '{alert['kind']}', 0.5::double, -4.2::double, "
        f"'Half as many', {alert['is_current']}"
        for alert in alerts
    ]
    columns = (
        "alert_id, alert_date, last_date, kind, alert_value, standard_errors, title, is_current"
    )
    nothing = "select null, null::date, null::date, null, null, null, null, null where false"
    return f"""
        create schema if not exists staging; create schema if not exists marts;
        create table if not exists staging.builds (
            build_number integer, is_incremental boolean, is_finished boolean, fingerprint varchar);
        insert into staging.builds values ({number}, {is_incremental}, true, 'f');
        create or replace table marts.fct_data_health as select
            date '2026-02-15' as received_date, {staged + duplicates}::bigint as count_landed,
            {staged}::bigint as count_staged, {duplicates}::bigint as count_rejected,
            0::bigint as count_unreadable, {duplicates}::bigint as count_duplicate_event_id,
            1::bigint as count_late, 0::bigint as count_unknown_events, 0.1 as share_late;
        create or replace table marts.dim_settings as
            select timestamp '2026-02-16 03:00:00' as as_of;
        create or replace table marts.fct_sessions_daily as
            select date '2026-02-15' as session_date, starter_event_name,
                5 as count_sessions, 2 as count_converted, 1 as count_open
            from (values ('(all)'), ('Push Click')) as starters (starter_event_name);
        create or replace table marts.fct_alerts ({columns.replace(", ", " varchar, ")} varchar);
        create or replace table marts.fct_alerts as
            select * from ({" union all ".join([nothing, *rows])}) as alerts ({columns});
    """


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """A daily run in which make is ours: it fails at a step, or builds what is asked for."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(ROOT)
    warehouse = tmp_path / "w.duckdb"
    monkeypatch.setenv("DROPOFF_WAREHOUSE", str(warehouse))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    names = {"folder": tmp_path, "python": sys.executable, "warehouse": warehouse}
    (tmp_path / "make").write_text(MAKE.format(**names))
    (tmp_path / "make").chmod(0o755)
    (tmp_path / "build.py").write_text(BUILD.format(**names))

    def run(*arguments, fails="", **built):
        (tmp_path / "fails").write_text(fails)
        (tmp_path / "calls").write_text("")
        (tmp_path / "build.sql").write_text(build_sql(**built))
        monkeypatch.setattr(sys, "argv", ["daily.py", *arguments])
        code = daily.main()
        printed = capsys.readouterr()
        found = re.search(r"; the report is (\S+)\n$", printed.out)
        report = json.loads(Path(found[1]).read_text()) if found else None
        if report:
            jsonschema.validate(report, SCHEMA)
            assert report["exit_code"] == code
            assert not list((tmp_path / "w.daily").glob("*.new"))
        return code, printed, report

    run.calls = lambda: (tmp_path / "calls").read_text().splitlines()
    run.folder = tmp_path / "w.daily"
    return run


def test_a_fine_run_says_a_line_for_each_step_and_where_its_report_is(run):
    code, printed, report = run("--vars", "{session_timeout_minutes: 30}")
    assert (code, printed.err) == (0, "")
    *steps, last = printed.out.splitlines()
    assert steps == [f"{step}     done what it does (3 s)" for step in STEPS]
    assert last.startswith(f"fine; the report is {run.folder}/20")
    assert [step["step"] for step in report["steps"]] == STEPS
    given = json.loads(run.calls()[2].partition("VARS=")[2])
    assert given == {"session_timeout_minutes": 30, "alert_clock": report["started_at"]}
    assert "FULL=1" not in "".join(run.calls())


def test_a_report_says_what_the_marts_say(run):
    run()
    _, _, report = run("--without-pages", number=2, is_incremental=True, staged=15, duplicates=3)
    assert len(report["steps"]) == 3
    assert report["build"] == {
        "number": 2,
        "kind": "incremental",
        "why": "only what changed was redone",
    }
    rows = report["rows"]
    assert rows["landed"] == {"total": 18, "change": 6}
    assert rows["accepted"] == {"total": 15, "change": 5}
    assert rows["rejected_by_reason"] == {
        "unreadable": {"total": 0, "change": 0},
        "duplicate_event_id": {"total": 3, "change": 1},
    }
    assert rows["late"] == {"total": 1, "change": 0}
    assert report["as_of"] == "2026-02-16T03:00:00.000000Z"
    [day] = report["sessions_by_day"]
    assert day == {
        "session_date": "2026-02-15",
        "sessions": 5,
        "converted": 2,
        "dropped": 2,
        "still_open": 1,
    }


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--full-refresh"], "a full refresh was asked for"),
        ([], "settings, vars, SQL or a version changed"),
    ],
)
def test_a_report_says_why_everything_was_built(run, arguments, why):
    assert run()[2]["build"]["why"] == "there was no build before it"
    assert run(*arguments, number=2)[2]["build"] == {"number": 2, "kind": "full", "why": why}
    assert ("FULL=1" in run.calls()[0]) == bool(arguments)


def test_a_report_says_that_the_build_before_it_did_not_end(run):
    run()
    with duckdb.connect(os.environ["DROPOFF_WAREHOUSE"]) as connection:
        connection.execute("update staging.builds set is_finished = false")
    assert run(number=2)[2]["build"]["why"] == "the build before it did not end"


@pytest.mark.parametrize(
    ("fails", "code", "steps"),
    [
        ("settings", 12, 1),
        ("setup", 11, 1),
        ("check", 11, 2),
        ("build", 11, 3),
        ("reports", 13, 4),
    ],
)
def test_the_step_that_fails_gives_the_exit_code(run, fails, code, steps):
    found, printed, report = run(fails=fails)
    assert found == code
    assert f"{fails}     failed after 3 s; details in logs/{fails}.log" in printed.out
    assert "make:" not in printed.out
    assert len(report["steps"]) == steps
    assert report["steps"][-1]["outcome"] == "failed"
    assert report["steps"][-1]["log"] == f"logs/{fails}.log"
    assert (report["build"] is not None) == (fails == "reports")


def test_what_is_alarming_goes_to_stderr_and_gives_ten(run):
    old = ALERT | {"alert_id": "a0", "is_current": False}
    code, printed, report = run(alerts=[ALERT, old])
    assert code == 10
    assert printed.err == "step_fell, 2026-02-15: Half as many\n"
    assert {alert["alert_id"] for alert in report["alerts"]} == {"a0", "a1"}
    assert report["sent"] is None
    assert run(alerts=[old])[0] == 0
    assert run(alerts=[ALERT], fails="reports")[0] == 13


def test_each_alert_is_sent_once_and_signed(run, monkeypatch):
    old = ALERT | {"alert_id": "too-old", "alert_date": "2026-02-08", "is_current": False}
    recent = ALERT | {"alert_id": "recent", "alert_date": "2026-02-09", "is_current": False}
    with Receiver() as receiver:
        monkeypatch.setenv("DROPOFF_ALERT_WEBHOOK_URL", receiver.url)
        monkeypatch.setenv("DROPOFF_ALERT_WEBHOOK_SECRET", "secret")
        code, _, report = run(alerts=[ALERT, recent, old])
        assert (code, report["sent"]) == (10, {"delivered": 2, "refused": 0, "waiting": 0})
        assert run(alerts=[ALERT, recent])[2]["sent"]["delivered"] == 0
        receiver.shutdown()
    assert receiver.keys == ["a1", "recent"]
    _, headers, body = receiver.posted[0]
    digest = hmac.new(b"secret", body, hashlib.sha256).hexdigest()
    assert headers["X-Dropoff-Signature"] == f"sha256={digest}"
    assert json.loads(body) == {
        "key": "a1",
        **ALERT,
        "last_date": "2026-02-15",
        "alert_value": 0.5,
        "standard_errors": -4.2,
        "title": "Half as many",
    }


def test_an_alert_that_nobody_takes_goes_out_in_the_next_run(run, monkeypatch):
    monkeypatch.setattr(daily, "PATIENCE", 1.0)
    with Receiver() as receiver:
        receiver.answer = lambda key, count: 401
        monkeypatch.setenv("DROPOFF_ALERT_WEBHOOK_URL", receiver.url)
        code, printed, report = run(alerts=[ALERT])
        assert (code, report["sent"]["waiting"]) == (14, 1)
        assert receiver.url not in printed.err
        receiver.answer = lambda key, count: 200
        code, _, report = run()
        assert (code, report["sent"]) == (0, {"delivered": 1, "refused": 0, "waiting": 0})
        assert len({body for _, _, body in receiver.posted}) == 1
        # one that is refused is given up, and told once
        receiver.answer = lambda key, count: 422
        alert = ALERT | {"alert_id": "a2"}
        assert run(alerts=[alert])[0] == 14
        assert run(alerts=[alert])[0] == 10
        receiver.shutdown()


def test_while_nobody_listens_alerts_wait(run, monkeypatch, caplog):
    monkeypatch.setattr(daily, "PATIENCE", 3.0)
    with Receiver(listens=False) as receiver:
        monkeypatch.setattr(sys.modules["interventions"], "FIRST_PAUSE", 0.01)
        monkeypatch.setenv("DROPOFF_ALERT_WEBHOOK_URL", receiver.url)
        assert run(alerts=[ALERT])[0] == 14
        host = f"http://127.0.0.1:{receiver.server_port}"
    assert f"Alerts wait: {host} does not answer." in caplog.messages


def test_settings_of_the_run_itself_that_are_wrong_stop_it_at_once(run, monkeypatch):
    code, printed, report = run("--vars", "[1]")
    assert (code, report["steps"], run.calls()) == (12, [], [])
    assert printed.err.startswith("VARS (--vars) is '[1]', which is no YAML mapping;")
    monkeypatch.setenv("DROPOFF_ALERT_WEBHOOK_URL", "ftp://example.com")
    code, printed, _ = run()
    assert (code, run.calls()) == (12, [])
    assert printed.err == (
        "The webhook's address is none: set DROPOFF_ALERT_WEBHOOK_URL to one that begins with "
        "http:// or https://.\n"
    )


def test_two_runs_do_not_work_at_once(run):
    run()
    descriptor = os.open(run.folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    code, printed, _ = run()
    os.close(descriptor)
    assert (code, run.calls()) == (15, [])
    assert printed.err == (
        f"Another make daily is at work in {run.folder}: run again when it has ended.\n"
    )
    assert run()[0] == 0


def test_a_folder_that_cannot_be_written_is_one_sentence(run):
    run.folder.write_text("no folder")
    code, printed, _ = run()
    assert (code, run.calls()) == (12, [])
    assert printed.err == (
        f"{run.folder} cannot be read or written (File exists); reports of daily runs are kept "
        "beside the warehouse, which DROPOFF_WAREHOUSE names.\n"
    )


# --- the page of schedules --------------------------------------------------------------------------


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", DOCS, re.DOTALL)


def test_the_page_has_every_exit_code():
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", DOCS, re.MULTILINE)} == set(
        daily.Outcome
    )


def test_the_crontab_of_the_page_runs(run, tmp_path):
    [line] = blocks("crontab")
    assert re.match(r"15 3 \* \* \* ", line)
    (tmp_path / "fails").write_text("")
    (tmp_path / "build.sql").write_text(build_sql(alerts=[ALERT]))
    command = line.split(" ", 5)[5].replace("/srv/dropoff", str(ROOT))
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True)
    assert done.returncode == 10
    assert done.stderr == "step_fell, 2026-02-15: Half as many\n"


def test_the_workflow_of_the_page_is_one():
    [text] = blocks("yaml")
    workflow = yaml.safe_load(text)
    # YAML 1.1 reads on as true
    assert workflow[True]["schedule"] == [{"cron": "15 3 * * *"}]
    steps = workflow["jobs"]["daily"]["steps"]
    assert all(("uses" in step) != ("run" in step) for step in steps)
    ours = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    known = {step.get("uses") for job in ours["jobs"].values() for step in job["steps"]}
    assert {step.get("uses") for step in steps} - {"actions/cache@v4"} <= known


@pytest.mark.parametrize(("code", "ends"), [(0, 0), (10, 0), (11, 1), (14, 1)])
@pytest.mark.parametrize("where", ["workflow", "Airflow"])
def test_a_run_that_alarms_is_no_failure_of_the_schedule(tmp_path, where, code, ends):
    [workflow] = blocks("yaml")
    [script] = [
        step["run"]
        for step in yaml.safe_load(workflow)["jobs"]["daily"]["steps"]
        if "daily.py" in step.get("run", "")
    ]
    if where == "Airflow":
        script = re.search(r'bash_command="(.*)"', DOCS)[1]
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").write_text(f"#!/bin/sh\nexit {code}\n")
    (tmp_path / ".venv/bin/python").chmod(0o755)
    assert subprocess.run(["bash", "-ec", script], cwd=tmp_path).returncode == ends


def test_the_python_of_the_page_compiles():
    examples = blocks("python")
    assert len(examples) == 2
    for example in examples:
        compile(example, "schedule.md", "exec")


@pytest.mark.slow
def test_a_day_after_the_other_with_the_true_make(tmp_path):
    """Two days of a small app land, and a broken file; the settings are then made wrong."""
    (tmp_path / "events").mkdir()
    settings = tmp_path / "settings"
    settings.mkdir()
    for path in (ROOT / "seeds").glob("*.csv"):
        (settings / path.name).write_bytes(path.read_bytes())
    environment = {key: value for key, value in os.environ.items() if key not in SETTINGS} | {
        "DROPOFF_EVENTS": f"{tmp_path}/events",
        "DROPOFF_SEEDS": str(settings),
        "DROPOFF_WAREHOUSE": f"{tmp_path}/w.duckdb",
        # other tests read what the build of the demo left
        "DBT_TARGET_PATH": str(tmp_path / "target"),
        "DBT_LOG_PATH": str(tmp_path / "logs"),
    }

    def run(events_of_day):
        if events_of_day:
            lines = [
                json.dumps(
                    {
                        "event_id": f"{events_of_day}-{number}",
                        "user_id": f"u{number % 5}",
                        "event_name": name,
                        "event_time": f"{events_of_day}T10:{number:02}:00Z",
                        "received_at": f"{events_of_day}T10:{number:02}:01Z",
                    }
                )
                for number, name in enumerate(["Journey Started"] * 5 + ["bus_search"] * 5)
            ]
            (tmp_path / "events" / f"{events_of_day}.ndjson").write_text("\n".join(lines) + "\n")
        done = subprocess.run(
            [sys.executable, "steps/daily.py", "--without-pages"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
        )
        [*_, last] = sorted((tmp_path / "w.daily").glob("*.json"))
        report = json.loads(last.read_text())
        jsonschema.validate(report, SCHEMA)
        assert report["exit_code"] == done.returncode, done.stdout + done.stderr
        return done, report

    done, report = run("2026-02-14")
    # the data are old: since then nothing came
    assert done.returncode == 10
    assert done.stderr.startswith("no_rows, 2026-02-15: No rows came for ")
    assert report["build"]["kind"] == "full"
    assert report["rows"]["accepted"] == {"total": 10, "change": 10}
    done, report = run("2026-02-15")
    assert report["build"]["kind"] == "incremental"
    assert report["rows"]["accepted"] == {"total": 20, "change": 10}
    assert [day["sessions"] for day in report["sessions_by_day"]] == [5, 5]
    (settings / "funnels.csv").unlink()
    done, report = run(None)
    assert done.returncode == 12
    assert "funnels.csv is missing" in " ".join(report["steps"][0]["said"])
    assert report["build"] is None
