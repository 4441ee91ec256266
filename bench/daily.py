"""What one more day costs on 90 days of history, and on ten times that history.

    .venv/bin/python bench/daily.py [--scale 0.4] [--times 10] [--out FOLDER]

The history is the simulated 36 days told again 35 and 70 days earlier, by the same users with new
event ids, one parquet file for each day of receipt; the larger one has other users' past days as
well. The last day is the same file in both. Each history is built whole without its last day, then
the day is added, and every mart is compared with those of a full refresh. Writes daily.md.
"""

import argparse
import json
import os
import shutil
import sys
from datetime import date, timedelta
from pathlib import Path

import duckdb
from run import BENCH, DATA, PROJECT_PYTHON, SMALLEST_TOLD_CPU, as_row, machine, simulated, spend

sys.path += [str(BENCH.parent / "steps"), str(BENCH.parent / "tests" / "python")]
from build import copy_what_was_fitted
from warehouses import OF_THE_BUILD

DAYS, SHIFT_DAYS, SHIFTS = 90, 35, 3
TIME_LIMIT_SECONDS = 3 * 3600


def new_id(column: str, told: str) -> str:
    """SQL for another id where this row is told again; a blank one stays blank."""
    return (
        f"case when {told} = '' or coalesce(trim({column}), '') = '' then {column} "
        f"else cast(cast(md5({column} || {told}) as uuid) as varchar) end as {column}"
    )


def write_day(simulation: Path, day: date, times: int, target: Path) -> None:
    """Write one day of history: what was simulated for it, and for the days told again as it."""
    parts = []
    for shift in range(SHIFTS):
        source = day + timedelta(days=SHIFT_DAYS * shift)
        if list(simulation.glob(f"{source}*.parquet")):
            told = f"case when {shift} + copy = 0 then '' else ' {shift} ' || copy end"
            told_user = "case when copy = 0 then '' else ' ' || copy end"
            parts.append(f"""
                select landed.* replace (
                    {new_id("event_id", told)},
                    {new_id("user_id", told_user)},
                    event_time - interval {SHIFT_DAYS * shift} day as event_time,
                    received_at - interval {SHIFT_DAYS * shift} day as received_at
                )
                from read_parquet('{simulation}/{source}*.parquet') as landed
                cross join range({times}) as copies (copy)
            """)
    with duckdb.connect() as connection:
        connection.execute(f"copy ({' union all '.join(parts)}) to '{target}' (compression zstd)")


def make_history(scale: float, times: int) -> tuple[Path, Path]:
    """Make the landing zone without its last day. Returns (its folder, the last day's file)."""
    simulation = simulated(scale)
    last_day = date.fromisoformat(max(path.name for path in simulation.glob("*.parquet"))[:10])
    folder = DATA / f"daily-{scale:g}-{times}"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "events").mkdir(parents=True)
    for back in range(1, DAYS):
        day = last_day - timedelta(days=back)
        write_day(simulation, day, times, folder / "events" / f"{day}.parquet")
    last_file = folder / f"{last_day}.parquet"
    write_day(simulation, last_day, 1, last_file)
    return folder, last_file


def build(folder: Path, name: str, *arguments: str) -> dict:
    """Run all models of dropoff. Returns {cpu, wall, models, whole_cpu}; stops where it fails."""
    work = folder / name
    work.mkdir(exist_ok=True)
    script = [PROJECT_PYTHON, str(BENCH / "engines" / "dropoff.py"), str(folder / "events")]
    log = folder / f"{name}.log"
    spent = spend([*script, str(work), "--select", "fqn:*", *arguments], log, TIME_LIMIT_SECONDS)
    if spent.trouble:
        sys.exit(f"The build of {work} {spent.trouble}; see {log}.")
    measured = json.loads((work / "measured.json").read_text(encoding="utf-8"))
    print(f"  {name} {' '.join(arguments)}: {measured['cpu']:.1f} SQL CPU s", flush=True)
    return measured | {"whole_cpu": spent.cpu}


