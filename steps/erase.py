"""Erase one person, and prove that they are gone.

    python steps/erase.py USER_ID [--vars YAML]    take their rows out of all landing zones
    python steps/erase.py USER_ID --prove          look for the id in every file and table

The first leaves the warehouse to `make build FULL=1`, which makes a new file without them, and the
pages to `make reports`: `make erase WHO=…` does all of it, by --then, and proves it in the end. A
row goes where its user is this one, or has another id of the same person, and where nobody can read
it and it names the id. The second ends with an error where an id is left anywhere, such as in the
properties of somebody else's row, and says where.
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
import subprocess
import sys
import zlib
from collections import Counter
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
MAPPED_IDS = [{"column": "anonymous_id"}, {"column": "user_id"}]
# what a file that is cut off or no such file is read with
BROKEN = (OSError, EOFError, zlib.error, zstandard.ZstdError, duckdb.Error)


landing_files = staging_module("base_app__landing_files")
cut_records = staging_module("base_app__cut_records")


class NotErasedError(Exception):
    """Why nobody can say that the person is gone: its text is the one sentence that is shown."""


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Raise NotErasedError where a file cannot be read or written anew."""
    try:
        yield
    except BROKEN as error:
        reason = (
            getattr(error, "strerror", None) or str(error) or type(error).__name__
        ).splitlines()[0]
        raise NotErasedError(
            f"{path} cannot be read or written anew ({reason}), and may hold this user: mend it or "
            "take it away, and erase again."
        ) from None


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
    with cut_records.open_bytes(str(path)) as stream:
        for number, is_readable, payload in cut_records.RECORDS[kind](stream):
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
        if kind == "unknown":
            continue
        with readable(Path(name)):
            if kind == "parquet":
                count = erase_from_parquet(Path(name), sources, user)
            else:
                count = erase_from_text(Path(name), kind, sources, user)
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


def ids_of(user: str, warehouse: Path) -> list[str]:
    """All ids of the person who has this one, as far as the last build knew; this one first.

    Raises NotErasedError where it does not say.
    """
    try:
        with duckdb.connect(str(warehouse), read_only=True) as connection:
            others = connection.execute(
                """
                with people as (from staging.stg_identities__people),
                persons as (select user_id from people where $user in (anonymous_id, user_id))
                select user_id from persons
                union
                select anonymous_id from people where user_id in (from persons)
                order by 1
                """,
                {"user": user},
            ).fetchall()
    except duckdb.Error:
        raise NotErasedError(
            f"{warehouse} does not say which other ids are this user's: run make build."
        ) from None
    return [user, *(other for (other,) in others if other != user)]


def prove(ids: list[str]) -> int:
    """Look for the ids everywhere. Returns 0 where none is left, else 1; says so either way."""
    warehouse = app.warehouse()
    zones = [zone for zone in (app.events(), app.ledger(), app.identities()) if zone]
    landed = [Path(name) for zone in zones for name in landing_files.list_files(zone)]
    beside = [warehouse, Path(f"{warehouse.with_suffix('')}.checks.ndjson")]
    below = [app.live_folder(), Path("reports/build"), Path("reports/.evidence/meta"), Path("logs")]
    files = landed + [p for p in beside if p.exists()]
    files += [file for folder in below if folder.is_dir() for file in files_below(folder)]
    left: Counter[str] = Counter()
    for path in files:
        with readable(path):
            for who in ids:
                left.update(found_in(path, who))
    if left:
        shown = ", ".join(f"{place} ({count})" for place, count in list(left.items())[:SHOWN])
        print(f"The id is still in {len(left)} places: {shown}.")
        return 1
    print(f"No trace of this user in {len(files):,} files.")
    return 0


def erase(ids: list[str], sources: list[dict]) -> int:
    """Take the rows of a person out of the landing zones and of what live keeps. Returns 0 or 1."""
    live = app.live_folder()
    rows = changed = assignments = messages = mappings = 0
    for who in ids:
        try:
            messages += erase_from_live(live, who)
        except BlockingIOError:
            print(f"make live is at work in {live}: end it first.")
            return 1
        found = erase_from_zone(app.events(), sources, who)
        rows, changed = rows + found[0], changed + found[1]
        assignments += erase_from_zone(app.ledger(), OWN_USER_ID, who)[0]
        mappings += erase_from_zone(app.identities(), MAPPED_IDS, who)[0]
    of_ids = f" under {len(ids)} ids" if len(ids) > 1 else ""
    print(
        f"{rows:,} rows of this user{of_ids} taken out of {changed:,} files, "
        f"{assignments:,} assignments, {mappings:,} mappings and {messages:,} messages; "
        "build the warehouse in full next"
    )
    return 0


def main() -> int:
    """Erase or prove. Returns 0, or 1 after a sentence that says what is left or why not."""
    try:
        return erase_or_prove()
    except NotErasedError as error:
        print(error)
        return 1


def erase_or_prove() -> int:
    """Do what the command line says. Raises NotErasedError."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("user", metavar="USER_ID")
    parser.add_argument("--vars", default="", help="dbt's vars, as YAML")
    parser.add_argument("--prove", action="store_true", help="look for the id everywhere")
    parser.add_argument("--then", default="", help="what builds all anew, before the proof")
    options = parser.parse_args()
    ids = [options.user]
    if not options.user.strip():
        print("The user id is blank: name whom to erase.")
        return 1
    if not landing_files.list_files(app.events()):
        raise NotErasedError(
            f"No landed file matches '{app.events()}', so nobody can say where this user is; set "
            "DROPOFF_EVENTS to the landing zone."
        )
    if app.identities():
        ids = ids_of(options.user, app.warehouse())
    if options.prove:
        return prove(ids)
    try:
        sources = app.event_sources(app.given_vars(options.vars))["user_id"]
    except ValueError as error:
        print(error)
        return 1
    code = erase(ids, sources)
    if not code and options.then:
        code = subprocess.run(options.then, shell=True, check=False).returncode or prove(ids)
    return code


if __name__ == "__main__":
    sys.exit(main())
