"""Erase one person, and prove that they are gone.

    python steps/erase.py USER_ID [--vars YAML]    take their rows out of landing zone and ledger
    python steps/erase.py USER_ID --prove          look for the id in every file and table

The first leaves the warehouse to `make build FULL=1`, which makes a new file without them, and the
pages to `make reports`: `make erase WHO=…` does all of it. A row goes where its user is this one,
and where nobody can read it and it names the id. The second ends with an error where the id is left
anywhere, such as in the properties of somebody else's row, and says where.
"""

import argparse
import contextlib
import fcntl
import glob
import gzip
import io
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import app
import duckdb
import zstandard
from app import sql_text, staging_module, value_at

# of a place with the id in it, as many are named
SHOWN = 10
OWN_USER_ID = [{"column": "user_id"}]


landing_files = staging_module("base_app__landing_files")
cut_records = staging_module("base_app__cut_records")


def names(user: str) -> re.Pattern[str]:
    """The id as a word of its own: 12 is not in 123."""
    return re.compile(rf"(?<![\w-]){re.escape(user)}(?![\w-])")


@contextlib.contextmanager
def written_anew(path: Path) -> Iterator[IO[bytes]]:
    """A file to write, compressed like the one it replaces when all went well."""
    new = path.with_name(f".{path.name}.new")
    name = path.name.lower()
    try:
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(new.open("wb"))
            if name.endswith(".gz"):
                file = stack.enter_context(gzip.GzipFile("", "wb", fileobj=file, mtime=0))
            elif name.endswith(".zst"):
                file = stack.enter_context(zstandard.ZstdCompressor().stream_writer(file))
            yield file
        shutil.copymode(path, new)
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)


def erase_from_parquet(path: Path, sources: list[dict], user: str) -> int:
    """Write the file anew without the person's rows. Returns how many went."""
    with duckdb.connect() as connection:
        rows = f"read_parquet({sql_text(glob.escape(str(path)))}, file_row_number = true)"
        described = f"select column_name, column_type from (describe from {rows})"
        columns = dict(connection.execute(described).fetchall())
        going: set[int] = set()
        for source in sources:
            column = source["column"]
            head = column if column in columns else column.split(".")[0]
            if head not in columns:
                continue
            quoted = '"' + head.replace('"', '""') + '"'
            text = f"try(decode({quoted}))" if columns[head] == "BLOB" else f"{quoted}::varchar"
            query = f"select file_row_number, {quoted} from {rows} where contains({text}, ?)"
            for number, value in connection.execute(query, [user]).fetchall():
                if isinstance(value, bytes):
                    value = value.decode("utf-8", "replace")
                going |= {number} if str(value_at({head: value}, column)) == user else set()
        if going:
            new = path.with_name(f".{path.name}.new")
            connection.execute(
                f"copy (select * exclude (file_row_number) from {rows} "
                "where not list_contains(?, file_row_number)) "
                f"to {sql_text(str(new))} (format parquet, compression zstd)",
                [sorted(going)],
            )
            os.replace(new, path)
    return len(going)


def is_of(payload: str, is_readable: bool, sources: list[dict], user: str) -> bool:
    """True where the record is the person's by any source, or nobody's and names them."""
    row = None
    if is_readable:
        with contextlib.suppress(ValueError, RecursionError):
            row = json.loads(payload)
    if not isinstance(row, dict):
        return names(user).search(payload) is not None
    return any(str(value_at(row, source["column"])) == user for source in sources)


def erase_from_text(path: Path, kind: str, sources: list[dict], user: str) -> int:
    """Write an ndjson or csv file anew without the person's records. Returns how many went."""
    going: set[int] = set()
    count = 0
    # a record ends at its number, and began after the one before, the header first
    last = lines_of_header(path) if kind == "csv" else 0
    for number, is_readable, payload in cut_records.file_records(str(path), kind, None):
        if is_of(payload, is_readable, sources, user):
            going.update(range(last + 1, number + 1))
            count += 1
        last = number
    if count:
        with cut_records.open_bytes(str(path)) as stream, written_anew(path) as file:
            for number, line in enumerate(lines_of(stream, kind), start=1):
                if number not in going:
                    file.write(line)
    return count


def lines_of_header(path: Path) -> int:
    """Lines of a csv file up to the end of its header, if it has one; they may be several."""
    with cut_records.open_bytes(str(path)) as stream:
        number, fields, _ = next(cut_records.csv_rows(stream), (0, None, ""))
        return number if fields else 0


def lines_of(stream: IO[bytes], kind: str) -> Iterator[bytes]:
    """Lines as they are counted when a file of this kind is cut into records."""
    if kind == "ndjson":
        yield from stream
        return
    text = io.TextIOWrapper(stream, "utf-8", errors="surrogateescape", newline="")
    for line in text:
        yield line.encode("utf-8", "surrogateescape")