def differences(found: Path, expected: Path) -> tuple[int, list[str]]:
    """Compare the marts of two warehouses as sets of rows. Returns (marts, those that differ)."""
    with duckdb.connect() as connection:
        connection.execute(f"set memory_limit = '8GB'; set temp_directory = '{found.parent}/tmp'")
        for name, path in (("found", found), ("expected", expected)):
            connection.execute(f"attach '{path}' as {name} (read_only)")
        marts = connection.execute(
            "select table_name from information_schema.tables "
            "where table_catalog = 'expected' and table_schema = 'marts' order by 1"
        ).fetchall()
        marts = [mart for (mart,) in marts if mart not in OF_THE_BUILD]
        query = "select count(*), sum(cast(hash(mart) as hugeint)) from {}.marts.{} as mart"
        differing = [
            mart
            for mart in marts
            if connection.execute(query.format("found", mart)).fetchall()
            != connection.execute(query.format("expected", mart)).fetchall()
        ]
    return len(marts), differing


def was_incremental(warehouse: Path) -> bool:
    """Whether the last build redid only what changed."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        query = "select max_by(is_incremental, build_number) from staging.builds"
        return connection.execute(query).fetchone()[0]


def measure(scale: float, times: int) -> dict:
    """Build a history, add a day, compare with a full refresh. Returns both builds' figures."""
    folder, last_file = make_history(scale, times)
    with duckdb.connect() as connection:
        query = f"select count(*) from read_parquet('{folder}/events/*.parquet')"
        count_rows = connection.execute(query).fetchone()[0]
    print(f"{count_rows:,} rows of history", flush=True)
    build(folder, "incremental")
    os.replace(last_file, folder / "events" / last_file.name)
    day = build(folder, "incremental")
    if not was_incremental(folder / "incremental" / "w.duckdb"):
        sys.exit("The build of the last day was no incremental one.")
    warehouses = [folder / name / "w.duckdb" for name in ("incremental", "full")]
    # built anew, by the same fitted tables
    (folder / "full").mkdir()
    copy_what_was_fitted(*warehouses)
    full = build(folder, "full")
    count_marts, differing = differences(*warehouses)
    if differing:
        sys.exit(f"These marts are not those of a full refresh: {', '.join(differing)}.")
    print(f"  all {count_marts} marts equal those of a full refresh", flush=True)
    shutil.rmtree(folder)
    return {"count_rows": count_rows, "count_marts": count_marts, "full": full, "day": day}


def as_markdown(small: dict, large: dict) -> str:
    """The two histories side by side, then the models of the day."""
    parts = [
        f"Measured on {machine()}. SQL is what is spent inside DuckDB; all "
        f"{small['count_marts']} marts equal those of a full refresh.",
        "",
        as_row(
            "rows of history", "full build, SQL CPU s", "wall s", "one more day, SQL CPU s",
            "wall s", "day ÷ full", "the day with dbt's start-up, CPU s",
        ),
        "|--:|--:|--:|--:|--:|--:|--:|",
    ]  # fmt: skip
    for row in (small, large):
        seconds = [f"{row[key][what]:.1f}" for key in ("full", "day") for what in ("cpu", "wall")]
        share = f"{100 * row['day']['cpu'] / row['full']['cpu']:.1f} %"
        whole = f"{row['day']['whole_cpu']:.1f}"
        parts.append(as_row(f"{row['count_rows']:,}", *seconds, share, whole))
    ratio = large["day"]["cpu"] / small["day"]["cpu"]
    times = large["count_rows"] / small["count_rows"]
    parts += ["", f"{times:.1f} times the history, {ratio:.2f} times the cost of the day.", ""]
    parts += [as_row("the day's models, CPU s", "small", "large"), "|---|--:|--:|"]
    models = small["day"]["models"], large["day"]["models"]
    cpus = [
        (name, [model.get(name, [0.0])[0] for model in models])
        for name in dict.fromkeys([*models[0], *models[1]])
    ]
    for name, seconds in sorted(cpus, key=lambda item: -item[1][1]):
        if max(seconds) >= SMALLEST_TOLD_CPU:
            parts.append(as_row(name, *(f"{cpu:.2f}" for cpu in seconds)))
    return "\n".join(parts) + "\n"


def main() -> None:
    """Measure both histories, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=0.4, help="0.4: 0.6 million rows of history")
    parser.add_argument("--times", type=int, default=10, help="the larger history, as a multiple")
    parser.add_argument("--memory-limit", default="4GB", help="like 4GB")
    parser.add_argument("--out", type=Path, default=BENCH / "results")
    options = parser.parse_args()
    os.environ["BENCH_MEMORY_LIMIT"] = options.memory_limit
    table = as_markdown(*(measure(options.scale, times) for times in (1, options.times)))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "daily.md").write_text(table, encoding="utf-8")
    print(f"\n{table}\nwritten to {options.out}")


if __name__ == "__main__":
    main()
