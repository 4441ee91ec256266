"""Check what has landed, file by file, before anything is built from it.

Great Expectations looks at each file that is new or has changed since the last run, in pandas, one
batch a file. What it finds goes to a file of its own, one ndjson row per file and expectation, from
which data health reads it. Nothing is rejected here: staging does that, row by row. Only what would
make the figures worthless stops the run: a column that must exist does not, or nearly every row of
a file would be rejected. The ledger of interventions, where there is one, is looked at in the same
way, and never stops a run: no figure of sessions hangs on it.

    python landing/check.py --events 'landing/events/*' --seeds seeds --out warehouse.checks.ndjson

Exit codes: 0 checked, 1 stopped by a fatal finding (one sentence on stderr), 2 bad settings.
"""

from __future__ import annotations

import argparse
import csv
import glob
import hashlib
import json
import os
import re
import statistics
import sys
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

sys.path.append(str(Path(__file__).resolve().parent.parent / "steps"))
import app
from app import event_sources, is_found, staging_module, value_at

if TYPE_CHECKING:
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.expectations.expectation import Expectation

cut_records = staging_module("base_app__cut_records")
landing_files = staging_module("base_app__landing_files")

OUR_COLUMNS = ("event_id", "user_id", "event_name", "event_time", "received_at")
# Without one of these no event can be told from another; the contract asks for no other column.
REQUIRED_COLUMNS = ("user_id", "event_name", "event_time")
# The ledger's own, found by their names; it asks for all but the last three.
LEDGER_COLUMNS = (
    "assignment_id",
    "intervention",
    "unit",
    "user_id",
    "stage",
    "arm",
    "assigned_at",
    "session_id",
    "planned_treated_share",
    "received_at",
)
REQUIRED_LEDGER_COLUMNS = LEDGER_COLUMNS[:-3]
TIME_COLUMNS = ("event_time", "assigned_at", "received_at")
UNITS = ("session", "user")
ARMS = ("treated", "control")
KNOWN_VALUES = {
    "event_name": "in event_types.csv",
    "stage": "in funnel_stages.csv",
    "unit": " or ".join(UNITS),
    "arm": " or ".join(ARMS),
}

# A key that is missing in a few rows of a hundred is the usual loss of trackers and networks.
MISSING_SHARE_TOLERATED = 0.03
# Names that the settings lack count as steps. A new release brings a few; more than this and the
# settings are those of another app.
UNKNOWN_NAMES_SHARE_TOLERATED = 0.05
# Clocks of phones that were never set, or run ahead, are about one in a hundred.
WRONG_CLOCK_SHARE_TOLERATED = 0.02
# Delivery is at least once: about 0.5 % of rows are copies, and a copy counts with its original.
COPIES_SHARE_TOLERATED = 0.02
# Nearly every row would be rejected: what is left says nothing about the users.
FATAL_SHARE = 0.9
# A file this small cannot spoil the figures: data health shows its rejected rows.
FATAL_MIN_ROWS = 100
# Days differ by weekday and by release, seldom by ten times: that is half a file, or two in one.
VOLUME_FACTOR = 10
# The median of fewer files than this says nothing about the next one.
VOLUME_MIN_FILES = 5
# As in the vars of the build: before this a clock was never set, beyond this it runs ahead.
OLDEST_EVENT_TIME = "2000-01-01"
FUTURE_TOLERANCE_SECONDS = 300
# What lies beyond the years of a calendar is out of range all the same.
FIRST_YEAR, LAST_YEAR = pd.Timestamp(1, 1, 1), pd.Timestamp(9999, 1, 1)
# 9999-12-31 23:59:59.999999, as numbers are read
LAST_MICROSECOND = 253_402_300_799_999_999

ENDINGS = (".parquet", ".ndjson", ".jsonl", ".json", ".csv")
UNFINISHED = (".part", ".tmp")
COMPRESSIONS = (".gz", ".zst")
# The one name here that is not of Great Expectations: it sees a file only once it has been read.
READABLE = "expect_file_to_be_readable"
DEMO_EVENTS = ("landing/events", "landing/events/*")
DEMO_INTERVENTIONS = "landing/interventions"

Row = dict[str, Any]
Source = dict[str, str]
MICROSECONDS = {"s": 1e6, "ms": 1e3, "us": 1, "ns": 1e-3}


class SettingsError(Exception):
    """What was asked for cannot be: its text is the one sentence that is shown."""


class UnreadableFileError(Exception):
    """A file that cannot be read at all: its text ends a sentence that begins with its name."""


