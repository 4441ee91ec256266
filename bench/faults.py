"""Inflict faults on builds of a small simulated app, and count what came of them.

    .venv/bin/python bench/faults.py [--kills 50] [--only NAME ...] [--scale 0.02] [--seed 1]

Each fault begins with the same warehouse, built from four tenths of the app's rows; the others land
while it lasts: in all formats, late ones and copies among them, assignments too. In the end the
warehouse must be what a build from nothing makes of the same landing zone with the same fitted
tables, row by row, and every landed row must be staged or rejected. Writes faults.md; the rows of
faults that were not inflicted this time stay in it. Ends with an error where anything was lost or
wrong. A full disk is a tmpfs, which takes root.
"""

import argparse
import contextlib
import fcntl
import gzip
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from run import BENCH, DATA, PROJECT_PYTHON, as_row

ROOT = BENCH.parent
sys.path += [str(ROOT / "steps"), str(ROOT / "tests" / "python")]
from build import copy_what_was_fitted  # noqa: E402
from step import MARKS, SENTENCES_SHOWN  # noqa: E402
from warehouses import differences  # noqa: E402

WORK = DATA / "faults"
RESULTS = BENCH / "results" / "faults.md"
# nothing of a build then depends on when it ran
CLOCK = "2026-03-01 00:00:00"
PATIENCE_SECONDS = 300
# of the rows, in the order in which they were received; the rest lands during faults
BASE_SHARE = 0.4
BASE_FILES = 8
FORMATS = {
    "parquet": "format parquet",
    "ndjson": "format json",
    "csv": "format csv, header",
    "ndjson.gz": "format json, compression gzip",
}
BUSY = re.compile(r"^.* is being written by another process; build again when it has ended\.$")
TRACE = re.compile(r"Traceback|^\s*File \"|^\s*[~^]+\s*$")
HEADER = ("fault", "tries", "what happened", "rows lost", "tables that differ")


@dataclass
class Found:
    """What came of a fault."""

    tries: int = 0
    told: str = ""
    lost: int = 0
    differing: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def expect(self, holds: bool, what: str) -> None:
        """Note what is wrong where it does not hold."""
        if not holds:
            self.wrong.append(what)
            print(f"    WRONG: {what}", flush=True)


class BuildFailedError(Exception):
    """A build that had to end well did not."""


