"""The records of the ndjson and csv files that arrived, as JSON texts; SQL does the rest."""

import codecs
import csv
import gzip
import io
import itertools
import json
import re
import sys
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import zstandard

BATCH_ROWS = 50_000
# few at once: zstd can make thousands of bytes of one
PACKED_BYTES = 1 << 13
SEPARATORS = ",;\t"

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
CsvRow = tuple[int, list[str] | None, str]


class ZstdFrames(io.RawIOBase):
    """What zstd frames hold, one after the other; an error where the last one is cut off."""

    def __init__(self, file: BinaryIO) -> None:
        """Read from a file that this closes."""
        super().__init__()
        self.file = file
        self.frame: Any = None
        self.packed = b""
        self.unpacked = memoryview(b"")

    def readable(self) -> bool:
        """True, as of every file that is read."""
        return True

    def readinto(self, buffer: memoryview) -> int:
        """Put the next bytes into the buffer. Raises EOFError, which a stream_reader does not."""
        while not self.unpacked:
            self.packed = self.packed or self.file.read(PACKED_BYTES)
            if not self.packed and self.frame:
                raise EOFError("The file ends before the end of its zstd frame")
            if not self.packed:
                return 0
            self.frame = self.frame or zstandard.ZstdDecompressor().decompressobj()
            self.unpacked = memoryview(self.frame.decompress(self.packed))
            self.packed = self.frame.unused_data
            if self.frame.eof:
                self.frame = None
        count = min(len(buffer), len(self.unpacked))
        buffer[:count], self.unpacked = self.unpacked[:count], self.unpacked[count:]
        return count

    def close(self) -> None:
        """Close the file too."""
        self.file.close()
        super().close()


def open_bytes(path: str) -> io.BufferedIOBase:
    """Open a landed file, decompressing by its ending."""
    if path.lower().endswith(".gz"):
        return gzip.open(path, "rb")
    if path.lower().endswith(".zst"):
        return io.BufferedReader(ZstdFrames(open(path, "rb")))
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


def separator_of(header: str) -> str:
    """The one of comma, semicolon and tab that a csv header has most of, quotes left out.

    Spreadsheets write semicolons where a comma is decimal. The comma wins ties.
    """
    unquoted = re.sub('"[^"]*("|$)', "", header)
    return max(SEPARATORS, key=unquoted.count)


def csv_rows(stream: io.BufferedIOBase) -> Iterator[CsvRow]:
    """Every row that is not blank, the header first: (line number of its end, fields, its text).

    The fields are None where the row has not the header's, is no UTF-8, or its quote never closes.
    """
    csv.field_size_limit(sys.maxsize)
    text = io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")
    head: list[str] = []
    count_quotes = 0
    for line in text:
        head.append(line)
        count_quotes += line.count('"')
        if line.strip() and count_quotes % 2 == 0:
            break
    taken: list[str] = []
    is_over = False

    def lines() -> Iterator[str]:
        nonlocal is_over
        for line in itertools.chain(head, text):
            taken.append(line)
            yield line
        is_over = True

    reader = csv.reader(lines(), delimiter=separator_of("".join(head)))
    count_fields = None
    for fields in reader:
        source = "".join(taken)
        taken.clear()
        if not source.strip():
            continue
        raw = source.rstrip("\r\n").encode("utf-8", "surrogateescape")
        is_utf8, row_text = as_text(raw)
        # the reader asks for more lines only within a quote
        is_whole = is_utf8 and not is_over
        if count_fields is None:
            count_fields = len(fields) if is_whole else -1
        fits = is_whole and len(fields) == count_fields
        yield reader.line_num, fields if fits else None, row_text


def csv_records(stream: io.BufferedIOBase) -> Iterator[Record]:
    """Every row under the header: (line number, has it the header's fields, its JSON object).

    An empty field is null: csv knows no other. A row that does not fit is kept as it stands, and so
    is a header that is none, which no row fits.
    """
    header: list[str] | None = None
    for number, fields, text in csv_rows(stream):
        if fields is None:
            yield number, False, text
        elif header is None:
            header = fields
        else:
            row = {name: field or None for name, field in zip(header, fields, strict=True)}
            yield number, True, json.dumps(row, ensure_ascii=False)


RECORDS = {"ndjson": ndjson_records, "csv": csv_records}


def file_records(path: str, kind: str, read_error: str | None) -> Iterator[Record]:
    """The records of one file. A file that cannot be read (on) is one unreadable record."""
    number = 0
    if read_error:
        yield number, False, f"{path}: {read_error}"
    if read_error or kind not in RECORDS:
        return
    try:
        with open_bytes(path) as stream:
            for number, is_readable, payload in RECORDS[kind](stream):
                yield number, is_readable, payload
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
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