# --- settings ------------------------------------------------------------------------------------


def landed_files(pattern: str) -> list[Path]:
    """Give the files of a glob, or everything under a folder, sorted.

    Left out: markers, and what is still being written. Raises SettingsError where none is left.
    """
    files = matching_files(pattern)
    if not files:
        raise SettingsError(
            f"No landed file matches '{pattern}'; set DROPOFF_EVENTS (--events) to a folder or a "
            "glob of parquet, ndjson or csv files."
        )
    return files


def ledger_files(pattern: str) -> list[Path]:
    """Give the files of the ledger; none where there is no folder of that name.

    Raises SettingsError where a glob or the name of a file finds none.
    """
    files = matching_files(pattern)
    if not files and (glob.has_magic(pattern) or ending(Path(pattern))):
        raise SettingsError(
            f"No ledger file matches '{pattern}'; set DROPOFF_INTERVENTIONS (--interventions) to a "
            "folder or a glob of parquet, ndjson or csv files."
        )
    return files


def matching_files(pattern: str) -> list[Path]:
    """Give what a glob matches, or everything under a folder, sorted, without markers."""
    if Path(pattern).is_dir() and pattern:
        pattern = os.path.join(glob.escape(pattern), "**")
    found = (Path(name) for name in glob.glob(pattern, recursive=True))
    return sorted(path for path in found if path.is_file() and not is_no_landed_file(path.name))


def is_no_landed_file(name: str) -> bool:
    """Tell a marker (`_SUCCESS`, `.keep`) or a file that is still being written by its name."""
    return name.startswith((".", "_")) or name.endswith(UNFINISHED)


def known_names(path: Path, column: str) -> list[str]:
    """Read the names in a column of a settings file."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return sorted({row[column] or "" for row in csv.DictReader(file)})
    except KeyError as error:
        raise SettingsError(
            f"{path}, line 1: the column {column} is missing; the first line names the columns, "
            "with commas between."
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 text; save the file as CSV in UTF-8.") from error
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read ({error.strerror}); set DROPOFF_SEEDS (--seeds) to a folder of "
            "settings."
        ) from error


def given_vars(text: str) -> Row:
    """Read the vars as dbt does: YAML. Raises SettingsError where they are none."""
    try:
        return app.given_vars(text)
    except ValueError as error:
        raise SettingsError(str(error)) from error


def oldest_time(dbt_vars: Row) -> str:
    """Give the var oldest_event_time, in UTC. Raises SettingsError where it is no time."""
    given = str(dbt_vars.get("oldest_event_time", OLDEST_EVENT_TIME))
    try:
        time = pd.Timestamp(given)
    except ValueError:
        time = pd.NaT
    if time is pd.NaT or not re.match(r"\d{4}-\d{2}-\d{2}", given):
        raise SettingsError(
            f"The var oldest_event_time is '{given}', which is no time; write it like "
            "2026-02-16 00:00:00."
        )
    return str(time.tz_convert(None) if time.tz else time)


def columns_of_events(dbt_vars: Row) -> dict[str, list[Source]]:
    """Give where each of our columns comes from, by the vars event_format and event_columns."""
    try:
        sources = event_sources(dbt_vars)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    return {ours: sources[ours] for ours in OUR_COLUMNS}


# --- reading a file ------------------------------------------------------------------------------


def ending(path: Path) -> str:
    """Give the part of a name that says the format: `.csv` of `a.csv.gz`; empty where none does."""
    plain = Path(path.name.lower())
    plain = plain.with_suffix("") if plain.suffix in COMPRESSIONS else plain
    return plain.suffix if plain.suffix in ENDINGS else ""


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading, decompressed. Raises UnreadableFileError where bytes are broken."""
    try:
        with cut_records.open_bytes(str(path)) as file:
            yield file
    except (
        OSError,
        EOFError,
        csv.Error,
        zlib.error,
        zstandard.ZstdError,
        pa.ArrowException,
    ) as error:
        told = getattr(error, "strerror", None) or str(error) or type(error).__name__
        reason = shortened(told, 120).rstrip(". ")
        raise UnreadableFileError(f"cannot be read: {reason}") from error


def text_rows(path: Path, file: IO[bytes]) -> Iterator[dict[str, Any] | None]:
    """Give each row of an ndjson or csv file as a dict; None where it is unreadable.

    Blank lines are no rows. The header of a csv comes first, as a row of nulls.
    """
    if ending(path) != ".csv":
        for line in file:
            if line.strip():
                yield json_object(line)
        return
    header: list[str] | None = None
    for _, fields, _ in cut_records.csv_rows(file):
        if fields is None:
            yield None
        elif header is None:
            header = fields
            yield dict.fromkeys(header)
        else:
            yield {name: field or None for name, field in zip(header, fields, strict=True)}


