"""W with Spark beside DuckDB, what each model moves, and what that comes to on a cluster.

    .venv/bin/python bench/spark.py [--scale 0.4 --scale 1.63 --scale 16.3] [--out FOLDER]

Both engines build the same models of the same files, one after the other; their marts are compared
first, row by row, and where they differ nothing is told. The smaller scales give each model a fixed
and a growing part, which are held to the largest scale and then carried on to a cluster. The middle
scale is built once more with a fifth of all events made one user's. Writes spark.md.
"""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import duckdb
from run import BENCH, DATA, PROJECT_PYTHON, Spent, as_row, machine, simulated, spend, warm

sys.path.append(str(BENCH.parent / "tests" / "spark"))
from equality import equality

SPARK_PYTHON = str(BENCH.parent / ".venv-spark" / "bin" / "python")
TIME_LIMIT_SECONDS = 2 * 3600
HEAVY_SHARE = 0.2
# where all events of a user are one task's
OF_ONE_USER = ("int_events__sessionized",)
MEASURES = ("wall", "cpu", "shuffled", "written", "spilled", "longest")
# users are numbered by one task, in the order of their ids
ONE_TASK_MODEL = "base_app__users"
# models that take less than this at the largest scale, in seconds of their tasks, are one line
SMALLEST_TOLD_CPU = 2.0


@dataclass(frozen=True)
class Cluster:
    """What a day is built on, and how many events it has."""

    events: float
    cores: int
    cores_of_machine: int = 16
    network_bytes_of_machine: float = 1.25e9  # a second: 10 Gbit/s


CLUSTERS = (Cluster(1e9, 64), Cluster(1e9, 256), Cluster(100e9, 1024), Cluster(100e9, 4096))


def run(engine: str, python: str, name: str, landing: Path) -> tuple[Spent, dict, Path]:
    """Build W once. Returns (what it took, what its models took, the DuckDB file)."""
    work = DATA / name / f"{engine}-of-spark"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    log = work.with_suffix(".log")
    script = str(BENCH / "engines" / f"{engine}.py")
    print(f"  {engine} ...", flush=True)
    spent = spend([python, script, str(landing), str(work)], log, TIME_LIMIT_SECONDS)
    if spent.trouble:
        sys.exit(f"{engine} of {name} {spent.trouble}; see {log}.")
    measured = json.loads((work / "measured.json").read_text(encoding="utf-8"))
    if "peak_gb" in measured:  # Spark is no child that could be waited for
        spent = replace(spent, cpu=measured["cpu"], peak_gb=measured["peak_gb"])
    told = f"{spent.cpu:.1f} CPU s, {spent.wall:.1f} s, {spent.peak_gb:.2f} GB"
    print(f"  {engine}: {told}", flush=True)
    return spent, measured["models"], work / "w.duckdb"


def with_a_heavy_user(landing: Path, scale: float) -> Path:
    """The same landing zone, a share of its events made one user's."""
    folder = DATA / f"{scale:g}-heavy" / "events"
    if not folder.exists():
        folder.mkdir(parents=True)
        for path in sorted(landing.iterdir()):
            with duckdb.connect() as connection:
                connection.execute(
                    "copy (select * replace (case when hash(event_id) % 1000 < "
                    f"{1000 * HEAVY_SHARE} then 'heavy' else user_id end as user_id) "
                    f"from read_parquet('{path}')) to '{folder / path.name}' (compression zstd)"
                )
    return folder


def measure(scale: float) -> dict:
    """Both engines at one scale, their marts compared. Returns what they took."""
    landing = simulated(scale)
    count_rows = warm(landing)
    print(f"scale {scale:g}: {count_rows:,} rows", flush=True)
    of_spark = run("dropoff_spark", SPARK_PYTHON, f"{scale:g}", landing)
    of_duckdb = run("dropoff", PROJECT_PYTHON, f"{scale:g}", landing)
    table = [row for row in equality(of_spark[2], of_duckdb[2]) if row[0].startswith("fct_")]
    if differing := [f"{mart}: {apart}" for mart, _, _, apart in table if apart]:
        sys.exit(f"Spark's marts are not DuckDB's: {'; '.join(differing)}.")
    print(f"  all {len(table)} marts are equal", flush=True)
    told = {"scale": scale, "count_rows": count_rows, "count_marts": len(table)}
    told |= {"landed": sum(path.stat().st_size for path in landing.iterdir())}
    told |= {"spark": {"process": asdict(of_spark[0]), "models": of_spark[1]}}
    told |= {"duckdb": {"process": asdict(of_duckdb[0]), "models": of_duckdb[1]}}
    for *_, warehouse in (of_spark, of_duckdb):
        shutil.rmtree(warehouse.parent)
    return told


