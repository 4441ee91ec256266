"""How long after an event has landed it shows, over ten million events of history.

    .venv/bin/python bench/live.py [--scale 16.3] [--rates 20 200 1000] [--seconds 300] [--out DIR]

For each rate, people are played (live/play.py) while live/run.py follows them over the same
warehouse. An event has landed when it is written, which is its received_at; it shows in the first
view whose as_of is no earlier. Prints and writes live.md: percentiles of the delay over all events
of the time measured, the memory at its end, and how many sessions were active.
"""

import argparse
import bisect
import json
import os
import shutil
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np
from run import BENCH, DATA, PROJECT_PYTHON, simulated, spend

ROOT = BENCH.parent
BUILD_LIMIT_SECONDS = 3600
START_SECONDS = 300  # the longest that the first view may take
PERCENTILES = (50, 95, 99)


def build_history(scale: float) -> Path:
    """Build the warehouse of a simulation, once. Returns its path."""
    work = DATA / f"live-{scale:g}"
    warehouse = work / "w.duckdb"
    if not warehouse.exists():
        work.mkdir(parents=True, exist_ok=True)
        print(f"building the history of scale {scale:g} …", flush=True)
        script = [PROJECT_PYTHON, str(BENCH / "engines" / "dropoff.py"), str(simulated(scale))]
        log = work / "build.log"
        spent = spend([*script, str(work), "--select", "fqn:*"], log, BUILD_LIMIT_SECONDS)
        if spent.trouble:
            sys.exit(f"The build {spent.trouble}; see {log}.")
    return warehouse


def memory_mb(process: int) -> tuple[float, float]:
    """(Now, at most) of a process, MB of resident memory."""
    told = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    found = dict(line.split(":", 1) for line in told.splitlines() if ":" in line)
    return tuple(int(found[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))


def seconds_of(text: str) -> float:
    """Seconds since 1970 of an ISO text."""
    return datetime.fromisoformat(text).timestamp()


def watch(page: Path, until: float, process: subprocess.Popen) -> list[tuple[float, float]]:
    """[(as_of, published_at)] of each view until then, seconds since 1970."""
    views: list[tuple[float, float]] = []
    while time.time() < until:
        if process.poll() is not None:
            sys.exit("The live view ended before its time; see run.log.")
        try:
            view = json.loads(page.read_text(encoding="utf-8"))
        except FileNotFoundError:
            view = None
        if view and view["as_of"]:
            seen = (seconds_of(view["as_of"]), seconds_of(view["published_at"]))
            if not views or views[-1][1] != seen[1]:
                views.append(seen)
        time.sleep(0.02)
    return views


def measure(warehouse: Path, rate: float, seconds: float) -> dict:
    """Play at this rate for so long. Returns the row of the table."""
    work = warehouse.parent / "played"
    shutil.rmtree(work, ignore_errors=True)
    (work / "site").mkdir(parents=True)
    environment = os.environ | {
        "DROPOFF_EVENTS": str(work / "events"),
        "DROPOFF_INTERVENTIONS": str(work / "interventions"),
        "DROPOFF_WAREHOUSE": str(warehouse),
        "DROPOFF_LIVE": str(work / "live"),
    }
    source = str(simulated(float(warehouse.parent.name.removeprefix("live-"))))
    page = work / "site" / "live.json"
    with (work / "run.log").open("w", encoding="utf-8") as log:
        live = subprocess.Popen(
            [PROJECT_PYTHON, ROOT / "live" / "run.py", "--site", work / "site"],
            cwd=ROOT, env=environment, stdout=log, stderr=log,
        )  # fmt: skip
        player = None
        try:
            began = time.time()
            while not page.exists():
                if live.poll() is not None or time.time() - began > START_SECONDS:
                    sys.exit(f"The live view did not begin; see {work / 'run.log'}.")
                time.sleep(0.1)
            start = time.time() - began
            player = subprocess.Popen(
                [
                    PROJECT_PYTHON, ROOT / "live" / "play.py", "--from", source,
                    "--out", work / "events", "--rate", str(rate), "--seconds", str(seconds + 30),
                ],
                cwd=ROOT, stdout=log, stderr=log,
            )  # fmt: skip
            # the past that is played at once is no stream: it is taken in first
            while (
                not list((work / "events").glob("*"))
                or seconds_of(json.loads(page.read_text(encoding="utf-8"))["as_of"])
                < time.time() - 30
            ):
                time.sleep(0.1)
            measured_from = time.time()
            views = watch(page, measured_from + seconds, live)
            now_mb, most_mb = memory_mb(live.pid)
            view = json.loads(page.read_text(encoding="utf-8"))
        finally:
            for process in (player, live):
                if process and process.poll() is None:
                    process.terminate()
                    process.wait(timeout=60)
    with duckdb.connect() as connection:
        landed = connection.execute(
            "select epoch(received_at::timestamptz) from read_json("
            "?, format = 'newline_delimited', columns = {received_at: 'varchar'}) order by 1",
            [str(work / "events" / "*.ndjson")],
        ).fetchall()
    clocks = [as_of for as_of, _ in views]
    delays = []
    for (at,) in landed:
        # views are published in the order of their clocks; as_of is kept to the millisecond
        shown = bisect.bisect_left(clocks, round(at, 3) - 0.0005)
        if at >= measured_from and shown < len(views):
            delays.append(views[shown][1] - at)
    found = dict(zip(PERCENTILES, np.percentile(delays, PERCENTILES), strict=True))
    return {
        "asked a second": f"{rate:g}",
        "events a second": f"{len(delays) / seconds:.0f}",
        "events measured": f"{len(delays):,}",
        **{f"p{number}, s": f"{found[number]:.2f}" for number in PERCENTILES},
        "longest, s": f"{max(delays):.2f}",
        "views a second": f"{len(views) / seconds:.2f}",
        "active sessions": f"{sum(view['levels'].values()):,}",
        "memory at the end, MB": f"{now_mb:,.0f}",
        "at most, MB": f"{most_mb:,.0f}",
        "first view after, s": f"{start:.0f}",
    }


def main() -> None:
    """Measure each rate, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=16.3)
    parser.add_argument("--rates", type=float, nargs="+", default=[20, 200, 1000])
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--out", type=Path, default=BENCH / "results")
    options = parser.parse_args()
    warehouse = build_history(options.scale)
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        history = connection.execute("select count(*) from staging.stg_app__events").fetchall()
    rows = []
    for rate in options.rates:
        rows.append(measure(warehouse, rate, options.seconds))
        print(", ".join(f"{name} {value}" for name, value in rows[-1].items()), flush=True)
    lines = [
        f"{options.seconds:g} seconds at each rate over {history[0][0]:,} events of history.",
        "",
        "| " + " | ".join(rows[0]) + " |",
        "|" + "---:|" * len(rows[0]),
        *("| " + " | ".join(row.values()) + " |" for row in rows),
        "",
    ]
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "live.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
