"""The files of the landing zones, one row each, before any row is read from them."""

import glob
import json
import os
from typing import Any

import duckdb
import pyarrow as pa

# file name endings, outermost first; what is none of these is listed and left alone
COMPRESSIONS = (".gz", ".zst")
FORMATS = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "ndjson",
}

SCHEMA = pa.schema(
    [
        ("landing_zone", pa.string()),
        ("file_name", pa.string()),
        ("file_format", pa.string()),
        ("size_bytes", pa.int64()),
        ("modified_ns", pa.int64()),
        ("columns_json", pa.string()),
        ("read_error", pa.string()),
    ]
)


def list_files(landing: str) -> list[str]:
    """Paths a landing glob matches, sorted; a folder stands for everything below it."""
    pattern = os.path.join(glob.escape(landing), "**") if os.path.isdir(landing) else landing
    return sorted(path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path))


def file_format(path: str) -> str:
    """`parquet`, `csv`, `ndjson`, or `unknown`, by the file's ending."""
    name = path.lower()
    for compression in COMPRESSIONS:
        name = name.removesuffix(compression)
    return FORMATS.get(os.path.splitext(name)[1], "unknown")


def readable_name(path: str) -> str:
    """The path as text, bytes that are not UTF-8 escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def describe_parquet(path: str, reader: duckdb.DuckDBPyConnection) -> tuple[str | None, str | None]:
    """Return (columns as JSON [[name, type]...], None) or (None, why it cannot be read).

    All of the file is read, since a byte that is wrong within shows only then.
    """
    rows = "(select * from read_parquet(?, filename = 'landed_file_name', file_row_number = true))"
    files = [glob.escape(path)]  # a name is no pattern
    try:
        columns = reader.execute(
            f"select column_name, column_type from (describe from {rows}) "
            "where column_name not in ('landed_file_name', 'file_row_number')",
            files,
        ).fetchall()
        reader.execute(f"select bit_xor(hash(*columns(*))) from {rows}", files).fetchall()
    except (duckdb.Error, UnicodeError) as error:  # whatever is said of a file, the build goes on
        return None, str(error).splitlines()[0]
    return json.dumps(columns), None


def described_before(dbt: Any, session: duckdb.DuckDBPyConnection) -> dict[tuple, tuple]:  # noqa: ANN401
    """{(name, size, time): (columns, error)} of the parquet files that the last build saw."""
    try:
        rows = session.execute(
            "select file_name, size_bytes, modified_ns, columns_json, read_error "
            f"from {dbt.this} where file_format = 'parquet'"
        ).fetchall()
    except duckdb.Error:  # the first build, or one that follows an older version of dropoff
        return {}
    return {tuple(row[:3]): tuple(row[3:]) for row in rows}


def model(dbt: Any, session: duckdb.DuckDBPyConnection) -> pa.Table:  # noqa: ANN401
    """List the landing zones. One row per zone and file: its format, size, time and columns.

    A date of the table that holds events, where one does, stands for a file.
    """
    dbt.config(materialized="table")
    known = described_before(dbt, session)
    reader = duckdb.connect()  # of files, whatever the engine of the warehouse
    zones = {
        "events": dbt.config.get("landing"),
        "interventions": dbt.config.get("interventions"),
        "identities": dbt.config.get("identities"),
    }
    rows = []
    for zone, landing in zones.items():
        for path in list_files(landing):
            kind = file_format(path)
            try:
                status = os.stat(path)
            except FileNotFoundError:  # it went since it was listed
                continue
            name = readable_name(path)
            version = (name, status.st_size, status.st_mtime_ns)
            columns, error = None, None
            if name != path:
                error = "its name is not UTF-8; rename it"
            elif kind == "parquet":
                columns, error = known.get(version) or describe_parquet(path, reader)
            rows.append((zone, name, kind, *version[1:], columns, error))
    parts = dbt.ref("base_app__relation_parts")
    for name, count_rows, rows_hash, columns in parts.order("file_name").fetchall():
        rows.append(("events", name, "relation", count_rows, rows_hash, columns, None))
    columns = list(zip(*rows, strict=True)) if rows else [[]] * len(SCHEMA)
    return pa.table(dict(zip(SCHEMA.names, columns, strict=True)), schema=SCHEMA)
