"""The records of the ndjson and csv files that arrived, as JSON texts; SQL does the rest."""

import codecs
import csv
import gzip
import io
import json
import sys
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import zstandard

BATCH_ROWS = 50_000

SCHEMA = pa.schema(
    [
        ("landing_zone", pa.string()),
        ("file_name", pa.string()),
        ("file_row_number", pa.int64()),
        ("is_readable", pa.bool_()),
        ("payload", pa.string()),
    ]
)

Record = tuple[int, bool, str]


def open_bytes(path: str) -> io.BufferedIOBase:
    """Open a landed file, decompressing by its ending."""
    if path.lower().endswith(".gz"):
        return gzip.open(path, "rb")
    if path.lower().endswith(".zst"):
        frames = zstandard.ZstdDecompressor().stream_reader(
            open(path, "rb"),  # noqa: SIM115
            read_across_frames=True,
            closefd=True,
        )
        return io.BufferedReader(frames)
    return open(path, "rb")


def as_text(line: bytes) -> tuple[bool, str]:
    """Return (True, text) for UTF-8, else (False, text with the bad bytes escaped)."""
    try:
        return True, line.decode("utf-8")
    except UnicodeDecodeError:
        return False, line.decode("utf-8", "backslashreplace")


def ndjson_records(stream: io.BufferedIOBase) -> Iterator[Record]:
    """Every line that is not blank: (line number, is it UTF-8, its text)."""
    for number, line in enumerate(stream, start=1):
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if line.strip():
            yield number, *as_text(line.strip(b"\r\n"))


def csv_records(stream: io.BufferedIOBase) -> Iterator[Record]:
    """Every row under the header: (line number, has it the header's fields, its JSON object).

    An empty field is null: csv knows no other. A row that does not fit is kept as it stands.
    """
    csv.field_size_limit(sys.maxsize)
    taken: list[str] = []

    def lines() -> Iterator[str]:
        text = io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")
        for line in text:
            taken.append(line)
            yield line

    reader = csv.reader(lines())
    header: list[str] | None = None
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:  # the csv module gave up on this row; the next one may be fine
            fields = []
        source, line_number = "".join(taken), reader.line_num
        taken.clear()
        if not source.strip():
            continue
        raw = source.rstrip("\r\n").encode("utf-8", "surrogateescape")
        is_utf8, text = as_text(raw)
        if header is None:
            header = fields if is_utf8 else []
        elif is_utf8 and len(fields) == len(header):
            row = {name: field or None for name, field in zip(header, fields, strict=True)}
            yield line_number, True, json.dumps(row, ensure_ascii=False)
        else:
            yield line_number, False, text


RECORDS = {"ndjson": ndjson_records, "csv": csv_records}


def file_records(path: str, kind: str, read_error: str | None) -> Iterator[Record]:
    """The records of one file. A file that cannot be read (on) is one unreadable record."""
    number = 0
    if read_error:
        yield number, False, f"{path}: {read_error}"
    if kind not in RECORDS:
        return
    try:
        with open_bytes(path) as stream:
            for number, is_readable, payload in RECORDS[kind](stream):
                yield number, is_readable, payload
    except (OSError, EOFError, zstandard.ZstdError) as error:
        yield number + 1, False, f"{path}: {error}"


def batches(files: list[tuple[str, str, str, str | None]]) -> Iterator[pa.RecordBatch]:
    """The records of all files, in batches that fit in memory."""
    rows: list[tuple[str, str, int, bool, str]] = []
    for zone, path, kind, read_error in files:
        for record in file_records(path, kind, read_error):
            rows.append((zone, path, *record))
            if len(rows) == BATCH_ROWS:
                yield record_batch(rows)
                rows = []
    if rows:
        yield record_batch(rows)


def record_batch(rows: list[tuple[str, str, int, bool, str]]) -> pa.RecordBatch:
    """Rows of SCHEMA as one Arrow batch."""
    return pa.RecordBatch.from_arrays(
        [
            pa.array(column, field.type)
            for column, field in zip(zip(*rows, strict=True), SCHEMA, strict=True)
        ],
        schema=SCHEMA,
    )


def model(dbt: Any, session: Any) -> pa.RecordBatchReader:  # noqa: ANN401 (dbt's own)
    """Cut the text files that arrived. One row per record of an ndjson or csv file."""
    dbt.config(materialized="table")
    arrived = dbt.ref("base_app__arrived_files")
    columns = "landing_zone, file_name, file_format, read_error"
    files = arrived.project(columns).order("landing_zone, file_name").fetchall()
    return pa.RecordBatchReader.from_batches(SCHEMA, batches(files))
