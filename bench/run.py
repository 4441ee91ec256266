"""Run W with every engine on the same simulated files, one after the other, and compare them.

    .venv/bin/python bench/run.py --scale 1.63 [--scale 16] [--only floor,dropoff] [--out FOLDER]

Scale 1.63 is a million events. The figures of all engines are compared first; an engine whose
figures differ gets no time. CPU is user + sys of the engine's process and its children, wall is
from start to end, memory is the largest resident size of the process, or of its whole tree where
it has children. Writes results.md, results.csv, results.json and results.svg.
"""

import argparse
import csv
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import duckdb

BENCH = Path(__file__).resolve().parent
DATA = BENCH / ".data"
PROJECT_PYTHON = sys.executable
SAMPLE_SECONDS = 0.05
SMALLEST_TOLD_CPU = 0.05  # of a model, seconds


@dataclass(frozen=True)
class Engine:
    """A script in engines/, the extra whose environment runs it, and what it is made of."""

    label: str
    extra: str | None  # None: the project's own environment
    module: str
    packages: tuple[str, ...]

    @property
    def python(self) -> str:
        """The interpreter that runs it."""
        folder = BENCH / ".venvs" / self.extra / "bin" / "python" if self.extra else PROJECT_PYTHON
        return str(folder)


ENGINES = {
    "floor": Engine("floor: read, sort, write", None, "duckdb", ("duckdb",)),
    "dropoff": Engine("dropoff", None, "dbt.cli.main", ("dbt-core", "dbt-duckdb", "duckdb")),
    "chdb_sql": Engine("chDB", "chdb", "chdb.session", ("chdb",)),
    "polars_lazy": Engine("Polars", "polars", "polars", ("polars",)),
    "naive_sql": Engine("DuckDB, windows over texts", None, "duckdb", ("duckdb",)),
    "pandas_frames": Engine("pandas", "pandas", "pandas", ("pandas", "pyarrow")),
    "retentioneering_stream": Engine(
        "retentioneering", "retentioneering", "retentioneering.eventstream.eventstream",
        ("retentioneering", "pandas", "duckdb"),
    ),
}  # fmt: skip


@dataclass
class Spent:
    """What a process took: seconds, gigabytes, and why it did not end well (None: it did)."""

    cpu: float
    wall: float
    peak_gb: float
    trouble: str | None


def tree_gb(process_id: int) -> float:
    """Resident memory of a process and its children in GB; 0 where it has none, or has ended."""
    total, queue, count = 0, [process_id], 0
    try:
        while queue:
            process, count = queue.pop(), count + 1
            status = Path(f"/proc/{process}/statm").read_text().split()
            total += int(status[1]) * os.sysconf("SC_PAGE_SIZE")
            for task in Path(f"/proc/{process}/task").iterdir():
                queue += [int(child) for child in (task / "children").read_text().split()]
    except (OSError, ValueError, IndexError):
        pass
    return total / 1e9 if count > 1 else 0.0


def spend(command: list[str], log: Path, limit_seconds: float) -> Spent:
    """Run a command to its end, or to the time limit, and measure it."""
    with open(log, "w", encoding="utf-8") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        peak, is_late = 0.0, False
        try:
            while True:
                ended, status, usage = os.wait4(process.pid, os.WNOHANG)
                wall = time.perf_counter() - began
                if ended:
                    break
                peak = max(peak, tree_gb(process.pid))
                if wall > limit_seconds and not is_late:
                    is_late = True
                    os.killpg(process.pid, signal.SIGKILL)
                time.sleep(SAMPLE_SECONDS)
        except BaseException:  # whoever stops this stops the engine, too
            os.killpg(process.pid, signal.SIGKILL)
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
    trouble = None
    if is_late:
        trouble = f"more than {limit_seconds / 60:g} minutes"
    elif process.returncode == -signal.SIGKILL:
        trouble = "was killed; out of memory, perhaps"
    elif process.returncode:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        trouble = f"failed: {lines[-1].strip() if lines else 'no message'}"
    maxrss_gb = usage.ru_maxrss * 1024 / 1e9
    return Spent(usage.ru_utime + usage.ru_stime, wall, max(maxrss_gb, peak), trouble)


def simulated(scale: float) -> Path:
    """The landing zone of this scale, made once and kept."""
    folder = DATA / f"{scale:g}" / "events"
    if not folder.exists():
        part = folder.with_name("part")
        shutil.rmtree(part, ignore_errors=True)
        simulate = BENCH.parent / "landing" / "simulate.py"
        command = [PROJECT_PYTHON, str(simulate), "--scale", f"{scale:g}"]
        command += ["--out", str(part / "events"), "--truth", str(part / "truth")]
        if subprocess.run(command).returncode:
            sys.exit(f"Scale {scale:g} could not be simulated.")
        os.replace(part / "events", folder)
        shutil.rmtree(part)
    return folder