def json_object(line: bytes) -> dict[str, Any] | None:
    """Give the JSON object that a line is, or None."""
    try:
        value = json.loads(line.decode("utf-8-sig"))
        if b"\\ud" in line.lower():
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # half a character is no text
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def names_of_columns(path: Path) -> list[str]:
    """Give the columns that a file's schema, its header or its first JSON object names."""
    with opened(path) as file:
        if ending(path) == ".parquet":
            return pq.read_schema(file).names
        return list(next((row for row in text_rows(path, file) if row is not None), []))


def read_landed(path: Path, columns: dict[str, list[Source]]) -> tuple[pd.DataFrame, int]:
    """Read our columns of a file as a data frame under our names, and count its unreadable rows.

    A column that the file lacks is not in the frame; of several sources the first that holds a
    value counts. Times are UTC timestamps (missing: not a time); the others are text (missing:
    null, empty or only white space). Raises UnreadableFileError.
    """
    if not ending(path):
        raise UnreadableFileError(f"cannot be read: its name ends in none of {', '.join(ENDINGS)}")
    count_unreadable = 0
    with opened(path) as file:
        if ending(path) == ".parquet":
            cells, count_rows = parquet_cells(file, columns)
        else:
            cells, count_rows, count_unreadable = text_cells(path, file, columns)
    if count_unreadable and not count_rows:
        raise UnreadableFileError(f"cannot be read: none of its {count_unreadable:,} rows is one")
    frame = pd.DataFrame(index=range(count_rows))
    for ours, sources in columns.items():
        for source in sources:
            if source["column"] in cells:
                cell = cells[source["column"]]
                values = as_times_of(cell, source) if ours in TIME_COLUMNS else as_keys(cell)
                frame[ours] = frame[ours].combine_first(values) if ours in frame else values
    return frame, count_unreadable


def parquet_cells(
    file: IO[bytes], columns: dict[str, list[Source]]
) -> tuple[dict[str, pd.Series], int]:
    """Read the columns of a parquet file that ours come from; give them and the number of rows."""
    parquet = pq.ParquetFile(file)
    names = parquet.schema_arrow.names
    cells = {}
    for theirs in sorted({source["column"] for sources in columns.values() for source in sources}):
        head = theirs if theirs in names else theirs.split(".")[0]
        if head not in names:
            continue
        try:
            column = parquet.read(columns=[head]).column(head)
            if head == theirs:
                cells[theirs] = column.to_pandas(date_as_object=False)
            else:
                fields = [value_at({head: value}, theirs) for value in column.to_pylist()]
                cells[theirs] = pd.Series(fields, dtype=object)
        except (ValueError, KeyError, OverflowError) as error:  # twice there, or beyond all years
            raise UnreadableFileError(f"cannot be read: its column {head} is no good") from error
    return cells, parquet.metadata.num_rows


def text_cells(
    path: Path, file: IO[bytes], columns: dict[str, list[Source]]
) -> tuple[dict[str, pd.Series], int, int]:
    """Read the columns of a text file that ours come from.

    Give them, the number of rows, and of unreadable rows.
    """
    wanted = [source for sources in columns.values() for source in sources]
    cells: dict[str, list] = {}
    count_rows = count_unreadable = 0
    is_header = ending(path) == ".csv"
    for row in text_rows(path, file):
        if row is None:
            count_unreadable += 1
            continue
        for source in wanted:
            if source["column"] not in cells and is_found(source, row):
                cells[source["column"]] = [None] * count_rows
        if is_header:
            is_header = False
            continue
        for theirs, values in cells.items():
            values.append(value_at(row, theirs))
        count_rows += 1
    series = {theirs: pd.Series(values, dtype=object) for theirs, values in cells.items()}
    return series, count_rows, count_unreadable


def as_keys(series: pd.Series) -> pd.Series:
    """Give a series of text; null, empty and only white space are missing."""
    if series.dtype != "str":
        series = series.map(as_text, na_action="ignore").astype("str")
    return series.mask(series.str.strip() == "")


def as_text(cell: object) -> str:
    """Give the text of a cell: a number, a flag or a nested value as JSON writes it."""
    is_json = isinstance(cell, bool | int | float | dict | list)
    return json.dumps(cell, default=str) if is_json else str(cell)


