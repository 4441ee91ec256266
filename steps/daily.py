"""Run a day, for cron or an orchestrator: settings, check, build, pages; tell what is alarming.

    python steps/daily.py [--vars YAML] [--full-refresh] [--without-pages]

Prints a line for each step and the name of the run's report, JSON as in
docs/daily-report.schema.json; what somebody should look at goes to stderr and, each alert once,
to DROPOFF_ALERT_WEBHOOK_URL. Exit codes: see Outcome; 1 is a fault of this program, and 2 a wrong
command line. Where several apply, the largest.
"""

import argparse
import contextlib
import enum
import fcntl
import json
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import app
import duckdb

sys.path.append(str(app.ROOT / "live"))
from interventions import Journal, Sender, Webhook, as_bytes, iso, plain

# alerts of so many days before the newest are sent where they were not: a run may have failed
SENT_DAYS = 7
# what a receiver may take together; what it did not take goes out in the next run, seconds
PATIENCE = 60.0
SESSION_DAYS = 14
FAILED = re.compile(r"(\S+) +failed after \d+ s; details in (\S+)")
SKIPPED = "nothing changed"

Row = dict[str, Any]


class Outcome(enum.IntEnum):
    """How a run ended, as its exit code."""

    FINE = 0
    ALARMING = 10  # built, and something should be looked at
    NOT_BUILT = 11  # the old warehouse and the old pages stand
    WRONG_SETTINGS = 12  # the same, and the same run again will do no better
    NOT_RENDERED = 13  # built; the old pages stand
    NOT_TOLD = 14  # built and alarming, and the webhook does not take it
    AT_WORK = 15  # another daily run is; nothing was done