def warm(folder: Path) -> int:
    """Read every file once, for the file system to hold them; returns their rows."""
    for path in folder.iterdir():
        path.read_bytes()
    with duckdb.connect() as connection:
        query = f"select count(*) from read_parquet('{folder}/*.parquet')"
        return connection.execute(query).fetchone()[0]


def run_engine(name: str, scale: float, landing: Path, limit_seconds: float) -> dict:
    """Run one engine. Returns its row of the results, its figures within."""
    engine, work = ENGINES[name], DATA / f"{scale:g}" / name
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    log, figures_file = work.with_suffix(".log"), work.with_suffix(".figures.json")
    row = {"engine": name, "label": engine.label, "scale": scale, "figures": None, "trouble": None}
    print(f"  {name} ...", flush=True)
    started = spend([engine.python, "-c", f"import {engine.module}"], log, limit_seconds)
    script = str(BENCH / "engines" / f"{name}.py")
    spent = spend([engine.python, script, str(landing), str(work)], log, limit_seconds)
    row |= {"cpu": spent.cpu, "wall": spent.wall, "peak_gb": spent.peak_gb}
    row |= {"startup_cpu": started.cpu, "trouble": spent.trouble}
    if spent.trouble is None and name != "floor":
        read = [PROJECT_PYTHON, str(BENCH / "figures.py"), str(work), str(figures_file)]
        reading = spend(read, log, limit_seconds)
        row["trouble"] = reading.trouble
        if reading.trouble is None:
            row["figures"] = json.loads(figures_file.read_text(encoding="utf-8"))
    if (work / "measured.json").exists():
        row["inside"] = json.loads((work / "measured.json").read_text(encoding="utf-8"))
    shutil.rmtree(work)
    told = row["trouble"] or f"{spent.cpu:.1f} CPU s, {spent.wall:.1f} s, {spent.peak_gb:.2f} GB"
    print(f"  {name}: {told}", flush=True)
    return row


def shortened(rows: list, others: list) -> str:
    """The rows that the others do not have, as text of a bearable length."""
    differing = [row for row in rows if row not in others] or rows
    return json.dumps(differing[:3], ensure_ascii=False)[:300]


def compare(rows: list[dict]) -> None:
    """Mark the rows whose figures are not those of most engines, with both values."""
    texts = [json.dumps(row["figures"], sort_keys=True) for row in rows if row["figures"]]
    if not texts:
        return
    expected = json.loads(Counter(texts).most_common(1)[0][0])
    for row in rows:
        for figure, value in (row["figures"] or {}).items():
            if value != expected[figure]:
                row["trouble"] = (
                    f"other figures: {figure} {shortened(value, expected[figure])} "
                    f"where most have {shortened(expected[figure], value)}"
                )
                break
    agreed = sum(1 for row in rows if row["figures"] and not row["trouble"])
    print(f"  {len(expected)} figures compared; {agreed} of {len(texts)} engines agree", flush=True)


def table_rows(rows: list[dict]) -> list[dict]:
    """The rows of the table: dropoff twice, all with their multiple of the floor."""
    lines = []
    for row in rows:
        line = {key: row[key] for key in ("scale", "count_rows", "engine", "label", "trouble")}
        whole = {key: row[key] for key in ("cpu", "startup_cpu", "wall", "peak_gb")}
        if "inside" in row:
            inside = {"engine": "dropoff_sql", "label": "dropoff (SQL)", "startup_cpu": 0.0}
            inside |= {key: row["inside"][key] for key in ("cpu", "wall")}
            lines.append(line | whole | inside)
            line["label"] = "dropoff with dbt's start-up"
            whole["startup_cpu"] = row["cpu"] - row["inside"]["cpu"]
        lines.append(line | whole)
    for line in lines:
        if line["trouble"]:
            line |= dict.fromkeys(("cpu", "startup_cpu", "wall", "peak_gb"))
    floors = {line["scale"]: line["cpu"] for line in lines if line["engine"] == "floor"}
    for line in lines:
        floor = floors.get(line["scale"])
        line["over_floor"] = line["cpu"] / floor if floor and line["cpu"] is not None else None
    return lines


def package_versions() -> str:
    """The packages of the engines with their versions."""
    code = (
        "import importlib.metadata as m, sys;"
        "print(*(f'{p} {m.version(p)}' for p in sys.argv[1:]), sep='\\n')"
    )
    found = [
        subprocess.check_output([engine.python, "-c", code, *engine.packages], text=True)
        for engine in ENGINES.values()
        if Path(engine.python).exists()
    ]
    return ", ".join(sorted(set("".join(found).splitlines())))