def as_times_of(series: pd.Series, source: Source) -> pd.Series:
    """Give a series of UTC timestamps as `as_times`, written as their source says."""
    if source.get("format"):
        text = as_keys(series)
        written = pandas_format(source["format"])
        times = pd.to_datetime(text, format=written, errors="coerce")
        if isinstance(times.dtype, pd.DatetimeTZDtype):
            times = times.dt.tz_convert(None)
        elif times.dtype == object:  # offsets that differ
            times = pd.to_datetime(text, format=written, errors="coerce", utc=True)
            times = times.dt.tz_convert(None)
        return in_utc(times.astype("datetime64[us]"), source)
    unit, dtype = source.get("unit"), series.dtype
    if not unit or pd.api.types.is_datetime64_any_dtype(dtype):
        return in_utc(as_times(series), source)
    number = pd.to_numeric(as_keys(series), errors="coerce")
    microseconds = number * MICROSECONDS[unit] // 1
    # others are no times in this unit: perhaps in that of the next source
    microseconds = microseconds.where(microseconds.between(0, LAST_MICROSECOND))
    times = microseconds.astype("Int64").astype("datetime64[us]")
    return in_utc(times.fillna(as_times(series.where(number.isna()))), source)


def pandas_format(written: str) -> str:
    """Give a format of DuckDB as pandas knows it: fractions of a second have one letter."""
    return re.sub("%-?(.)", lambda part: "%f" if part[1] in "gn" else f"%{part[1]}", written)


def in_utc(times: pd.Series, source: Source) -> pd.Series:
    """Give what the clock of the source's time zone showed, in UTC."""
    zone = source.get("timezone")
    if not zone:
        return times
    local = times.dt.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
    return local.dt.tz_convert(None).astype("datetime64[us]")