@dataclass
class Build:
    """A build that runs or has ended, in a process group of its own."""

    process: subprocess.Popen
    log: Path

    def printed(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def shown(self) -> list[str]:
        """The last lines, which step.py shows where it failed."""
        lines = [line.strip() for line in self.printed().splitlines()]
        return [line for line in lines if not MARKS.fullmatch(line)][-SENTENCES_SHOWN:]

    def sentence(self) -> str:
        """The last line."""
        return (self.shown() or [""])[-1]

    def has_trace(self) -> bool:
        """True where somebody would be shown a call stack."""
        return any(TRACE.search(line) for line in self.shown())

    def ended(self) -> int:
        """Wait for it. Returns its exit code."""
        return self.process.wait(PATIENCE_SECONDS)

    def kill(self) -> None:
        """Kill -9 it and all it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def reach(self, text: str) -> None:
        """Wait until it has printed this, or has ended."""
        while text not in self.printed() and self.process.poll() is None:
            time.sleep(0.02)


class App:
    """A simulated app: its rows, what of them has landed, its warehouse, and a reference."""

    def __init__(self, scale: float, seed: int, slices: int) -> None:
        """Simulate, land the first rows, build twice: for the base, and to know how long it takes.

        Every path stays the same over all faults, for dbt to parse the project once.
        """
        self.rng, self.slices = random.Random(seed), slices
        self.folder, self.base, self.reference = WORK / "app", WORK / "base", WORK / "reference"
        self.events, self.ledger = self.folder / "events", self.folder / "ledger"
        self.warehouse = self.folder / "w.duckdb"
        shutil.rmtree(WORK, ignore_errors=True)
        for folder in (self.events, self.ledger, self.reference):
            folder.mkdir(parents=True)
        self.rows = self.simulated(scale, seed)
        self.next_slice, self.landed, self.counter = 0, {}, 0
        per_file = round(slices * BASE_SHARE) // BASE_FILES
        for _ in range(BASE_FILES):
            self.land(per_file, "parquet")
        self.finish()
        shutil.copytree(self.folder, self.base)
        self.base_state = self.next_slice, dict(self.landed)
        self.land()
        began = time.monotonic()
        self.finish()
        self.seconds = time.monotonic() - began

    def simulated(self, scale: float, seed: int) -> duckdb.DuckDBPyConnection:
        """The rows in slices of equal size; one in twenty is late, by three slices."""
        folder = WORK / "simulated"
        simulate = [PROJECT_PYTHON, ROOT / "landing" / "simulate.py", "--scale", str(scale)]
        simulate += ["--seed", str(seed), "--out", folder / "events", "--truth", folder / "truth"]
        subprocess.run([*simulate, "--ledger", folder / "ledger"], check=True)
        connection = duckdb.connect()
        for name, order in (("events", "received_at, event_id"), ("ledger", "assigned_at")):
            connection.execute(f"""
                create table {name} as
                select
                    landed.*,
                    (row_number() over (order by {order}) - 1) * {self.slices}
                    // count(*) over () as slice,
                    hash(landed) as dice
                from read_parquet('{folder}/{name}/*.parquet') as landed
            """)
        return connection

    def reset(self) -> None:
        """Begin again with the base."""
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        shutil.copytree(self.base, self.folder, dirs_exist_ok=True)
        self.next_slice, self.landed = self.base_state[0], dict(self.base_state[1])

    def land(self, slices: int = 1, form: str | None = None) -> Path:
        """Land the next slices as one file, with late rows and copies. Returns the events' file."""
        first, self.next_slice = self.next_slice, self.next_slice + slices
        self.counter += 1
        form = form or list(FORMATS)[self.counter % len(FORMATS)]
        for name, folder in (("events", self.events), ("ledger", self.ledger)):
            path = folder / f"{self.counter:04}.{form}"
            late = "dice % 20 = 0"
            query = f"""
                select * exclude (slice, dice) from {name}
                where
                    (slice >= {first} and slice < {self.next_slice} and not {late})
                    or (slice >= {first - 3} and slice < {self.next_slice - 3} and {late})
                    or (slice < {first} and (dice + {self.counter}) % 997 = 0)
            """
            count = self.rows.execute(f"select count(*) from ({query})").fetchone()[0]
            if count:
                self.rows.execute(f"copy ({query}) to '{path}.part' ({FORMATS[form]})")
                os.replace(f"{path}.part", path)
                self.landed[path] = count
        return self.events / f"{self.counter:04}.{form}"

    def gone(self, path: Path) -> None:
        """Take a file out of the landing zone."""
        path.unlink()
        del self.landed[path]

    def start(
        self,
        *,
        warehouse: Path | None = None,
        clock: str = CLOCK,
        script: tuple[str, ...] = ("steps/build.py",),
    ) -> Build:
        """Start a build of the app, or another command on it."""
        warehouse = warehouse or self.warehouse
        kept = WORK / f"dbt-{warehouse.parent.name}"
        kept.mkdir(exist_ok=True)
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("DROPOFF_")
        } | {
            "DROPOFF_EVENTS": str(self.events),
            "DROPOFF_INTERVENTIONS": str(self.ledger),
            "DROPOFF_SEEDS": str(ROOT / "seeds"),
            "DROPOFF_WAREHOUSE": str(warehouse),
            "DBT_TARGET_PATH": str(kept / "target"),
            "DBT_LOG_PATH": str(kept / "logs"),
            "PYTHONUNBUFFERED": "1",
        }
        self.counter += 1
        log = kept / f"{self.counter:04}.log"
        with log.open("w", encoding="utf-8") as output:
            process = subprocess.Popen(
                [PROJECT_PYTHON, *script, "--vars", json.dumps({"build_clock": clock})],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Build(process, log)

    def finish(self, **how: object) -> Build:
        """Build to the end, which must be a good one."""
        build = self.start(**how)
        if build.ended():
            raise BuildFailedError(f"a build failed with nothing done to it: {build.shown()}")
        return build

    def from_nothing(self, clock: str = CLOCK) -> Path:
        """Build the landing zone as it is from nothing, with the tables that the app fitted."""
        reference = self.reference / "w.duckdb"
        reference.unlink(missing_ok=True)
        copy_what_was_fitted(self.warehouse, reference)
        self.finish(warehouse=reference, clock=clock)
        return reference

    def compare(self, found: Found, what: str, reference: Path | None = None) -> None:
        """Compare with a build from nothing, row by row, and count what is lost."""
        reference = reference or self.from_nothing()
        differing = differences(self.warehouse, reference)
        for table, (only_found, only_expected) in differing.items():
            print(f"    {table}: only found {str(only_found)[:200]}", flush=True)
            print(f"    {table}: only expected {str(only_expected)[:200]}", flush=True)
        lost = sum(self.landed.values()) - staged_or_rejected(self.warehouse)
        found.differing |= set(differing)
        found.lost += abs(lost)
        found.expect(not differing, f"{what}: {', '.join(sorted(differing))} differ")
        found.expect(not lost, f"{what}: {lost} rows lost")

    def leftovers(self) -> set[str]:
        """What lies beside landing zone and warehouse."""
        return {path.name for path in self.folder.iterdir()} - {"events", "ledger", "w.duckdb"}

    def is_locked(self) -> bool:
        """True where something holds the lock on the warehouse; killed processes take a moment."""
        lock, until = Path(f"{self.warehouse}.lock"), time.monotonic() + 5
        while lock.exists() and time.monotonic() < until:
            with lock.open("ab") as file, contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return False
            time.sleep(0.01)
        return lock.exists()


def staged_or_rejected(warehouse: Path) -> int:
    """Rows of events and of the ledger that stand in staging."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return connection.execute("""
            select
                (select count(*) from staging.base_app__staged_rows)
                + (select count(*) from staging.stg_app__rejected_rows)
                + (select count(*) from staging.stg_ledger__assignments)
                + (select count(*) from staging.stg_ledger__rejected_rows)
        """).fetchone()[0]


def answers(warehouse: Path) -> dict[str, tuple]:
    """{table: (rows, their hash)} of the marts and the builds: what readers are told."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        tables = connection.execute(
            "select 'marts.' || table_name from duckdb_tables() where schema_name = 'marts'"
        ).fetchall()
        names = [*(table for (table,) in tables), "staging.builds"]
        query = "select count(*), sum(cast(hash(rows) as hugeint)) from {} as rows"
        return {name: connection.execute(query.format(name)).fetchone() for name in names}