def make(step: str, dbt_vars: Row, full_refresh: bool) -> Row:
    """Run a step of the Makefile. Returns what the report says of it."""
    # in single quotes there, after make has looked for variables
    text = json.dumps(dbt_vars).replace("'", "\\u0027").replace("$", "$$")
    command = ["make", "--no-print-directory", step, f"VARS={text}"]
    started = time.monotonic()
    done = subprocess.run(
        [*command, "FULL=1"] if full_refresh else command,
        cwd=app.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    lines = [line.rstrip() for line in done.stdout.splitlines() if not line.startswith("make")]
    failure = next(filter(None, map(FAILED.match, lines)), None)
    told = lines
    if failure:
        told = lines[lines.index(failure.string) :]
    elif not done.returncode:
        told = [line for line in lines if line.split(" ")[0] == step]
    print(*told, sep="\n", flush=True)
    outcome = "skipped" if any(line.endswith(SKIPPED) for line in told) else "done"
    return {
        "step": failure[1] if failure else step,
        "outcome": "failed" if done.returncode else outcome,
        "seconds": round(time.monotonic() - started, 1),
        "log": failure[2] if failure else None,
        "said": [line.strip() for line in told],
    }


def rows_of(connection: duckdb.DuckDBPyConnection, query: str) -> list[Row]:
    """Rows of a query, with dates as ISO text."""
    result = connection.execute(query)
    names = [column[0] for column in result.description]
    return [
        {name: as_json(value) for name, value in zip(names, row, strict=True)}
        for row in result.fetchall()
    ]


def as_json(value: object) -> object:
    """What JSON can hold of a value of a mart."""
    value = plain(value)
    return value if isinstance(value, str | int | float | None) else str(value)


def last_build(warehouse: Path) -> Row:
    """Return the last build and the rows it knew. Raises duckdb.Error where there is none."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        builds = rows_of(connection, "from staging.builds order by build_number desc limit 1")
        health = rows_of(
            connection,
            "select columns('count_(.*)') as '\\1' from ("
            "select coalesce(sum(columns('count_.*')), 0)::bigint from marts.fct_data_health)",
        )
    return {"build": builds[0], "health": health[0]}


def build_before(warehouse: Path) -> Row | None:
    """Return the same of a run's beginning; None where there was no build of this version."""
    try:
        return last_build(warehouse)
    except duckdb.Error:
        return None


def build_report(before: Row | None, after: Row, full_refresh: bool) -> Row:
    """Say which build it was, and why what changed or everything was built."""
    old, new = before and before["build"], after["build"]
    if old and old["build_number"] == new["build_number"]:
        why = "nothing changed since the last build"
    elif new["is_incremental"]:
        why = "only what changed was redone"
    elif full_refresh:
        why = "a full refresh was asked for"
    elif not old:
        why = "there was no build before it"
    elif not old["is_finished"]:
        why = "the build before it did not end"
    else:
        why = "settings, vars, SQL or a version changed"
    return {
        "number": new["build_number"],
        "kind": "incremental" if new["is_incremental"] else "full",
        "why": why,
    }


def rows_report(before: Row | None, after: Row) -> Row:
    """Rows in the warehouse, and how many more they are than before the run."""
    now, then = after["health"], before["health"] if before else {}

    def counted(name: str) -> Row:
        return {"total": now[name], "change": now[name] - then.get(name, 0)}

    names = list(now)
    reasons = names[names.index("rejected") + 1 : names.index("late")]
    return {
        "landed": counted("landed"),
        "accepted": counted("staged"),
        "rejected": counted("rejected"),
        "rejected_by_reason": {reason: counted(reason) for reason in reasons},
        "late": counted("late"),
        "unknown_events": counted("unknown_events"),
    }


def data_report(warehouse: Path) -> Row:
    """Return what the marts say: the data's clock, sessions of the last days, alerts."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        [settings] = rows_of(connection, "select as_of from marts.dim_settings")
        sessions = rows_of(
            connection,
            f"""
            select
                session_date,
                sum(count_sessions)::bigint as sessions,
                sum(count_converted)::bigint as converted,
                sum(count_sessions - count_converted - count_open)::bigint as dropped,
                sum(count_open)::bigint as still_open
            from marts.fct_sessions_daily
            where starter_event_name = '(all)'
            group by session_date
            order by session_date desc
            limit {SESSION_DAYS}
            """,
        )
        alerts = rows_of(
            connection,
            f"""
            select *
            from marts.fct_alerts
            where is_current or last_date >= (
                select cast(as_of as date) - {SENT_DAYS} from marts.dim_settings
            )
            order by alert_date desc, abs(standard_errors) desc nulls first, alert_id
            """,
        )
    return {"as_of": settings["as_of"], "sessions_by_day": sessions[::-1], "alerts": alerts}


def send(alerts: list[Row], folder: Path, webhook: Webhook) -> Row:
    """Send the alerts that were not sent before. Returns how many were taken, refused and wait.

    Each is on disk before it is sent, goes out until it is taken or refused, and then never
    again. Raises OSError where it cannot be written down.
    """
    told = Journal(folder / "alerts.ndjson")
    delivered, refused = Journal(folder / "delivered.ndjson"), Journal(folder / "refused.ndjson")
    with contextlib.closing(told):
        settled = {row["key"] for journal in (delivered, refused) for row in journal.rows()}
        messages = {row["key"]: as_bytes(row) for row in told.rows()}
        new = {
            alert["alert_id"]: as_bytes({"key": alert["alert_id"], **alert})
            for alert in alerts
            if alert["alert_id"] not in messages
        }
        if new:
            told.append(new.values())
    sender = Sender(webhook, delivered, refused, messages="Alerts")
    sender.add([item for item in (messages | new).items() if item[0] not in settled])
    sender.thread.start()
    waiting = sender.settle(PATIENCE)
    sender.stop()
    return {**sender.counts, "waiting": waiting}


def versions() -> dict[str, str]:
    """The versions that a run was made with."""
    packages = ("dbt-core", "dbt-duckdb", "duckdb")
    project = app.project()
    return {
        "dropoff": project["version"],
        "python": sys.version.split()[0],
        **{name: metadata.version(name) for name in packages},
    }


def write_report(report: Row, folder: Path) -> Path:
    """Write the report under the time the run began: whole, or not at all."""
    path = folder / f"{report['started_at'][:19].replace(':', '-')}Z.json"
    new = path.with_suffix(".new")
    new.write_text(json.dumps(report, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(new, path)
    return path


@contextlib.contextmanager
def only_run_in(folder: Path) -> Iterator[None]:
    """Hold the folder's lock. Raises BlockingIOError where another run holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def run(options: argparse.Namespace, given: Row, webhook: Webhook | None, report: Row) -> Outcome:
    """Run the steps and fill the report. Raises OSError where alerts cannot be written down."""
    warehouse = app.ROOT / app.warehouse()
    before = build_before(warehouse)
    dbt_vars = {"alert_clock": report["started_at"], **given}
    outcome = Outcome.FINE
    for step in ("settings", "check", "build", *(() if options.without_pages else ("reports",))):
        done = make(step, dbt_vars, options.full_refresh)
        report["steps"].append(done)
        if done["outcome"] == "failed":
            ends = {"settings": Outcome.WRONG_SETTINGS, "reports": Outcome.NOT_RENDERED}
            # one without a log never began
            outcome = ends.get(done["log"] and done["step"], Outcome.NOT_BUILT)
            break
    if outcome in (Outcome.NOT_BUILT, Outcome.WRONG_SETTINGS):
        return outcome

    after = last_build(warehouse)
    report["build"] = build_report(before, after, options.full_refresh)
    report["rows"] = rows_report(before, after)
    report |= data_report(warehouse)
    current = [alert for alert in report["alerts"] if alert["is_current"]]
    for alert in current:
        print(f"{alert['kind']}, {alert['alert_date']}: {alert['title']}", file=sys.stderr)
    if current:
        outcome = max(outcome, Outcome.ALARMING)
    if webhook:
        report["sent"] = send(report["alerts"], warehouse.with_suffix(".daily"), webhook)
        if report["sent"]["waiting"] or report["sent"]["refused"]:
            outcome = Outcome.NOT_TOLD
    return outcome


def main() -> int:
    """Run a day. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vars", default="", help="dbt's vars, as YAML")
    parser.add_argument("--full-refresh", action="store_true", help="build everything anew")
    parser.add_argument("--without-pages", action="store_true", help="render no pages")
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    os.chdir(app.ROOT)

    report: Row = {
        "schema_version": 1,
        "started_at": iso(datetime.now(UTC)),
        "warehouse": str(app.warehouse()),
        "versions": versions(),
        "steps": [],
        "build": None,
        "rows": None,
        "as_of": None,
        "sessions_by_day": None,
        "alerts": None,
        "sent": None,
    }
    started = time.monotonic()
    folder = app.warehouse().with_suffix(".daily")
    try:
        with only_run_in(folder):
            try:
                given = app.given_vars(options.vars)
                webhook = Webhook.from_environment("DROPOFF_ALERT_WEBHOOK")
            except ValueError as error:
                print(error, file=sys.stderr)
                outcome = Outcome.WRONG_SETTINGS
            else:
                outcome = run(options, given, webhook, report)
            report |= {
                "ended_at": iso(datetime.now(UTC)),
                "seconds": round(time.monotonic() - started, 1),
                "outcome": outcome.name.lower(),
                "exit_code": int(outcome),
            }
            path = write_report(report, folder)
    except BlockingIOError:
        print(
            f"Another make daily is at work in {folder}: run again when it has ended.",
            file=sys.stderr,
        )
        return Outcome.AT_WORK
    except OSError as error:
        print(
            f"{error.filename} cannot be read or written ({error.strerror}); reports of daily runs "
            "are kept beside the warehouse, which DROPOFF_WAREHOUSE names.",
            file=sys.stderr,
        )
        return Outcome.WRONG_SETTINGS
    print(f"{outcome.name.lower().replace('_', ' ')}; the report is {path}")
    return outcome


if __name__ == "__main__":
    sys.exit(main())
