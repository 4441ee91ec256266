"""Build the warehouse: dbt redoes what changed in a copy, which then replaces the old file.

    python steps/build.py [--vars YAML] [--full-refresh | --settings-only]

Readers of the old file never meet a lock or half a warehouse. Where the build or one of its data
tests fails, or the machine does, the old file stays and the next build catches up.
DROPOFF_WAREHOUSE names the file.
"""

import argparse
import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import app
import duckdb

DBT = Path(sys.executable).with_name("dbt")
# where dbt's own account of what went wrong begins, and what it adds that helps nobody
TROUBLE = re.compile(
    r"(Compilation|Runtime|Database|Parsing) Error|Failure in|Encountered an error"
)
NOISE = re.compile(r"^\s*(> in|> called by|compiled code at|LINE \d+:|\^+$|$)")
GONE = re.compile(r"No files found that match the pattern \"(.+)\"")
TIMESTAMP = re.compile(r"^\d\d:\d\d:\d\d\s*")


def files_of(warehouse: Path) -> list[Path]:
    """The warehouse and what DuckDB keeps beside it."""
    return [warehouse, Path(f"{warehouse}.wal"), Path(f"{warehouse}.tmp")]


def remove(warehouse: Path) -> None:
    """Delete the files of a warehouse that nobody will open."""
    for path in files_of(warehouse):
        shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def removed_at_the_end(warehouse: Path) -> Iterator[None]:
    """Leave nothing of a warehouse behind, nor of one that a killed build left."""
    remove(warehouse)
    try:
        yield
    finally:
        remove(warehouse)