def killed_builds(app: App, found: Found, kills: int) -> None:
    """Kill -9 of the process group at moments spread evenly over a build; files land between."""
    replaced, left = 0, Counter()
    before = answers(app.warehouse)
    for number in range(1, kills + 1):
        app.land()
        file = os.stat(app.warehouse).st_ino
        build = app.start()
        with contextlib.suppress(subprocess.TimeoutExpired):
            build.process.wait(app.rng.uniform(0, app.seconds))
        build.kill()
        found.tries += 1
        found.expect(not BUSY.match(build.sentence()), f"kill {number}: the lock was still held")
        found.expect(not app.is_locked(), f"kill {number}: the lock outlived its holders")
        left.update(app.leftovers())
        try:
            after = answers(app.warehouse)
        except duckdb.Error as error:
            found.expect(False, f"kill {number}: the warehouse does not answer: {error}")
            after = None
        if os.stat(app.warehouse).st_ino != file:
            replaced += 1
        else:
            found.expect(after == before, f"kill {number}: the old warehouse answers otherwise")
        before = after
        last = [line for line in build.printed().splitlines() if " of " in line][-1:]
        print(f"  kill {number}: {last[0][:80] if last else 'at the start'}", flush=True)
        if number % 10 == 0 or number == kills:
            app.finish()
            found.expect(not app.leftovers(), f"kill {number}: {app.leftovers()} is left over")
            app.compare(found, f"after {number} kills")
            before = answers(app.warehouse)
    found.told = (
        f"{replaced} builds had already replaced the warehouse, after all others it answered as "
        f"before; the next build was never locked out and cleared away what {left.total()} times "
        "lay beside it."
    )