def line(small: dict, large: dict, of_run: Callable[[dict], float]) -> tuple[float, float]:
    """(fixed part, part of each event) of a measure at two sizes."""
    one, other = of_run(small), of_run(large)
    slope = max(0.0, (other - one) / (large["count_rows"] - small["count_rows"]))
    return max(0.0, one - slope * small["count_rows"]), slope


def at(fixed_and_slope: tuple[float, float], count_rows: float) -> float:
    """A measure at a number of events."""
    return fixed_and_slope[0] + fixed_and_slope[1] * count_rows


def lines_of(runs: list[dict]) -> dict[str, dict[str, tuple[float, float]]]:
    """{model: {measure: line}} through the smallest and the largest; (process) is all of Spark."""
    small, large = runs[0], runs[-1]

    def of_model(model: str, measure_name: str) -> Callable[[dict], float]:
        return lambda told: told["spark"]["models"].get(model, {}).get(measure_name, 0.0)

    lines = {
        model: {name: line(small, large, of_model(model, name)) for name in MEASURES}
        for model in large["spark"]["models"]
    }
    whole = line(small, large, lambda told: told["spark"]["process"]["cpu"])
    return lines | {"(process)": dict.fromkeys(MEASURES, (0.0, 0.0)) | {"cpu": whole}}


def predicted(lines: dict, measure_name: str, count_rows: float) -> float:
    """What all models together move at a number of events, in bytes."""
    return sum(at(of_model[measure_name], count_rows) for of_model in lines.values())


def seconds_on(cluster: Cluster, lines: dict) -> dict[str, float]:
    """What a day takes on a cluster, by what bounds it; in seconds."""
    machines = cluster.cores / cluster.cores_of_machine
    cpu = at(lines["(process)"]["cpu"], cluster.events) / cluster.cores
    # what is shuffled leaves its machine but for the share that stays on it
    shuffled = predicted(lines, "shuffled", cluster.events) * (1 - 1 / machines)
    network = shuffled / (machines * cluster.network_bytes_of_machine)
    one_task = at(lines[ONE_TASK_MODEL]["longest"], cluster.events)
    fixed = sum(of_model["wall"][0] for of_model in lines.values())
    seconds = {"cpu": cpu, "network": network, "one task": one_task, "fixed": fixed}
    seconds |= {"all": sum(seconds.values())}
    # walked by one task, which begins with all others
    heavy_cpu = sum(lines[model]["cpu"][1] for model in OF_ONE_USER)
    return seconds | {"heavy": HEAVY_SHARE * cluster.events * heavy_cpu}


def gigabytes(count_bytes: float) -> str:
    """A number of bytes as text, in GB."""
    return f"{count_bytes / 1e9:,.3g}"


def table_of_sizes(runs: list[dict]) -> list[str]:
    """Both engines at each size."""
    lines = [
        as_row(
            "rows", "landed, GB", "Spark, wall s", "CPU s", "CPU s of its tasks", "peak GB",
            "DuckDB, wall s", "CPU s", "peak GB", "Spark ÷ DuckDB, wall",
        ),
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]  # fmt: skip
    for told in runs:
        spark, duck = told["spark"]["process"], told["duckdb"]["process"]
        tasks = sum(model.get("cpu", 0) for model in told["spark"]["models"].values())
        numbers = [told["landed"] / 1e9, spark["wall"], spark["cpu"], tasks, spark["peak_gb"]]
        numbers += [duck["wall"], duck["cpu"], duck["peak_gb"]]
        row = [f"{told['count_rows']:,}", *(f"{number:.1f}" for number in numbers)]
        lines.append(as_row(*row, f"{spark['wall'] / duck['wall']:.1f}"))
    return lines


def table_of_models(told: dict) -> list[str]:
    """What each model took on both engines, and moved on Spark, at one size."""
    title = f"{told['count_rows']:,} rows"
    lines = [
        as_row(
            title, "DuckDB, wall s", "Spark, wall s", "its tasks, CPU s", "longest task, s",
            "shuffled, GB", "written, GB", "spilled, GB",
        ),
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]  # fmt: skip
    rest = dict.fromkeys(("duckdb", *MEASURES), 0.0)
    models = sorted(told["spark"]["models"].items(), key=lambda item: -item[1].get("cpu", 0))
    for name, of_model in models:
        of_model = dict.fromkeys(MEASURES, 0.0) | of_model
        of_model["duckdb"] = told["duckdb"]["models"].get(name, [0, 0])[1]
        if of_model["cpu"] < SMALLEST_TOLD_CPU:
            for key in rest:
                add = max if key == "longest" else float.__add__
                rest[key] = add(rest[key], float(of_model[key]))
            continue
        lines.append(as_row(name, *numbers_of(of_model)))
    lines.append(as_row("all others", *numbers_of(rest)))
    return lines