def erase_from_zone(pattern: str, sources: list[dict], user: str) -> tuple[int, int]:
    """Erase from the files of a landing zone. Returns (rows, files) that went or were changed."""
    count_rows = count_files = 0
    for name in landing_files.list_files(pattern) if pattern else []:
        kind = landing_files.file_format(name)
        if kind == "parquet":
            count = erase_from_parquet(Path(name), sources, user)
        elif kind in cut_records.RECORDS:
            count = erase_from_text(Path(name), kind, sources, user)
        else:
            continue
        count_rows += count
        count_files += count > 0
    return count_rows, count_files


def erase_from_live(folder: Path, user: str) -> int:
    """Erase from what live keeps. Returns the messages that went.

    Raises BlockingIOError where live is at work in the folder.
    """
    if not folder.is_dir():
        return 0
    with contextlib.ExitStack() as stack:
        # as the interventions of live lock it
        lock = os.open(folder, os.O_RDONLY)
        stack.callback(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for left in [*folder.glob("window-*"), folder / "models"]:
            shutil.rmtree(left, ignore_errors=True)
        (folder / "part.ndjson").unlink(missing_ok=True)
        outbox = folder / "outbox.ndjson"
        return erase_from_text(outbox, "ndjson", OWN_USER_ID, user) if outbox.exists() else 0


def count_rows(connection: duckdb.DuckDBPyConnection, table: str, user: str) -> int:
    """Rows of a table that name the id in any of their columns."""
    pattern = r"(^|[^\w-])" + re.escape(user) + r"($|[^\w-])"
    return connection.execute(
        f"select count(*) from {table} as row "
        "where contains(row::varchar, ?) and regexp_matches(row::varchar, ?)",
        [user, pattern],
    ).fetchall()[0][0]


def count_in_tables(path: Path, user: str) -> dict[str, int]:
    """{table: rows that name the id} of a DuckDB file, tables without any left out."""
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute(
            "select table_schema || '.' || table_name from information_schema.tables order by 1"
        ).fetchall()
        counts = {table: count_rows(connection, table, user) for (table,) in tables}
    return {f"{path} {table}": count for table, count in counts.items() if count}


def count_in_parquet(path: Path, user: str) -> int:
    """Rows of a parquet file that name the id; none of a file that is not parquet at all."""
    with duckdb.connect() as connection, contextlib.suppress(duckdb.Error):
        return count_rows(connection, f"read_parquet({sql_text(glob.escape(str(path)))})", user)
    return 0


def found_in(path: Path, user: str) -> dict[str, int]:
    """{place: how often the id is named there} of one file."""
    if path.suffix == ".duckdb":
        # one that does not open is searched like any other file
        with contextlib.suppress(duckdb.Error):
            return count_in_tables(path, user)
    if path.suffix == ".parquet":
        count = count_in_parquet(path, user)
    else:
        with cut_records.open_bytes(str(path)) as stream:
            count = sum(
                len(names(user).findall(line.decode("utf-8", "replace"))) for line in stream
            )
    return {str(path): count} if count else {}


def files_below(folder: Path) -> list[Path]:
    """The files of a folder; what is compressed for the line stands beside its original."""
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".br")


def main() -> int:
    """Erase or prove. Returns 0, or 1 after a sentence that says what is left or why not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("user", metavar="USER_ID")
    parser.add_argument("--vars", default="", help="dbt's vars, as YAML")
    parser.add_argument("--prove", action="store_true", help="look for the id everywhere")
    options = parser.parse_args()
    user = options.user
    if not user.strip():
        print("The user id is blank: name whom to erase.")
        return 1
    events, ledger = app.events(), app.ledger()
    warehouse, live = app.warehouse(), app.live_folder()
    if options.prove:
        zones = [zone for zone in (events, ledger) if zone]
        landed = [Path(name) for zone in zones for name in landing_files.list_files(zone)]
        beside = [warehouse, Path(f"{warehouse.with_suffix('')}.checks.ndjson")]
        below = [live, Path("reports/build"), Path("reports/.evidence/meta"), Path("logs")]
        files = landed + [p for p in beside if p.exists()]
        files += [file for folder in below if folder.is_dir() for file in files_below(folder)]
        left: dict[str, int] = {}
        for path in files:
            left |= found_in(path, user)
        if left:
            shown = ", ".join(f"{place} ({count})" for place, count in list(left.items())[:SHOWN])
            print(f"The id is still in {len(left)} places: {shown}.")
            return 1
        print(f"No trace of this user in {len(files):,} files.")
        return 0

    try:
        given = app.given_vars(options.vars)
    except ValueError as error:
        print(error)
        return 1
    try:
        sources = app.event_sources(given)["user_id"]
    except ValueError as error:
        print(error)
        return 1
    try:
        messages = erase_from_live(live, user)
    except BlockingIOError:
        print(f"make live is at work in {live}: end it first.")
        return 1
    rows, changed = erase_from_zone(events, sources, user)
    assignments, _ = erase_from_zone(ledger, OWN_USER_ID, user)
    print(
        f"{rows:,} rows of this user taken out of {changed:,} files, "
        f"{assignments:,} assignments and {messages:,} messages; build the warehouse in full next"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