# steps/build.py, killed right before or right after it does this
KILLED_AT = """
import os, signal, sys
sys.path.insert(0, "steps")
import build

def killed(*paths, replace=os.replace):
    if {is_after}:
        replace(*paths)
    os.kill(os.getpid(), signal.SIGKILL)

build.os.replace = killed
build.main()
"""


def killed_plain_builds(app: App, found: Found, _: int) -> None:
    """A plain dbt build is killed, then steps/build.py in the moment of the replace."""
    told = []
    reference = None
    for is_after in (False, True):
        app.reset()
        app.land()
        dbt = str(Path(sys.executable).with_name("dbt"))
        plain = app.start(
            script=("-c", f"import os, sys; os.execv({dbt!r}, ['dbt', 'run'] + sys.argv[1:])")
        )
        plain.reach("START sql table model marts.fct_leaks")
        plain.kill()
        log = Path(f"{app.warehouse}.wal")
        size = log.stat().st_size if log.exists() else 0
        build = app.start(script=("-c", KILLED_AT.format(is_after=is_after)))
        build.ended()
        build.kill()
        found.tries += 1
        when = "after" if is_after else "before"
        try:
            answers(app.warehouse)
        except duckdb.Error as error:
            found.expect(False, f"killed {when} the replace: it does not answer: {error}")
        if is_after:
            with contextlib.suppress(duckdb.Error):
                app.compare(found, "killed after the replace", reference := app.from_nothing())
        app.finish()
        reference = reference or app.from_nothing()
        app.compare(found, f"the build after one killed {when} the replace", reference)
        told.append(f"{when} it ({size:,} bytes of dbt's log lay there)")
    found.told = f"Killed {' and '.join(told)}, it answered, and the next build was right."


def full_disk(app: App, found: Found, _: int) -> None:
    """Warehouse, temporary and landed files on a small disk, full at ever later places."""
    told, mounted = [], False
    if os.geteuid():
        found.told = "Left out: a tmpfs takes root."
        return
    app.reset()
    used = sum(path.stat().st_size for path in app.folder.rglob("*") if path.is_file())
    old = app.warehouse.stat().st_size
    try:
        mounting = ["mount", "-t", "tmpfs", "-o", f"size={4 * used + 1_000_000_000}", "tmpfs"]
        if subprocess.run([*mounting, app.folder], capture_output=True).returncode:
            found.told = "Left out: a tmpfs could not be mounted."
            return
        mounted = True
        reference = None
        # shares of the old warehouse that are free: the first two fail in the copy, then bisected
        fails, works, shares = 0.95, 3.0, [0.0, 0.5, 0.95, 1.02]
        while shares or works - fails > 0.04:
            share = shares.pop(0) if shares else (fails + works) / 2
            app.counter = 1000
            app.reset()
            app.land(3, "parquet")
            # free pages are counted from what is used now
            usage = shutil.disk_usage(app.folder)
            resize(app.folder, usage.used + round(share * old))
            before, file = answers(app.warehouse), os.stat(app.warehouse)
            build = app.start()
            code = build.ended()
            resize(app.folder, usage.total)
            found.tries += 1
            what = f"{share:.2f} of the warehouse free"
            print(f"  {what}: exit {code}, {build.shown()[-2:]}", flush=True)
            if code:
                fails = max(fails, share)
                found.expect(not build.has_trace(), f"{what}: a stack trace, {build.sentence()}")
                found.expect(
                    bool(re.search("[Ss]pace|full", " ".join(build.shown()))),
                    f"{what}: the disk is not named, {build.shown()}",
                )
                found.expect(answers(app.warehouse) == before, f"{what}: other answers")
                found.expect(os.stat(app.warehouse).st_mtime_ns == file.st_mtime_ns, f"{what}: old")
            else:
                works = min(works, share)
                reference = reference or app.from_nothing()
                app.compare(found, what, reference)
            found.expect(not app.leftovers(), f"{what}: {app.leftovers()} is left over")
            told.append(code)
        # what failed last is caught up with
        app.counter = 1000
        app.reset()
        app.land(3, "parquet")
        usage = shutil.disk_usage(app.folder)
        resize(app.folder, usage.used + round(fails * old))
        failed = app.start()
        found.expect(failed.ended() == 1, "the last build did not fail")
        resize(app.folder, usage.total)
        app.finish()
        app.compare(found, "after more room", reference)
    finally:
        if mounted:
            subprocess.run(["umount", app.folder], check=True)
    found.told = (
        f"{sum(map(bool, told))} builds failed and left the old warehouse, {told.count(0)} had "
        f"just room enough; from {works:.1f} times the warehouse free on they "
        "succeed. The next build with more room caught up."
    )