def as_times(series: pd.Series) -> pd.Series:
    """Give a series of UTC timestamps without a zone, from timestamps, epoch ms or ISO 8601 text.

    What is not a time is missing. All digits are milliseconds, as text too; no offset means UTC.
    """
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        series = series.dt.tz_convert(None)
    if pd.api.types.is_datetime64_dtype(series.dtype):
        if series.dtype in ("datetime64[s]", "datetime64[ms]"):
            series = series.clip(FIRST_YEAR, LAST_YEAR)
        return series.astype("datetime64[us]")
    text = as_keys(series)
    if pd.api.types.is_float_dtype(series.dtype) or series.dtype == object:
        text = text.str.replace(r"(?<=\d)\.0$", "", regex=True)
    is_number = text.str.fullmatch(r"[0-9]{1,15}").fillna(False).astype(bool)
    # pandas reads more than ISO 8601 allows: "-5" is the year 5 before Christ.
    iso_text = text.where(text.str.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"))
    times = pd.to_datetime(iso_text, format="ISO8601", utc=True, errors="coerce")
    times = times.dt.tz_convert(None).astype("datetime64[us]")
    microseconds = pd.to_numeric(text[is_number]).astype("int64") * 1000
    times[is_number] = microseconds.astype("datetime64[us]").clip(FIRST_YEAR, LAST_YEAR)
    return times


# --- expectations --------------------------------------------------------------------------------


class Checker:
    """Great Expectations, set up once: one ephemeral context and batch definition for all files."""

    def __init__(self, oldest_event_time: str) -> None:
        """Import Great Expectations, which takes most of a short run: only where a file is new."""
        os.environ["GX_ANALYTICS_ENABLED"] = "False"
        with quiet():
            import great_expectations
            from great_expectations.data_context.types.base import ProgressBarsConfig

            self.gx = great_expectations
            context = great_expectations.get_context(mode="ephemeral")
            context.variables.progress_bars = ProgressBarsConfig(globally=False)
            source = context.data_sources.add_pandas("landing")
            asset = source.add_dataframe_asset("file")
            self.batches = asset.add_batch_definition_whole_dataframe("rows")
        self.oldest_event_time = oldest_event_time

    def check_events(
        self,
        frame: pd.DataFrame,
        count_unreadable: int,
        counts_before: list[int],
        all_need_ids: bool,
        event_names: list[str],
    ) -> list[Row]:
        """Check one file's frame of `read_landed`; give its rows without name, size and times.

        counts_before: the row counts of the files checked before. all_need_ids: some file has an
        event id column, so that a row without an event id is rejected.
        """
        frame = frame.copy(deep=False)
        if all_need_ids and len(frame) and "event_id" not in frame.columns:
            frame["event_id"] = pd.Series([None] * len(frame), dtype="str")
        expectations = self.of_events(frame, count_unreadable, counts_before, event_names)
        return self.checked(frame, count_unreadable, expectations)

    def check_assignments(
        self, frame: pd.DataFrame, count_unreadable: int, stages: list[str]
    ) -> list[Row]:
        """Check one file of the ledger, as `check_events` does; nothing is fatal."""
        expectations = self.of_assignments(frame, count_unreadable, stages)
        rows = self.checked(frame, count_unreadable, expectations)
        return [{**row, "is_fatal": False} for row in rows]

    def checked(
        self, frame: pd.DataFrame, count_unreadable: int, expectations: list[Expectation]
    ) -> list[Row]:
        """Put expectations to a frame; give a row for each."""
        if "received_at" in frame.columns:
            # A clock may run ahead by the tolerance, so the latest time allowed lies that far on.
            ahead = pd.Timedelta(seconds=FUTURE_TOLERANCE_SECONDS)
            frame = frame.assign(received_at=frame["received_at"] + ahead)
        suite = self.gx.ExpectationSuite(name="landed", expectations=expectations)
        with quiet():
            batch = self.batches.get_batch({"dataframe": frame})
            results = batch.validate(suite, result_format="BASIC").results
        return [described(result, len(frame) + count_unreadable) for result in results]

    def of_events(
        self,
        frame: pd.DataFrame,
        count_unreadable: int,
        counts_before: list[int],
        event_names: list[str],
    ) -> list[Expectation]:
        """Give the expectations that can be put to a frame of events with these columns."""
        of = self.gx.expectations
        lowest, highest = volume_band(counts_before)
        expectations = [of.ExpectTableRowCountToBeBetween(min_value=lowest, max_value=highest)]
        expectations += self.of_columns(frame, count_unreadable, REQUIRED_COLUMNS, "event_id")
        if "event_name" in frame.columns:
            expectations.append(
                of.ExpectColumnValuesToBeInSet(
                    column="event_name",
                    value_set=event_names,
                    mostly=1 - UNKNOWN_NAMES_SHARE_TOLERATED,
                )
            )
        return expectations + self.of_times(frame, "event_time")

    def of_assignments(
        self, frame: pd.DataFrame, count_unreadable: int, stages: list[str]
    ) -> list[Expectation]:
        """Give the expectations that can be put to a frame of the ledger with these columns."""
        of = self.gx.expectations
        needed = REQUIRED_LEDGER_COLUMNS
        expectations = [of.ExpectTableRowCountToBeBetween(min_value=1, max_value=None)]
        expectations += self.of_columns(frame, count_unreadable, needed, "assignment_id")
        for name, values in [("unit", UNITS), ("arm", ARMS), ("stage", stages)]:
            if name in frame.columns:
                mostly = 1 - UNKNOWN_NAMES_SHARE_TOLERATED
                expectations.append(
                    of.ExpectColumnValuesToBeInSet(column=name, value_set=values, mostly=mostly)
                )
        return expectations + self.of_times(frame, "assigned_at")

    def of_columns(
        self, frame: pd.DataFrame, count_unreadable: int, needed: tuple[str, ...], key: str
    ) -> list[Expectation]:
        """Expect these columns, values in them, rows that can be read, and a key once each."""
        of = self.gx.expectations
        expectations = []
        if len(frame.columns) or len(frame):
            expectations += [of.ExpectColumnToExist(column=name) for name in needed]
        if count_unreadable:
            count_landed = len(frame) + count_unreadable
            expectations.append(of.ExpectTableRowCountToEqual(value=count_landed))
        for name in dict.fromkeys((key, *needed)):
            if name in frame.columns:
                mostly = 1 - MISSING_SHARE_TOLERATED
                expectations.append(of.ExpectColumnValuesToNotBeNull(column=name, mostly=mostly))
        if key in frame.columns:
            mostly = 1 - COPIES_SHARE_TOLERATED
            expectations.append(of.ExpectColumnValuesToBeUnique(column=key, mostly=mostly))
        return expectations

    def of_times(self, frame: pd.DataFrame, time: str) -> list[Expectation]:
        """Expect a time to lie between the oldest and now, and before its receipt."""
        of = self.gx.expectations
        now = pd.Timestamp.now("UTC").tz_localize(None)
        expectations = []
        if time in frame.columns:
            expectations.append(
                of.ExpectColumnValuesToBeBetween(
                    column=time,
                    min_value=pd.Timestamp(self.oldest_event_time),
                    max_value=now + pd.Timedelta(seconds=FUTURE_TOLERANCE_SECONDS),
                    mostly=1 - WRONG_CLOCK_SHARE_TOLERATED,
                )
            )
        if {time, "received_at"} <= set(frame.columns):
            expectations.append(
                of.ExpectColumnPairValuesAToBeGreaterThanB(
                    column_A="received_at",
                    column_B=time,
                    or_equal=True,
                    ignore_row_if="either_value_is_missing",
                    mostly=1 - WRONG_CLOCK_SHARE_TOLERATED,
                )
            )
        return expectations


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the deprecation notices of libraries off the console: they are not about the input."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def volume_band(counts_before: list[int]) -> tuple[int, int | None]:
    """Give the fewest and most rows expected of a file, from the files checked before it."""
    if len(counts_before) < VOLUME_MIN_FILES:
        return 1, None
    median = statistics.median(counts_before)
    return max(1, int(median / VOLUME_FACTOR)), int(median * VOLUME_FACTOR)


def described(result: ExpectationValidationResult, count_landed: int) -> Row:
    """Give a result of Great Expectations as a row: what was observed, and what it means.

    Raises RuntimeError where the expectation itself failed to run.
    """
    name = result.expectation_config.type
    if result.exception_info.get("raised_exception"):
        raise RuntimeError(f"{name}: {result.exception_info['exception_message']}")
    asked, found = result.expectation_config.kwargs, result.result
    column = asked.get("column") or asked.get("column_B")
    bad = (found.get("unexpected_count") or 0) / max(found.get("element_count") or 0, 1)
    rows = f"{count_landed:,} row{'s' * (count_landed != 1)}"
    part = f"{percent(bad)} of {rows}" if bad else f"none of {rows}"
    is_worthless = False
    if name == "expect_column_to_exist":
        is_worthless = not result.success
        observed = "there" if result.success else "not there"
        message = f"There is {'a' if result.success else 'no'} column for {column}"
    elif name == "expect_table_row_count_to_be_between":
        lowest, highest = asked["min_value"], asked.get("max_value")
        band = f"at least {lowest:,}" if highest is None else f"{lowest:,} to {highest:,}"
        observed = rows
        message = f"The file has {rows}, where {band} are expected"
    elif name == "expect_table_row_count_to_equal":
        count = asked["value"] - found["observed_value"]
        observed = f"{count:,} unreadable"
        message = f"Of {rows} {count:,} cannot be read and will be rejected"
    elif name == "expect_column_values_to_not_be_null":
        is_worthless = bad > FATAL_SHARE
        observed = f"{percent(bad)} missing"
        word = "missing or not a time" if column in TIME_COLUMNS else "missing"
        message = f"{column} is {word} in {part}"
    elif name == "expect_column_values_to_be_in_set":
        observed = f"{percent(bad)} unknown{example(found)}"
        message = f"{column} is not {KNOWN_VALUES[column]} in {part}"
    elif name == "expect_column_values_to_be_unique":
        observed = f"{percent(bad)} not unique"
        message = f"{column} is shared with another row in {part}"
    elif name == "expect_column_values_to_be_between":
        is_worthless = bad > FATAL_SHARE
        observed = f"{percent(bad)} out of range{example(found)}"
        message = f"{column} is before {asked['min_value']:%Y} or yet to come in {part}"
    else:
        observed = f"{percent(bad)} ahead"
        message = f"{column} is later than the receipt in {part}"
    if "mostly" in asked and not result.success:
        message += f", and more than {percent(1 - asked['mostly'])} is unusual"
    is_small = name != "expect_column_to_exist" and count_landed < FATAL_MIN_ROWS
    return {
        "expectation": name,
        "column_name": column,
        "is_met": bool(result.success),
        "is_fatal": is_worthless and not is_small,
        "observed": observed,
        "message": message + ".",
    }


def example(found: dict[str, Any]) -> str:
    """Give one of the values that were not expected, to put behind a share; empty without one."""
    samples = found.get("partial_unexpected_list")
    return f", such as {shortened(samples[0], 40)}" if samples else ""


def percent(share: float) -> str:
    """Give a share as people read it: `0.4 %`, never 0 % or 100 % where it is not that."""
    text = f"{share * 100:.1f}".removesuffix(".0")
    if text == "0" and share > 0:
        return "under 0.1 %"
    if text == "100" and share < 1:
        return "over 99.9 %"
    return f"{text} %"


def shortened(value: object, length: int) -> str:
    """Give a value as one line of text of at most this length."""
    text = " ".join(str(value)[: 4 * length].split())
    return text if len(text) <= length else text[: length - 1] + "…"


# --- what was found, and what was found before ---------------------------------------------------


def read_rows(out: Path) -> list[Row]:
    """Read the rows of earlier runs; none where there was no run or its file is not whole."""
    try:
        return [json.loads(line) for line in out.read_bytes().splitlines()]
    except (FileNotFoundError, ValueError):
        return []


def write_rows(out: Path, rows: list[Row]) -> None:
    """Replace the file at once: a reader meets the old rows or the new, never half of them."""
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f"{out.name}.{os.getpid()}.tmp")
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    aside.write_text("".join(lines), encoding="utf-8")
    os.replace(aside, out)