def numbers_of(of_model: dict) -> list[str]:
    """The cells of one model."""
    seconds = [f"{of_model[key]:.1f}" for key in ("duckdb", "wall", "cpu", "longest")]
    moved = [gigabytes(of_model[key]) for key in ("shuffled", "written", "spilled")]
    return [*seconds, *moved]


def table_of_clusters(lines: dict) -> list[str]:
    """What a day comes to on each cluster."""
    table = [
        as_row(
            "events a day", "cores", "CPU, core hours", "shuffled, TB", "written, TB", "minutes",
            "of them CPU", "network", "one task", "fixed", "one user with a fifth, minutes",
        ),
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]  # fmt: skip
    for cluster in CLUSTERS:
        seconds = seconds_on(cluster, lines)
        hours = f"{seconds['cpu'] * cluster.cores / 3600:,.0f}"
        moved = [
            f"{predicted(lines, key, cluster.events) / 1e12:.3g}" for key in ("shuffled", "written")
        ]
        parts = ("all", "cpu", "network", "one task", "fixed", "heavy")
        minutes = [f"{seconds[key] / 60:,.0f}" for key in parts]
        table.append(as_row(f"{cluster.events:,.0f}", cluster.cores, hours, *moved, *minutes))
    return table


def table_of_skew(even: dict, heavy: dict) -> list[str]:
    """The models whose longest task grows most where one user has a fifth of all events."""
    table = [
        as_row("model", "longest task, s", f"with {HEAVY_SHARE:.0%} of all events one user's, s"),
        "|---|--:|--:|",
    ]
    longest = [
        (name, even.get(name, {}).get("longest", 0.0), of_model.get("longest", 0.0))
        for name, of_model in heavy.items()
    ]
    for name, before, after in sorted(longest, key=lambda item: item[1] - item[2])[:5]:
        table.append(as_row(name, f"{before:.1f}", f"{after:.1f}"))
    return table


def as_markdown(runs: list[dict], heavy: dict) -> str:
    """All tables under what they were measured on."""
    check, lines = lines_of(runs[:-1]), lines_of(runs)
    largest = runs[-1]
    rows, process = largest["count_rows"], largest["spark"]["process"]
    held = [f"{at(check['(process)']['cpu'], rows):,.0f} CPU s for {process['cpu']:,.0f}"]
    for name in ("shuffled", "written"):
        found = sum(model.get(name, 0) for model in largest["spark"]["models"].values())
        held.append(f"{predicted(check, name, rows) / 1e9:,.1f} GB {name} for {found / 1e9:,.1f}")
    even = runs[-2]["spark"]["models"]
    parts = [
        f"Measured on {machine()}, Spark as `local[2]`. All {largest['count_marts']} marts of W "
        "are equal on both, row by row, floats to 1e-9.",
        "",
        *table_of_sizes(runs),
        "",
        *(line for told in runs[-2:] for line in (*table_of_models(told), "")),
        f"The smaller sizes foretell the largest: {', '.join(held)}.",
        "",
        *table_of_clusters(lines),
        "",
        *table_of_skew(even, heavy),
    ]
    return "\n".join(parts) + "\n"


def main() -> None:
    """Measure all sizes, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, action="append", help="at least three")
    parser.add_argument("--memory", default="6g", help="of Spark's driver")
    parser.add_argument("--partitions", default="8", help="of a shuffle")
    parser.add_argument("--out", type=Path, default=BENCH / "results")
    options = parser.parse_args()
    scales = sorted(set(options.scale or [0.4, 1.63, 16.3]))
    if len(scales) < 3:
        parser.error("Three scales are needed: two for a line, one to hold it to.")
    os.environ |= {
        "BENCH_MEMORY_LIMIT": "4GB",
        "DROPOFF_SPARK_MEMORY": options.memory,
        "DROPOFF_SPARK_PARTITIONS": options.partitions,
    }
    runs = [measure(scale) for scale in scales]
    middle = scales[-2]
    landing = with_a_heavy_user(simulated(middle), middle)
    print(f"scale {middle:g}, {HEAVY_SHARE:.0%} of its events one user's", flush=True)
    _, heavy, warehouse = run("dropoff_spark", SPARK_PYTHON, f"{middle:g}-heavy", landing)
    shutil.rmtree(warehouse.parent)
    table = as_markdown(runs, heavy)
    options.out.mkdir(parents=True, exist_ok=True)
    saved = json.dumps({"runs": runs, "heavy": heavy}, indent=1)
    (options.out / "spark.json").write_text(saved, encoding="utf-8")
    (options.out / "spark.md").write_text(table, encoding="utf-8")
    print(f"\n{table}\nwritten to {options.out}")


if __name__ == "__main__":
    main()