def resize(mounted: Path, size: int) -> None:
    """Give a tmpfs another size."""
    subprocess.run(["mount", "-o", f"remount,size={size}", mounted], check=True)


def vanishing_files(app: App, found: Found, _: int) -> None:
    """Landed files are deleted during the build, at a random moment or before some model."""
    codes = Counter()
    moments = [
        " START python table model staging.base_app__landing_files",
        " OK created python table model staging.base_app__landing_files",
        " START python table model staging.base_app__cut_records",
        " OK created python table model staging.base_app__cut_records",
        " START sql incremental model staging.base_app__accepted_rows",
        " OK created sql incremental model staging.base_app__accepted_rows",
        None,
        None,
    ]
    for number, moment in enumerate(moments, start=1):
        landed = [app.land(1, form) for form in FORMATS]
        old = app.rng.choice(sorted(set(app.landed) & set(app.base_state[1])))
        victims = landed if number % 2 else [*landed[:2], old]
        build = app.start()
        if moment:
            build.reach(moment)
        else:
            time.sleep(app.rng.uniform(0, app.seconds))
        for path in victims:
            app.gone(path)
        code = build.ended()
        found.tries += 1
        codes[code] += 1
        what = f"{len(victims)} files gone at{moment or ' a random moment'}"
        print(f"  {what}: exit {code}, {build.shown()[-3:]}", flush=True)
        found.expect(not build.has_trace(), f"{what}: a stack trace, {build.shown()}")
        if code:
            told = " ".join(build.shown())
            named = any(path.name in told for path in victims)
            found.expect(named, f"{what}: no file is named, {build.shown()}")
        if number % 4 == 0:
            app.finish()
            app.compare(found, f"after {number} times")
    found.told = (
        f"{codes[0]} builds succeeded, {codes[1]} failed with a sentence; the next was right."
    )