def name_of(path: Path) -> str:
    """Give the name that a file goes by here: seen from the current folder, as text."""
    return landing_files.readable_name(os.path.relpath(path))


def identity(path: Path, settings_hash: str) -> Row:
    """Give what tells a file that was checked from one that was not: name, size, time, settings."""
    stat = path.stat()
    modified_at = datetime.fromtimestamp(stat.st_mtime_ns / 1e9, UTC)
    return {
        "file_name": name_of(path),
        "file_size": stat.st_size,
        "file_modified_at": modified_at.isoformat(),
        "settings_hash": settings_hash,
    }


def remembered_rows(earlier: list[Row], identities: dict[str, Row]) -> dict[str, list[Row]]:
    """Give the rows that still hold, by file: those of files that are there and unchanged."""
    remembered: dict[str, list[Row]] = {}
    for row in earlier:
        known = identities.get(row["file_name"])
        if known and all(row.get(name) == value for name, value in known.items()):
            remembered.setdefault(row["file_name"], []).append(row)
    return remembered


def check_landing(
    events: str,
    interventions: str,
    seeds: Path,
    out: Path,
    columns: dict[str, list[Source]],
    oldest_event_time: str,
) -> tuple[str, str | None]:
    """Check the files not checked before; give the line to print and, where fatal, the sentence.

    The rows in `out` are then those of the files that are there now. What was fatal stays so until
    the file or the settings change. Raises SettingsError.
    """
    files = {name_of(path): path for path in landed_files(events)}
    # what is both is events: one file has one set of rows
    ledger = {name_of(path): path for path in ledger_files(interventions)}
    ledger = {name: path for name, path in ledger.items() if name not in files}
    event_names = known_names(seeds / "event_types.csv", "event_name")
    stages = known_names(seeds / "funnel_stages.csv", "stage") if ledger else []
    settings_hash = hash_of([event_names, columns, oldest_event_time])
    ledger_hash = hash_of(["ledger", stages, oldest_event_time])
    identities = {}
    for name, path in {**files, **ledger}.items():
        with suppress(FileNotFoundError):  # taken away since it was listed: nothing to check
            identities[name] = identity(path, settings_hash if name in files else ledger_hash)
    earlier = read_rows(out)
    by_file = remembered_rows(earlier, identities)
    fresh = [name for name in identities if name not in by_file]
    if fresh:
        checker = Checker(oldest_event_time)
        all_need_ids = has_event_ids(files.values(), columns["event_id"])
        counts = [rows[0]["count_rows"] for name, rows in by_file.items() if name in files]

        def check_events(frame: pd.DataFrame, count_unreadable: int) -> list[Row]:
            before = [count for count in counts if count is not None]
            return checker.check_events(frame, count_unreadable, before, all_need_ids, event_names)

        def check_assignments(frame: pd.DataFrame, count_unreadable: int) -> list[Row]:
            return checker.check_assignments(frame, count_unreadable, stages)

        for name in fresh:
            if name in files and files[name].exists():
                rows = check_file(files[name], columns, check_events)
                counts.append(rows[0]["count_rows"])
            elif name in ledger and ledger[name].exists():
                own = {name: [{"column": name}] for name in LEDGER_COLUMNS}
                rows = check_file(ledger[name], own, check_assignments)
            else:
                continue
            known = {
                **identities[name],
                "checked_at": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            by_file[name] = [{**known, **row} for row in rows]
    rows = [row for rows in by_file.values() for row in rows]
    rows.sort(key=lambda row: (row["file_name"], row["expectation"], row["column_name"] or ""))
    mark_where_no_file_is_readable([row for row in rows if row["file_name"] in files])
    if rows != earlier:
        write_rows(out, rows)
    new = set(fresh)
    return result_line([row for row in rows if row["file_name"] in new]), fatal_sentence(rows)


def hash_of(settings: list) -> str:
    """Give a short hash of what a file is checked against."""
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:12]


