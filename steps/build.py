"""Build the warehouse: dbt writes a new file, which then replaces the old one.

Readers of the old file never meet a lock or half a warehouse, and where the build or one of
its data tests fails, the old file stays. DROPOFF_WAREHOUSE names the file; the first argument
is passed to dbt as --vars.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import duckdb

DBT = Path(sys.executable).with_name("dbt")
# where dbt's own account of what went wrong begins, and what it adds that helps nobody
TROUBLE = re.compile(
    r"(Compilation|Runtime|Database|Parsing) Error|Failure in|Encountered an error"
)
NOISE = re.compile(r"^\s*(> in|> called by|compiled code at|$)")
TIMESTAMP = re.compile(r"^\d\d:\d\d:\d\d\s*")


def run_dbt(new_file: Path, dbt_vars: str) -> tuple[int, list[str]]:
    """Run `dbt build` into new_file. Returns (exit code, dbt's lines); prints the progress."""
    command = [str(DBT), "build", "--exclude-resource-type", "unit_test"]
    if dbt_vars:
        command += ["--vars", dbt_vars]
    lines = []
    with subprocess.Popen(
        command,
        env=os.environ | {"DROPOFF_BUILD_FILE": str(new_file)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        for line in process.stdout:
            line = TIMESTAMP.sub("", line.rstrip())
            lines.append(line)
            print(line, flush=True)
    return process.returncode, lines


def trouble(lines: list[str]) -> list[str]:
    """The sentences in which dbt says what went wrong, without its call stack."""
    start = next((i for i, line in enumerate(lines) if TROUBLE.search(line)), len(lines))
    told = [line.strip() for line in lines[start:] if not NOISE.match(line)]
    sentences = [line for line in told if not TROUBLE.search(line) and not line.startswith("Done.")]
    return sentences[:3] or told[:3] or lines[-3:]


def summary(warehouse: Path, lines: list[str]) -> str:
    """One sentence about what was built."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        sessions, staged, rejected = connection.execute(
            "select (select count(*) from marts.fct_sessions), "
            "coalesce(sum(count_staged), 0), coalesce(sum(count_rejected), 0) "
            "from marts.fct_data_health"
        ).fetchall()[0]
    passed = sum(" PASS " in line for line in lines)
    return (
        f"{sessions:,} sessions from {staged:,} events ({rejected:,} rows rejected), "
        f"{passed} data tests passed, in {warehouse}"
    )


def main() -> int:
    """Build and replace. Returns 0, or 1 with the reason as the last lines printed."""
    warehouse = Path(os.environ.get("DROPOFF_WAREHOUSE") or "warehouse.duckdb")
    new_file = warehouse.with_name(f"{warehouse.name}.new-{os.getpid()}")
    try:
        code, lines = run_dbt(new_file, sys.argv[1] if len(sys.argv) > 1 else "")
        if code:
            print(*trouble(lines), sep="\n")
            return 1
        os.replace(new_file, warehouse)
        print(summary(warehouse, lines))
        return 0
    finally:
        for left_over in warehouse.parent.glob(f"{new_file.name}*"):
            left_over.unlink()


if __name__ == "__main__":
    sys.exit(main())