def halved(path: Path, rng: random.Random) -> bytes:
    """What of a file is there while it is written; none ends with a whole record."""
    whole = path.read_bytes()
    cut = rng.randrange(len(whole) // 3, len(whole) - 10)
    return whole[: cut + 1 if whole[cut : cut + 1] in b"\r\n}" else cut]


def unfinished_files(app: App, found: Found, _: int) -> None:
    """Files of every format are cut anywhere, then complete; in between, builds go on."""
    rejected = []
    for number in range(1, 4):
        paths = [app.land(2, form) for form in FORMATS]
        whole = {path: path.read_bytes() for path in paths}
        for path in paths:
            path.write_bytes(halved(path, app.rng))
        build = app.start()
        found.tries += 1
        code = build.ended()
        found.expect(not code, f"time {number}: the build failed, {build.shown()}")
        complete = sum(count for path, count in app.landed.items() if path not in whole)
        rows = staged_or_rejected(app.warehouse) - complete
        lines = sum(cut_records(path) for path in paths)
        found.expect(
            rows == lines, f"time {number}: {rows} of {lines} records of the halves counted"
        )
        rejected.append(rows)
        print(f"  time {number}: exit {code}, {rows} rows of the halves, {build.sentence()}")
        for path, content in whole.items():
            path.write_bytes(content)
        app.finish()
        app.compare(found, f"time {number}")
    found.told = (
        f"The builds went on with the {' and '.join(map(str, rejected))} records that were there, "
        "a broken one counted as rejected; nothing of the halves was left when they were whole."
    )


def cut_records(path: Path) -> int:
    """Records of a half file: its lines, or what can be unpacked and one for the cut itself."""
    if path.suffix == ".parquet":
        return 1
    if path.suffix != ".gz":
        lines = path.read_bytes().splitlines()
        return len([line for line in lines if line.strip()]) - (path.suffix == ".csv")
    count = 0
    try:
        with gzip.open(path) as stream:
            for _ in stream:
                count += 1
    except EOFError:
        return count + 1
    return count


def damaged_files(app: App, found: Found, _: int) -> None:
    """Bytes inside a file are other ones: its disk or the way to it was bad."""
    codes = []
    for form in ("ndjson.gz", "parquet", "ndjson", "csv"):
        app.reset()
        path = app.land(3, form)
        whole = path.read_bytes()
        middle = len(whole) // 2
        path.write_bytes(whole[: middle - 200] + b"\xff" * 400 + whole[middle + 200 :])
        build = app.start()
        code = build.ended()
        found.tries += 1
        codes.append(f"{form}: {'failed' if code else 'went on'}")
        print(f"  {form}: exit {code}, {build.shown()[-3:]}", flush=True)
        found.expect(not build.has_trace(), f"{form}: a stack trace, {build.shown()}")
        told = " ".join(build.shown())
        found.expect(not code or path.name in told, f"{form}: the file is not named, {told}")
        path.write_bytes(whole)
    app.finish()
    app.compare(found, "whole again")
    found.told = f"{', '.join(codes)}; the build of the whole files was right."


def two_builds(app: App, found: Found, _: int) -> None:
    """A second build begins at once, or while the first is under way."""
    for moment in ("", "base_app__landing_files", "int_events__sessionized", "fct_leaks"):
        app.land()
        builds = [app.start()]
        builds[0].reach(moment)
        builds.append(app.start())
        codes = sorted(build.ended() for build in builds)
        found.tries += 1
        busy = [build for build in builds if build.process.returncode]
        said = [build.printed().strip() for build in busy]
        what = f"at {moment or 'once'}"
        print(f"  {what}: {codes}, {said}", flush=True)
        found.expect(codes == [0, 1], f"{what}: exit codes {codes}")
        found.expect(all(map(BUSY.match, said)), f"{what}: {said}")
    app.compare(found, "after all")
    found.told = "The second said so in one sentence and stopped, the first ended well."


# opens, asks for what must agree, closes, and so on; one connection of five asks more than once
READING = """
import json, sys, time
from pathlib import Path
import duckdb
warehouse, stop = sys.argv[1], Path(sys.argv[2])
query = '''
    select
        (select count(*) from marts.fct_sessions),
        (select sum(count_sessions) from marts.fct_overview_daily),
        (select sum(count_events) from marts.fct_sessions),
        (select count(*) from marts.fct_session_events),
        (select max_by(is_finished, build_number) from staging.builds)
'''
found = {"queries": 0, "torn": 0, "errors": [], "seen": []}
while not stop.exists():
    try:
        with duckdb.connect(warehouse, read_only=True) as connection:
            for _ in range(1 if found["queries"] % 5 else 20):
                sessions, told, events, listed, is_finished = connection.execute(query).fetchone()
                found["queries"] += 1
                found["torn"] += sessions != told or events != listed or not is_finished
                if sessions not in found["seen"]:
                    found["seen"].append(sessions)
    except duckdb.Error as error:
        found["errors"].append(str(error)[:300])
    time.sleep(0.02)
print(json.dumps(found))
"""


def readers(app: App, found: Found, _: int) -> None:
    """Two processes ask without pause while builds replace the warehouse under them."""
    stop = WORK / "stop"
    stop.unlink(missing_ok=True)
    command = [PROJECT_PYTHON, "-c", READING, app.warehouse, stop]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        for _ in range(5):
            app.land(2)
            app.finish()
            found.tries += 1
    finally:
        stop.touch()
    asked = [json.loads(process.communicate()[0]) for process in processes]
    queries, torn = (sum(one[key] for one in asked) for key in ("queries", "torn"))
    errors = [error for one in asked for error in one["errors"]]
    seen = {count for one in asked for count in one["seen"]}
    found.expect(not errors, f"{len(errors)} errors, {errors[:1]}")
    found.expect(not torn, f"{torn} torn reads")
    found.expect(len(seen) > 1, "no reader saw a new warehouse")
    app.compare(found, "after all")
    found.told = (
        f"{queries:,} queries met {len(errors)} errors and {torn} torn reads, and saw {len(seen)} "
        "warehouses."
    )


def clock_backwards(app: App, found: Found, _: int) -> None:
    """The clock goes back before rows that were staged, further back, and on again."""
    ahead = []
    query = "select list(received_at order by received_at) from events"
    times = app.rows.execute(query).fetchone()[0]
    moments = [str(times[round(share * len(times))])[:19] for share in (0.3, 0.1, 0.2)]
    for clock in (*moments, CLOCK):
        app.land()
        app.finish(clock=clock)
        found.tries += 1
        with duckdb.connect(str(app.warehouse), read_only=True) as connection:
            query = "select count(*) from staging.stg_app__rejected_rows"
            ahead.append(connection.execute(query).fetchone()[0])
        app.compare(found, f"by the clock {clock}", app.from_nothing(clock))
    found.told = (
        f"From {CLOCK} to {', '.join(moments)} and on again: {', '.join(map(str, ahead))} rows "
        "were rejected, those ahead of the clock among them."
    )


FAULTS: dict[str, tuple[str, Callable[[App, Found, int], None]]] = {
    "kill": ("kill -9 of the build and all it started", killed_builds),
    "kill-plain": (
        "kill -9 of `dbt run`, then of a build as it replaces the file",
        killed_plain_builds,
    ),
    "disk-full": ("disk full", full_disk),
    "vanishing": ("landed files deleted while they are read", vanishing_files),
    "unfinished": ("landed files still being written", unfinished_files),
    "damaged": ("landed files damaged inside", damaged_files),
    "two-builds": ("two builds at once", two_builds),
    "readers": ("readers during builds", readers),
    "clock": ("the clock goes back", clock_backwards),
}


def told_before() -> dict[str, str]:
    """{fault: its row} of what was written by an earlier run."""
    if not RESULTS.exists():
        return {}
    lines = RESULTS.read_text(encoding="utf-8").splitlines()
    return {line.split("|")[1].strip(): line for line in lines if line.startswith("| ")}


def write(rows: dict[str, str]) -> str:
    """Write the table, in the order of FAULTS. Returns it."""
    lines = [as_row(*HEADER), "|---|--:|---|--:|--:|"]
    lines += [rows[label] for label, _ in FAULTS.values() if label in rows]
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return "\n".join(lines)


def main() -> None:
    """Inflict, compare, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--only", nargs="+", choices=FAULTS, default=list(FAULTS))
    parser.add_argument("--scale", type=float, default=0.02)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    app = App(options.scale, options.seed, 100 + 2 * options.kills)
    print(f"a build takes {app.seconds:.0f} s", flush=True)
    rows, wrong = told_before(), []
    for name in options.only:
        label, inflict = FAULTS[name]
        print(label, flush=True)
        app.reset()
        found = Found()
        try:
            inflict(app, found, options.kills)
        except BuildFailedError as error:
            found.expect(False, str(error))
        told = found.told + "".join(f" **Wrong: {what}.**" for what in found.wrong[:3])
        differing = ", ".join(sorted(found.differing)) or "0"
        rows[label] = as_row(label, found.tries, " ".join(told.split()), found.lost, differing)
        wrong += found.wrong
        write(rows)
    print(f"\n{write(rows)}\nwritten to {RESULTS}")
    if wrong:
        sys.exit(f"{len(wrong)} things were lost or wrong.")
    shutil.rmtree(WORK)


if __name__ == "__main__":
    main()