def machine() -> str:
    """What it was measured on."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{os.cpu_count()} cores, {memory_gb:.0f} GB, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )


def as_row(*cells: object) -> str:
    """One row of a markdown table."""
    return f"| {' | '.join(str(cell).replace('|', ' ') for cell in cells)} |"


def as_markdown(facts: dict, lines: list[dict]) -> str:
    """One table for each scale under the facts of the machine, then dropoff's models."""
    parts = [
        f"Measured on {facts['machine']}. DuckDB and chDB keep to a memory limit of "
        f"{facts['memory_limit']}, the others know none. Versions: {facts['versions']}.",
        "",
    ]
    for scale in dict.fromkeys(line["scale"] for line in lines):
        of_scale = [line for line in lines if line["scale"] == scale]
        rows = f"{of_scale[0]['count_rows']:,} rows (scale {scale:g})"
        parts += [
            as_row(rows, "CPU s", "of it start-up", "wall s", "peak GB", "÷ floor"),
            "|---|--:|--:|--:|--:|--:|",
        ]
        for line in of_scale:
            if line["trouble"]:
                parts.append(as_row(line["label"], line["trouble"], *[""] * 4))
                continue
            numbers = [f"{line[key]:.1f}" for key in ("cpu", "startup_cpu", "wall")]
            over = f"{line['over_floor']:.2f}" if line["over_floor"] else ""
            parts.append(as_row(line["label"], *numbers, f"{line['peak_gb']:.2f}", over))
        parts.append("")
    for row in facts["models"]:
        title = f"dropoff's models at scale {row['scale']:g}"
        parts += [as_row(title, "CPU s", "wall s"), "|---|--:|--:|"]
        for model, (cpu, wall) in sorted(row["models"].items(), key=lambda item: -item[1][0]):
            if cpu >= SMALLEST_TOLD_CPU:
                parts.append(as_row(model, f"{cpu:.2f}", f"{wall:.2f}"))
        parts.append("")
    return "\n".join(parts)


def save(folder: Path, facts: dict, lines: list[dict]) -> None:
    """Write the table as markdown, CSV and JSON, and draw it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.md").write_text(as_markdown(facts, lines), encoding="utf-8")
    with open(folder / "results.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, lines[0].keys())
        writer.writeheader()
        writer.writerows(lines)
    results = json.dumps(facts | {"lines": lines}, ensure_ascii=False, indent=1)
    (folder / "results.json").write_text(results, encoding="utf-8")
    python = BENCH / ".venvs" / "chart" / "bin" / "python"
    if python.exists():
        chart = [str(python), str(BENCH / "chart.py"), str(folder / "results.json")]
        subprocess.run([*chart, str(folder / "results.svg")], check=True)


def main() -> int:
    """Measure, compare, write. Returns 0, or 1 where an engine failed or its figures differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, action="append", help="may be given several times")
    parser.add_argument("--only", default=",".join(ENGINES), help="engines, with commas between")
    parser.add_argument("--memory-limit", default="4GB", help="like 4GB")
    parser.add_argument("--repeat", type=int, default=1, help="rounds; the least CPU counts")
    parser.add_argument("--minutes", type=float, default=30, help="the most an engine may take")
    parser.add_argument("--out", type=Path, default=BENCH / "results")
    options = parser.parse_args()
    names = [name for name in ENGINES if name in options.only.split(",")]
    for name in set(options.only.split(",")) - set(names):
        parser.error(f"There is no engine '{name}'; there are {', '.join(ENGINES)}.")
    for name in names:
        if not Path(ENGINES[name].python).exists():
            parser.error(f"The environment of {name} is missing; run sh bench/setup.sh.")
    os.environ["BENCH_MEMORY_LIMIT"] = options.memory_limit
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("The benchmark was told to stop."))

    results, models = [], []
    for scale in sorted(set(options.scale or [1.63])):
        landing = simulated(scale)
        count_rows = warm(landing)
        print(f"scale {scale:g}: {count_rows:,} rows", flush=True)
        rounds = [
            [run_engine(name, scale, landing, 60 * options.minutes) for name in names]
            for _ in range(options.repeat)
        ]
        rows = [
            min(runs, key=lambda row: (row["trouble"] is None, row["cpu"]))
            for runs in zip(*rounds, strict=True)
        ]
        compare(rows)
        results += [row | {"count_rows": count_rows} for row in rows]
        models += [{"scale": scale} | row["inside"] for row in rows if "inside" in row]
    lines = table_rows(results)
    facts = {"machine": machine(), "memory_limit": options.memory_limit}
    facts |= {"versions": package_versions(), "models": models}
    save(options.out, facts, lines)
    print(f"\n{as_markdown(facts, lines)}\nwritten to {options.out}")
    return int(any(line["trouble"] for line in lines))


if __name__ == "__main__":
    sys.exit(main())