def check_file(
    path: Path, columns: dict[str, list[Source]], check: Callable[[pd.DataFrame, int], list[Row]]
) -> list[Row]:
    """Check one file; give its rows, each with the file's row count (None where unreadable)."""
    readable = {
        "expectation": READABLE,
        "column_name": None,
        "is_met": True,
        "is_fatal": False,
        "observed": "readable",
        "message": "The file can be read.",
        "count_rows": None,
    }
    try:
        frame, count_unreadable = read_landed(path, columns)
    except UnreadableFileError as error:
        return [
            {**readable, "is_met": False, "observed": "unreadable", "message": f"The file {error}."}
        ]
    count_rows = len(frame) + count_unreadable
    rows = [readable, *check(frame, count_unreadable)]
    return [{**row, "count_rows": count_rows} for row in rows]


def has_event_ids(files: Iterable[Path], sources: list[Source]) -> bool:
    """Tell whether any file has an event id column: if so, staging wants an id in every row."""
    for path in files:
        try:
            names = names_of_columns(path) if ending(path) else []
            if any(is_found(source, names) for source in sources):
                return True
        except UnreadableFileError:
            continue
    return False


def mark_where_no_file_is_readable(rows: list[Row]) -> None:
    """Make unreadable files fatal where there is no other: nothing at all could be built."""
    reads = [row for row in rows if row["expectation"] == READABLE]
    for row in reads:
        row["is_fatal"] = not any(read["is_met"] for read in reads)