def is_still(file: IO[bytes], path: Path) -> bool:
    """True where the open file lies there under its name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def only_build_of(warehouse: Path) -> Iterator[int]:
    """Hold the warehouse's lock. Raises BlockingIOError where another build holds it.

    The descriptor is given to dbt as well, which holds the lock until it has ended, too.
    """
    path = Path(f"{warehouse}.lock")
    with contextlib.ExitStack() as stack:
        lock = None
        # one that was opened just before its holder took it away locks nobody else out
        while not lock or not is_still(lock, path):
            lock = stack.enter_context(path.open("ab"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            yield lock.fileno()
        finally:
            path.unlink(missing_ok=True)


def refuse_a_writer(warehouse: Path) -> None:
    """Raise BlockingIOError where another process is writing the warehouse."""
    try:
        duckdb.connect(str(warehouse), read_only=True).close()
    except duckdb.IOException as error:
        if "lock" in str(error):
            raise BlockingIOError from None
    except duckdb.Error:
        pass  # a log to be replayed, perhaps: the copy is opened to write


def is_of_another_kind(path: Path) -> bool:
    """True for a file that DuckDB did not write: replacing it could lose what somebody needs."""
    with path.open("rb") as file:
        head = file.read(12)
    return bool(head) and head[8:] != b"DUCK"


def copy_to_build_on(warehouse: Path, new_file: Path) -> None:
    """Copy the last build, for dbt to redo what changed since.

    A file that does not open is left out, and built anew.
    """
    for old, new in zip(files_of(warehouse)[:2], files_of(new_file)[:2], strict=True):
        if old.exists():
            shutil.copyfile(old, new)
    try:
        duckdb.connect(str(new_file)).close()
    except duckdb.Error as error:
        print(f"{warehouse} does not open and is built anew: {error}")
        remove(new_file)


def copy_what_was_fitted(warehouse: Path, new_file: Path) -> None:
    """Copy the fitted tables alone: built anew, patterns that are the same keep their names."""
    try:
        with duckdb.connect(str(new_file), config=app.STORAGE) as connection:
            connection.execute(f"attach {app.sql_text(str(warehouse))} as old (read_only)")
            tables = connection.execute(
                "select table_name from duckdb_tables() where database_name = 'old' "
                "and schema_name = 'fitted' and starts_with(table_name, 'fitted_')"
            ).fetchall()
            connection.execute("create schema fitted")
            for (table,) in tables:
                connection.execute(f"create table fitted.{table} as from old.fitted.{table}")
    except duckdb.Error:  # it does not open, or is of a version that fitted nothing
        remove(new_file)


def write_out(new_file: Path) -> None:
    """Write what is still in DuckDB's log into the file. Raises duckdb.Error where that cannot be.

    dbt closes the file without a word where the disk had no room for that.
    """
    log = Path(f"{new_file}.wal")
    if log.exists():
        with duckdb.connect(str(new_file)) as connection:
            connection.execute("checkpoint")


def run_dbt(
    warehouse: Path | str, arguments: list[str], locks: tuple[int, ...] = ()
) -> tuple[int, list[str]]:
    """Run dbt on a warehouse. Returns (exit code, dbt's lines); prints the progress."""
    command = [str(DBT), *arguments]
    lines = []
    with subprocess.Popen(
        command,
        env=os.environ | {"DROPOFF_BUILD_FILE": str(warehouse)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        pass_fds=locks,
    ) as process:
        for line in process.stdout:
            line = TIMESTAMP.sub("", line.rstrip())
            lines.append(line)
            print(line, flush=True)
    return process.returncode, lines


def file_that_went(lines: list[str]) -> str | None:
    """The landed file that dbt found no longer there, if that is what it says."""
    found = next(filter(None, map(GONE.search, lines)), None)
    # as a pattern it has brackets around what is one
    return found and re.sub(r"\[([*?]|\[)\]", r"\1", found[1])


def trouble(lines: list[str]) -> list[str]:
    """The sentences in which dbt says what went wrong, without its call stack."""
    start = next((i for i, line in enumerate(lines) if TROUBLE.search(line)), len(lines))
    told = [line.strip() for line in lines[start:] if not NOISE.match(line)]
    sentences = [line for line in told if not TROUBLE.search(line) and not line.startswith("Done.")]
    return sentences[:3] or told[:3] or lines[-3:]


def summary(warehouse: Path, lines: list[str]) -> str:
    """One sentence about what was built."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        sessions, staged, rejected, is_incremental = connection.execute(
            "select (select count(*) from marts.fct_sessions), "
            "coalesce(sum(count_staged), 0), coalesce(sum(count_rejected), 0), "
            "(select max_by(is_incremental, build_number) from staging.builds) "
            "from marts.fct_data_health"
        ).fetchall()[0]
    passed = sum(" PASS " in line for line in lines)
    return (
        f"{sessions:,} sessions from {staged:,} events ({rejected:,} rows rejected), "
        f"{'what changed redone' if is_incremental else 'all built anew'}, "
        f"{passed} data tests passed, in {warehouse}"
    )


def main() -> int:
    """Build and replace. Returns 0, or 1 with the reason as the last lines printed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vars", default="", help="dbt's vars, as YAML")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--full-refresh", action="store_true", help="build everything anew")
    what.add_argument("--settings-only", action="store_true", help="check settings and vars alone")
    options = parser.parse_args()

    warehouse = app.warehouse()
    try:
        app.given_vars(options.vars)
    except ValueError as error:
        print(error)
        return 1
    if options.settings_only:
        return check_settings(options.vars)
    try:
        if warehouse.exists() and is_of_another_kind(warehouse):
            print(
                f"{warehouse} is no DuckDB file; set DROPOFF_WAREHOUSE to another, or move the "
                "file away."
            )
            return 1
        return build(warehouse, options)
    except BlockingIOError:
        print(f"{warehouse} is being written by another process; build again when it has ended.")
        return 1
    except OSError as error:
        print(
            f"{warehouse} cannot be built ({error.strerror}: {error.filename}); set "
            "DROPOFF_WAREHOUSE to a file in a folder that is there and can be written."
        )
        return 1


def given(dbt_vars: str) -> list[str]:
    """The arguments that give dbt its vars; none for none, or it would parse everything anew."""
    return ["--vars", dbt_vars] if dbt_vars else []


def check_settings(dbt_vars: str) -> int:
    """Check the settings and vars as a build does, and build nothing. Returns 0, or 1."""
    # what is written is for readers of the last build, and would name another file
    operation = ["run-operation", "check_settings_and_vars", "--no-write-json", *given(dbt_vars)]
    code, lines = run_dbt(":memory:", operation)
    print(*(trouble(lines) if code else [f"the settings in {app.settings()} are sound"]), sep="\n")
    return code


def build(warehouse: Path, options: argparse.Namespace) -> int:
    """Build into a copy and replace. Raises OSError, BlockingIOError where another one builds."""
    # always the same name: dbt parses the project again where its file has another
    new_file = Path(f"{warehouse}.new")
    with only_build_of(warehouse) as lock, removed_at_the_end(new_file):
        if warehouse.exists():
            refuse_a_writer(warehouse)
            copy = copy_what_was_fitted if options.full_refresh else copy_to_build_on
            copy(warehouse, new_file)
        arguments = ["build", "--exclude-resource-type", "unit_test", *given(options.vars)]
        arguments += ["--full-refresh"] if options.full_refresh else []
        code, lines = run_dbt(new_file, arguments, (lock,))
        gone = file_that_went(lines) if code else None
        if gone:
            print(
                f"{gone} went away while it was read: build again, when nobody changes the files."
            )
            return 1
        if code:
            print(*trouble(lines), sep="\n")
            return 1
        try:
            write_out(new_file)
        except duckdb.Error as error:
            print(
                f"{warehouse} stays as it was: the new one could not be written to its end "
                f"({str(error).splitlines()[0]}); make room on its disk and build again."
            )
            return 1
        # of a plain dbt build that was killed: beside the new file it would be replayed into it
        Path(f"{warehouse}.wal").unlink(missing_ok=True)
        os.replace(new_file, warehouse)
        print(summary(warehouse, lines))
        return 0


if __name__ == "__main__":
    sys.exit(main())