def result_line(rows: list[Row]) -> str:
    """Give the one line that a run ends in."""
    count_files = len({row["file_name"] for row in rows})
    if not count_files:
        return "nothing new to check"
    count_unmet = sum(not row["is_met"] for row in rows)
    checked = f"{count_files:,} file{'s' * (count_files != 1)} checked"
    return f"{checked}, {count_unmet:,} expectation{'s' * (count_unmet != 1)} not met"


def fatal_sentence(rows: list[Row]) -> str | None:
    """Give the sentence that stops the run: the file, the expectation, and what to do."""
    fatal = [row for row in rows if row["is_fatal"] and not row["is_met"]]
    if not fatal:
        return None
    first = fatal[0]
    more = f" (and {len(fatal) - 1:,} more like it)" if len(fatal) > 1 else ""
    if first["expectation"] == READABLE:
        cure = "land it again, or point DROPOFF_EVENTS elsewhere"
    else:
        cure = f"say in event_columns which column is {first['column_name']}, or take the file away"
    what = first["message"][0].lower() + first["message"][1:].rstrip(".")
    return f"{first['file_name']} does not meet {first['expectation']}{more}: {what}; {cure}."


def main(arguments: list[str] | None = None) -> int:
    """Read the arguments, check, print one line; give the exit code."""
    warehouse = os.environ.get("DROPOFF_WAREHOUSE", "warehouse.duckdb")
    parser = argparse.ArgumentParser(description="Check what has landed, file by file.")
    parser.add_argument("--events", default=os.environ.get("DROPOFF_EVENTS", "landing/events/*"))
    parser.add_argument("--interventions", default=os.environ.get("DROPOFF_INTERVENTIONS"))
    parser.add_argument("--seeds", default=os.environ.get("DROPOFF_SEEDS", "seeds"), type=Path)
    parser.add_argument(
        "--out", default=warehouse.removesuffix(".duckdb") + ".checks.ndjson", type=Path
    )
    parser.add_argument("--vars", default="", help="as for dbt: event_format, oldest_event_time …")
    given = parser.parse_args(arguments)
    if given.interventions is None:
        # the demo has a ledger, another app where it is named
        given.interventions = DEMO_INTERVENTIONS if given.events in DEMO_EVENTS else ""
    csv.field_size_limit(sys.maxsize)
    try:
        dbt_vars = given_vars(given.vars)
        columns = columns_of_events(dbt_vars)
        oldest_event_time = oldest_time(dbt_vars)
        line, fatal = check_landing(
            given.events, given.interventions, given.seeds, given.out, columns, oldest_event_time
        )
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(
            f"{error.filename or given.out} cannot be read or written ({error.strerror}); the "
            "checks are kept beside the warehouse, which DROPOFF_WAREHOUSE names.",
            file=sys.stderr,
        )
        return 2
    print(line)
    if fatal:
        print(fatal, file=sys.stderr)
    return 1 if fatal else 0


if __name__ == "__main__":
    sys.exit(main())
