"""A first settings folder for an app: looks at what has landed, guesses, and says why.

    python landing/new_app.py NAME --events PATTERN [--out FOLDER]

Writes the four settings files, the vars to build with (vars.yml), and GUESSES.md, where each guess
stands with its reason and its figures. The same rows, in any order, give the same files. Of more
than a million rows it looks at whole users, drawn by a hash. Nothing that is there is overwritten.

Exit codes: 0 written, 2 not possible (one sentence on stderr).
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import re
import shlex
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import duckdb
import jinja2
import pyarrow as pa

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "steps"))
from app import event_sources, is_found, project_vars, staging_module  # noqa: E402

# About so many rows: a guess takes seconds, and no share of it would move by a percent.
SAMPLE_ROWS = 1_000_000
# Enough to tell one tool's export from another's.
FORMAT_ROWS = 10_000
# The usual silence between two visits, and the var starter_join_seconds.
SILENCE_SECONDS, JOIN_SECONDS = 1_800, 60
# Settings are read by people; names rarer than these are steps all the same.
MOST_NAMES, MOST_COLUMNS = 1_000, 300
# Trackers lose a few rows of a hundred; calls that are no events have no name.
FILLED_SHARE, NAMED_SHARE, UNIQUE_SHARE, ROWS_PER_USER = 0.9, 0.5, 0.98, 1.5
# Later visits bring back half of what earlier ones had; a case goes on where it was.
CASE_REPEAT_SHARE, CASE_GAP_SECONDS = 1 / 3, 3_600
# A starter: its words and mostly first; or first nearly always, and often.
WORD_LEADS_SHARE, ANY_FIRST_SHARE, ANY_OPENS_SHARE = 0.5, 0.9, 0.05
ALONE_SHARE = 0.5
CONVERSION_REACH, LATE = (0.005, 0.6), 0.4
MOST_STAGES, FEWEST_STAGES, MOST_CANDIDATES = 6, 3, 16
# A stage that converting sessions may skip takes their conversion away.
PASSED_SHARE, KEPT_SHARE, KEPT_AT_LEAST = 0.5, 0.9, 0.5
COMPLETED_SHARE, ONLY_AFTER_SHARE = 0.6, 0.8

REQUIRED, TIMES = ("user_id", "event_name", "event_time"), ("event_time", "received_at")
# Names of columns without _ - : . $ and spaces, the best first.
SYNONYMS = {
    "user_id": "userid user uid distinctid customerid memberid accountid visitorid clientid "
    "userpseudoid domainuserid fullvisitorid personid playerid contactid profileid caseid "
    "caseconceptname case anonymousid deviceid cookieid",
    "event_name": "eventname event activity activityname action eventaction eventtype "
    "conceptname type name screen page",
    "event_time": "eventtime timestamp eventtimestamp ts time occurredat happenedat "
    "timetimestamp derivedtstamp clienttime createdat datetime date eventdate",
    "event_id": "eventid insertid messageid uuid eventuuid id hitid recordid rowid",
    "received_at": "receivedat receivedtime receivedtimestamp serverreceivedtime "
    "servertimestamp servertime collectortstamp ingestedat loadedat uploadtime",
    "platform": "platform os osname operatingsystem devicetype devicecategory device",
    "app_version": "appversion appversionname clientversion version release",
    "city": "city geocity locationcity town",
}
# Of the names in event_formats, those that say little of whose export it is, ours besides. So
# many of the others are two formats' own names by chance.
GENERIC = (
    "id uid uuid userId anonymous_id distinct_id device_id event event_type eventName ts timestamp "
    "created_at os_name channel"
)
FEWEST_OWN = 2
# Names that are none of our columns, and tell a format from one that shares its other names.
MARKS = {
    "rudderstack": "rudderId request_ip context.sessionId context_session_id context_request_ip"
}
OTHER_KEYS = re.compile("session|visit|order|product|item|page|url|amount|price|version")

STARTER = re.compile(
    r"\b(start(s|ed)?|open(s|ed)?|launch(ed)?|install(ed)?|log(ged)? ?in|sign(ed)? ?in|session"
    r"|landing|foreground(ed)?|(push|notification|e?mail|deep ?link) (click|tap)(ed|ped)?)\b"
)
TELEMETRY = re.compile(
    r"\b(device ?info|heart ?beat|config|ping|token|sdk|telemetry|metrics?|debug|logs?|perf"
    r"|performance|trace|keep ?alive|user properties)\b|^(user|identify|alias|group)$"
)
CHANNEL = re.compile(r"\b(push|notification|e ?mail|mail|sms|whatsapp|webhook|reminder)s?\b")
DELIVERY = re.compile(
    r"\b(fail(ed|ure)?|deliver(ed|y)|sent|send|bounced?|dropped|queued|received|suppressed)\b"
)
# What process logs (XES) append to a name, and which of it the system does.
LIFECYCLE = re.compile(r"[.+:](schedule|assign|reassign|suspend|resume|start|complete)$", re.I)
BY_SYSTEM = re.compile(r"[.+:](schedule|assign|reassign)$", re.I)
# The best first; those after STRONG say success only where the reach fits.
CONVERSIONS = [
    r"purchased?|order (completed?|placed|paid|success)|transaction|paid",
    r"payment (success(ful)?|succeeded|completed?|done)|checkout (completed?|success|done)",
    r"booked|booking (completed?|success)|subscribed?|subscription (started|created)|approved",
    r"thank ?you|converted|activated|sign ?up (completed?|success)|signed ?up|registered",
    r"confirm(ed|ation)|success(ful)?|completed?|accepted|finish(ed)?|submitted|done",
]
STRONG, NO_WORD = 3, len(CONVERSIONS)
NO_CONVERSION = re.compile(
    r"\b(fail|error|cancel|declin|reject|refus|abandon|start|begin|began|attempt|initiat|pending"
    r"|refund|remov|bug|log ?out|exit|close|end|unsub|uninstall)"
)
SHOWN = re.compile(r"\b(click(ed)?|tap(ped)?|button|view(ed)?|page|screen)\b")

Db = duckdb.DuckDBPyConnection


class NotPossibleError(Exception):
    """What was asked for cannot be: its text is the one sentence that is shown."""


class OneSentenceParser(argparse.ArgumentParser):
    """A parser that says in one sentence what is wrong."""

    def error(self, message: str) -> NoReturn:
        """Leave with exit code 2."""
        self.exit(2, f"new_app.py: {message}.\n")


@dataclass
class Column:
    """A landed column: its name, SQL for its text and its time, and what all rows say of it.

    A field within a column is one too, whose name is a path. The column of a format is named like
    ours, and `theirs` says what it is read from.
    """

    name: str
    text: str
    time: str
    rows: int = 0
    filled: int = 0
    distinct: int = 0
    times: int = 0
    median: float | None = None
    theirs: str = ""
    is_nested: bool = False

    @property
    def plain(self) -> str:
        """Its name, or that of the field, as SYNONYMS write it."""
        return plain(self.name.split(".")[-1] if self.is_nested else self.name)


@dataclass
class Rows:
    """Landed rows of one shape: SQL of them, the type of each column, and fields to look at.

    Those of all text files are of one shape, and have their columns in a JSON object, the payload.
    """

    sql: str
    types: dict[str, str]
    is_text: bool = False
    fields: list[str] = field(default_factory=list)


@dataclass
class Format:
    """How an event format fits: its sources, own names found of all, rows of those looked at."""

    name: str
    sources: dict[str, list[dict]]
    own: list[str]
    found: list[str] = field(default_factory=list)
    rows: int = 0
    fitting: int = 0

    @property
    def fits(self) -> bool:
        """Whether most rows have what an event needs, and enough names are the format's own."""
        return self.fitting >= NAMED_SHARE * self.rows and len(self.found) >= FEWEST_OWN


@dataclass
class Event:
    """A name of events: its words and what they hint at, the guessed role, why, and figures."""

    name: str
    rows: int
    words: str
    hint: str
    label: str = ""
    role: str = "step"
    why: str = ""
    figures: dict[str, float] = field(default_factory=dict)


@dataclass
class Funnel:
    """Stages as (event name, outcome), how many sessions reach each, and what was weighed."""

    stages: list[tuple[str, str]]
    reached: list[int]
    sessions: int
    why: str
    kept: float
    others: list[str]


# --- reading -------------------------------------------------------------------------------------


class ReturnedError(Exception):
    """What a macro returns, on its way to whoever called the macro."""


class Context(jinja2.runtime.Context):
    """Macros may return a value, as in dbt."""

    def call(self, called: Any, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        """Call, and take what is returned."""
        if called is ReturnedError:
            raise ReturnedError(*arguments)
        try:
            return super().call(called, *arguments, **named)
        except ReturnedError as returned:
            return returned.args[0]


class Macros:
    """Macros of the project as functions that give SQL, in DuckDB's dialect."""

    def __init__(self, *files: str) -> None:
        """Those of these files."""
        source = "".join((ROOT / "macros" / f"{name}.sql").read_text("utf-8") for name in files)
        environment = jinja2.Environment(extensions=["jinja2.ext.do"])
        environment.context_class = Context
        environment.globals |= {"return": ReturnedError, "adapter": self, "modules": {"re": re}}
        self.module = environment.from_string(source).module

    def dispatch(self, name: str) -> Callable[..., Any]:
        """The dialect of a macro, as dbt's adapter gives it."""
        own = f"duckdb__{name}"
        return getattr(self, own if hasattr(self.module, own) else f"default__{name}")

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """A macro, which may return a value."""
        macro = getattr(self.module, name)

        def call(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401
            try:
                return macro(*arguments, **named)
            except ReturnedError as returned:
                return returned.args[0]

        return call


@cache
def macros() -> Macros:
    """The project's own macros of texts, names and times."""
    return Macros("texts", "lists", "statistics", "landed_columns", "times")


def read(db: Db, pattern: str) -> list[Rows]:
    """Find what a glob or a folder holds, and make the table `records` of its text files.

    Raises NotPossibleError where no row can be read.
    """
    sql, listing = macros(), staging_module("base_app__landing_files")
    cutting = staging_module("base_app__cut_records")
    kinds = {path: listing.file_format(path) for path in listing.list_files(pattern)}
    text_files = [("events", path, kind, None) for path, kind in kinds.items()]
    records = cutting.batches([file for file in text_files if file[2] in cutting.RECORDS])
    db.register("cut", pa.RecordBatchReader.from_batches(cutting.SCHEMA, records))
    is_record = f"is_readable and {sql.is_json_object('payload')}"
    db.execute(f"create table records as select payload from cut where {is_record}")
    keys = db.execute("select distinct unnest(json_keys(payload)) from records").fetchall()
    shapes: dict[str, list[str]] = {}
    for path in (path for path, kind in kinds.items() if kind == "parquet"):
        described, _ = listing.describe_parquet(path, db)
        shapes.setdefault(described or "[]", []).append(path)
    found = []
    for described, files in sorted(shapes.items()):
        if types := dict(json.loads(described)):
            found.append(Rows(f"read_parquet({sql.file_list(sorted(files))})", types))
    if keys:
        types = dict.fromkeys(sorted(key for (key,) in keys), "VARCHAR")
        found.append(Rows("records", types, is_text=True))
    if not found:
        raise NotPossibleError(
            f"No file of {shown(pattern)} has a row that can be read; name a folder or a glob of "
            "parquet, ndjson or csv files."
        )
    return found


def land(db: Db, found: list[Rows]) -> list[Column]:
    """Make the view `landed` of all rows: texts c0, c1, ..., times t0, ... Returns the columns."""
    sql, sources = macros(), []
    for rows in found:
        cells = {name: (str(sql.sql_name(name)), kind) for name, kind in rows.types.items()}
        fields = {path: from_sources(rows, [{"column": path}]) for path in rows.fields}
        if rows.is_text:
            names = list(cells)[:MOST_COLUMNS]
            paths = ", ".join(str(sql.json_path(name)) for name in names)
            texts = f"json_extract_string(payload, [{paths}]) || [{', '.join(fields.values())}]"
            db.execute(f"create or replace table text_rows as select {texts} as cells from records")
            names += fields
            cells = {name: (f"cells[{n}]", "VARCHAR") for n, name in enumerate(names, start=1)}
        else:
            cells |= {path: (text, "VARCHAR") for path, text in fields.items()}
        sources.append(("text_rows" if rows.is_text else rows.sql, cells))
    names = sorted({name for _, cells in sources for name in cells})[:MOST_COLUMNS]
    selects = []
    for rows, cells in sources:
        parts = [
            as_cells(sql, n, *cells.get(name, ("''", "VARCHAR"))) for n, name in enumerate(names)
        ]
        selects.append(f"select {', '.join(parts)} from {rows}")
    db.execute(f"create or replace view landed as {' union all '.join(selects)}")
    nested = {path for rows in found for path in rows.fields}
    return [
        Column(name, f"c{n}", f"t{n}", is_nested=name in nested) for n, name in enumerate(names)
    ]


def find_fields(db: Db, found: list[Rows]) -> set[str]:
    """Fill in the fields within columns that are named like what an event needs.

    Returns the columns that they are in.
    """
    sql = macros()
    wanted = {synonym for ours in REQUIRED for synonym in SYNONYMS[ours].split()}
    names = {name for rows in found for name in rows.types}
    for rows in found:
        for name in (name for name in rows.types if "." not in name):
            json = sql.json_in_text(f"json_extract_string(payload, {sql.json_path(name)})")
            json = json if rows.is_text else sql.parquet_json({"column": name}, rows.types)
            keys = db.execute(
                f"select distinct unnest(json_keys(cell)) as key from (select {json} as cell "
                f"from {rows.sql}) where json_type(cell) = 'OBJECT' order by key"
            ).fetchall()
            paths = [f"{name}.{key}" for (key,) in keys if plain(key) in wanted and "." not in key]
            rows.fields += [path for path in paths if path not in names]
    return {path.split(".")[0] for rows in found for path in rows.fields}


def as_cells(sql: Any, number: int, cell: str, kind: str) -> str:  # noqa: ANN401
    """SQL of a column as text, null where blank, and as a time from 2000 on, by staging's rules."""
    text = sql.text_from_column(cell, kind)
    time = sql.timestamp_from_column(cell, kind)
    if kind == "VARCHAR":
        # most texts are no times, and their first letter says so
        time = sql.timestamp_from_text(f"regexp_replace({cell}, '[.]0$', '')")
        time = f"case when {cell} < ':' then {time} end"
    return (
        f"case when not {sql.is_blank(text)} then {text} end as c{number}, "
        f"case when {time} >= timestamp '2000-01-01' then {time} end as t{number}"
    )


def profile(db: Db, columns: list[Column]) -> int:
    """Fill in what all rows say of each column. Returns the number of rows.

    Raises NotPossibleError where there are none.
    """
    parts = ", ".join(
        f"count({c.text}), approx_count_distinct({c.text}), count({c.time}), "
        f"median(case when {c.text} between '0' and ':' then try_cast({c.text} as double) end)"
        for c in columns
    )
    rows, *figures = db.execute(f"select count(*), {parts} from landed").fetchone()
    if not rows:
        raise NotPossibleError("What has landed has columns, but no row; wait for some events.")
    for n, column in enumerate(columns):
        column.rows = rows
        column.filled, column.distinct, column.times, column.median = figures[4 * n : 4 * n + 4]
    return rows


# --- formats -------------------------------------------------------------------------------------


def from_sources(rows: Rows, sources: list[dict], is_time: bool = False) -> str:
    """SQL of what sources hold, as a build reads it: a text that may be blank, or a time."""
    sql = macros()
    if rows.is_text:
        return str((sql.json_timestamp if is_time else sql.json_text)(sources, "payload"))
    return str((sql.parquet_timestamp if is_time else sql.parquet_text)(sources, rows.types))


def is_there(value: str, is_time: bool = False) -> str:
    """SQL of whether a text is not blank, or a time is one from 2000 on."""
    is_time_there = f"coalesce({value} >= timestamp '2000-01-01', false)"
    return is_time_there if is_time else f"not {macros().is_blank(value)}"


def likely_formats(found: list[Rows]) -> list[Format]:
    """The formats that the names of what landed do not rule out, in the project's order."""
    names = {name for rows in found for name in rows.types}
    generic, formats = {*SYNONYMS, *GENERIC.split()}, []
    for name, mapped in project_vars()["event_formats"].items():
        sources = event_sources({"event_format": name, "event_columns": {}})
        own = [source["column"] for ours in mapped for source in sources[ours]]
        own = [*dict.fromkeys(own), *MARKS.get(name, "").split()]
        own = [column for column in own if column not in generic]
        needed = [any(is_found(source, names) for source in sources[ours]) for ours in REQUIRED]
        if all(needed) and sum(is_found({"column": c}, names) for c in own) >= FEWEST_OWN:
            formats.append(Format(name, sources, own))
    return formats


def recognise(db: Db, found: list[Rows]) -> tuple[Format | None, list[Format]]:
    """The event format that fits, or None, and the others that were weighed.

    A format fits where its sources have a user, an event's name and its time in half of the rows,
    and two names that are its own are filled in any row. The one with the most such names counts;
    of several, the first in the project file. Of many rows some are looked at, drawn by a hash.
    """
    formats = likely_formats(found)
    if not formats:
        return None, []
    counts = [db.execute(f"select count(*) from {rows.sql}").fetchone()[0] for rows in found]
    every = max(1, sum(counts) // FORMAT_ROWS)
    for rows in found:
        names = ["payload"] if rows.is_text else rows.types
        hashed = ", ".join(str(macros().sql_name(name)) for name in names)
        db.execute(
            f"create or replace table looked_at as select * from {rows.sql} "
            f"where hash({hashed}) % {every} = 0"
        )
        for one in formats:
            weigh(db, rows, one)
    best = max((one for one in formats if one.fits), key=lambda one: len(one.found), default=None)
    return best, [one for one in formats if one is not best]


def weigh(db: Db, rows: Rows, one: Format) -> None:
    """Add to what is known of a format what the rows in the table `looked_at` say of it."""
    needed = {ours: ours in TIMES for ours in REQUIRED}
    values = [from_sources(rows, one.sources[ours], is_time) for ours, is_time in needed.items()]
    fitting = " and ".join(is_there(f"v{n}", t) for n, t in enumerate(needed.values()))
    counts = ["count(*)", f"count(*) filter (where {fitting})"]
    for n, column in enumerate(one.own, start=len(values)):
        values.append(from_sources(rows, [{"column": column}]))
        counts.append(f"count(*) filter (where {is_there(f'v{n}')})")
    inner = ", ".join(f"{value} as v{n}" for n, value in enumerate(values))
    query = f"select {', '.join(counts)} from (select {inner} from looked_at)"
    count, count_fitting, *filled = db.execute(query).fetchone()
    one.rows += count
    one.fitting += count_fitting
    here = [column for column, times in zip(one.own, filled, strict=True) if times]
    one.found = [column for column in one.own if column in here or column in one.found]


def land_format(db: Db, found: list[Rows], chosen: Format) -> list[Column]:
    """Make the table `landed` of our columns, read by the sources of a format. Returns them."""
    is_time = {ours: ours in TIMES for ours in chosen.sources}
    selects = []
    for rows in found:
        inner = ", ".join(
            f"{from_sources(rows, sources, is_time[ours])} as v{n}"
            for n, (ours, sources) in enumerate(chosen.sources.items())
        )
        outer = ", ".join(
            f"case when {is_there(f'v{n}', t)} then v{n} end as {'t' if t else 'c'}{n}, "
            f"cast(null as {'varchar' if t else 'timestamp'}) as {'c' if t else 't'}{n}"
            for n, t in enumerate(is_time.values())
        )
        selects.append(f"select {outer} from (select {inner} from {rows.sql})")
    db.execute(f"create table landed as {' union all by name '.join(selects)}")
    return [
        Column(ours, f"c{n}", f"t{n}", theirs=", else ".join(dict.fromkeys(map(as_read, sources))))
        for n, (ours, sources) in enumerate(chosen.sources.items())
    ]


def as_read(source: dict) -> str:
    """A source as Markdown: its name, and how its times are written."""
    written = source.get("format") or source.get("unit")
    return code(source["column"]) + (f" ({code(written)})" if written else "")


def columns_of_format(db: Db, columns: list[Column]) -> tuple[dict[str, Column], dict[str, str]]:
    """What `choose_columns` returns, for the columns of a format: those that are filled."""
    chosen = {column.name: column for column in columns if column.filled or column.times}
    why = {}
    for column in columns:
        share = (column.filled + column.times) / column.rows
        kind = "a time from 2000 on" if column.name in TIMES else "filled"
        problem = unfit(db, column.name, column) or f"is {kind} in {share:.0%} of the rows"
        how = f"by the format; {problem}"
        why[column.name] = how if column.name in chosen else "the format finds none here"
    return chosen, why


def checks_of_format(
    db: Db, recognised: Format, others: list[Format], chosen: dict[str, Column]
) -> list[str]:
    """What to check first where a format was recognised: the format itself, and its times."""
    user, name, time = (chosen[ours] for ours in REQUIRED)
    query = (
        "select count(*) filter (where {0} is not null and {1} is not null and {2} is not null), "
        "count(*), bool_and({2} = date_trunc('second', {2})) from landed"
    )
    query = query.format(user.text, name.text, time.time)
    fitting, rows, is_whole = db.execute(query).fetchone()
    weighed = ", ".join(
        f"{code(one.name)} ({len(one.found)} of {len(one.own)} names, "
        f"{one.fitting / max(one.rows, 1):.0%} of the rows)"
        for one in others
        if one.found or one.fitting
    )
    own = ", ".join(map(code, recognised.found[:8])) + (", …" if recognised.found[8:] else "")
    checks = [
        f"**The format** is guessed to be {code(recognised.name)} (the var `event_format`, "
        f"docs/event-formats.md): a user, an event's name and its time are found in {fitting:,} of "
        f"{rows:,} rows by it, and {len(recognised.found)} of the {len(recognised.own)} names that "
        f"tell it: {own}. "
        + (
            f"Also weighed: {weighed}; the most names count, and of several the first."
            if weighed
            else "No other came near."
        )
    ]
    clocks = [s for s in recognised.sources["event_time"] if "%z" not in s.get("format", "%z")]
    if any("timezone" not in source for source in clocks):
        checks.append(
            f"**Time zone**: {code(clocks[0]['column'])} names no offset and may be the clock of "
            "the account's zone, but UTC is assumed; docs/event-formats.md says how to name yours."
        )
    elif "received_at" in chosen and is_received_before(db, chosen):
        checks.append(
            "**Time zone**: most events happen after they were received, so their times may be "
            "those of another zone; docs/event-formats.md says how to name yours."
        )
    if is_whole:
        checks.append(
            "**Order**: all event times are whole seconds, and what came first within one is not "
            "known; docs/event-formats.md says where finer ones can be had."
        )
    return checks


# --- columns -------------------------------------------------------------------------------------


def plain(name: str) -> str:
    """A name as SYNONYMS write it."""
    return re.sub(r"[\W_]", "", name).lower()


def epoch_unit(column: Column) -> str | None:
    """What a column's digits look like where they are times, but no epoch milliseconds."""
    for unit, per_second in (("seconds", 1), ("microseconds", 1e6), ("nanoseconds", 1e9)):
        # from 2000 to 2100
        if column.median and 946_684_800 <= column.median / per_second < 4_102_444_800:
            return unit
    return None


def unfit(db: Db, ours: str, column: Column) -> str | None:
    """Why the content of a column cannot be ours, or None."""
    filled, distinct = column.filled, f"{column.distinct:,} values in {column.filled:,} rows"
    if ours in TIMES:
        if column.times >= (FILLED_SHARE if ours == "event_time" else NAMED_SHARE) * column.rows:
            return None
        if unit := epoch_unit(column):
            return f"looks like epoch {unit}, and dropoff reads epoch milliseconds"
        return f"is a time from 2000 on in {column.times / column.rows:.0%} of the rows"
    least = {"user_id": FILLED_SHARE, "event_id": FILLED_SHARE, "event_name": NAMED_SHARE}
    if filled < least.get(ours, 0) * column.rows or not filled:
        return f"is filled in {filled / column.rows:.0%} of the rows"
    if ours == "user_id" and filled < ROWS_PER_USER * column.distinct:
        return f"has {distinct}: hardly any comes twice"
    if ours == "event_name" and column.distinct > max(1, min(filled / 2, 5_000)):
        return f"has {distinct}: too many for names"
    if ours == "event_id":
        (unique,) = db.execute(f"select count(distinct {column.text}) from landed").fetchone()
        return None if unique >= UNIQUE_SHARE * filled else f"is not unique, {unique / filled:.0%}"
    is_context = ours in ("platform", "app_version", "city")
    return f"has {distinct}" if is_context and column.distinct > filled / 2 else None


def choose_columns(db: Db, columns: list[Column]) -> tuple[dict[str, Column], dict[str, str]]:
    """Find our columns: by name where the content fits, the required ones else by content alone.

    Returns (ours -> column, ours -> why). Raises NotPossibleError where a required one is missing.
    """
    chosen: dict[str, Column] = {}
    why: dict[str, str] = {}
    for ours, synonyms in SYNONYMS.items():
        order = synonyms.split()
        named = [c for c in columns if c.plain in order and c not in chosen.values()]
        problems = []
        named.sort(key=lambda c: (c.is_nested, order.index(c.plain), c.name != ours, c.name))
        for column in named:
            problem = unfit(db, ours, column)
            if not problem:
                chosen[ours] = column
                break
            problems.append(f"{code(column.name)} {problem}")
        how = "by its name" if ours in chosen else "left out" if problems else "no name fits"
        why[ours] = "; ".join([how, *problems])
    if "received_at" in chosen and "event_time" in chosen and is_received_before(db, chosen):
        before = f"{code(chosen.pop('received_at').name)} is mostly before the event"
        why["received_at"] = f"left out; {before}"
    for ours in ("event_time", "user_id", "event_name"):
        if ours not in chosen and (column := by_content(db, ours, columns, chosen)):
            chosen[ours] = column
            why[ours] = why[ours].replace("left out", "no name fits") + "; by its content alone"
    if missing := [ours for ours in REQUIRED if ours not in chosen]:
        is_time = "event_time" in missing
        units = [f"; {shown(c.name, 40)} looks like epoch {epoch_unit(c)}, where milliseconds are "
                 "read" for c in columns if is_time and c.plain in SYNONYMS["event_time"].split()
                 and epoch_unit(c)]  # fmt: skip
        seen = shown(", ".join(shown(column.name, 40) for column in columns), 400)
        raise NotPossibleError(
            f"No column could be found for {' and '.join(missing)} (seen: {seen}{''.join(units)}); "
            "rename it in what lands, or write the settings by hand and name it in the var "
            "event_columns, like {user_id: distinct_id}."
        )
    return chosen, why


def is_received_before(db: Db, chosen: dict[str, Column]) -> bool:
    """Whether most events were received before they happened."""
    time, received = chosen["event_time"].time, chosen["received_at"].time
    query = f"select count(*) from landed where {time} > {received} + interval 5 minutes"
    return db.execute(query).fetchone()[0] > chosen["event_time"].times / 2


def by_content(
    db: Db, ours: str, columns: list[Column], chosen: dict[str, Column]
) -> Column | None:
    """The column whose content is most like ours, or None."""
    left = [c for c in columns if c not in chosen.values() and not c.is_nested]
    left = [c for c in left if not unfit(db, ours, c)]
    if ours != "event_time":
        left = [c for c in left if c.times < c.rows / 2 and not OTHER_KEYS.search(c.plain)]
        left = [c for c in left if c.distinct > 1]
    if ours == "event_name":
        left = [c for c in left if c.median is None and "user_id" in chosen]
    if not left:
        return None
    # An event happens before it is stored; there are more users than kinds of anything; and of
    # what has few values, a user does more kinds of things than they have platforms or cities.
    user = chosen["user_id"].text if "user_id" in chosen else "null"
    measure = {
        "event_time": "epoch(median({time}))",
        "user_id": "-count(distinct {text})",
        "event_name": "-count(distinct ({user}, {text}))",
    }[ours]
    parts = [measure.format(time=column.time, text=column.text, user=user) for column in left]
    values = db.execute(f"select {', '.join(parts)} from landed").fetchone()
    return min(zip(values, left, strict=True), key=lambda pair: (pair[0], pair[1].name))[1]


# --- events and their roles ----------------------------------------------------------------------


def words_of(name: str) -> str:
    """A name in lower case, its words (camelCase, too) parted by spaces."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return re.sub(r"[\W_]+", " ", parted).strip().lower()


def label_of(name: str) -> str:
    """A name as a person would write it: select_seat, Select seat; A_SUBMITTED, A submitted."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_\-.:]+", " ", printable(name)).split()
    keep = not name.isupper()  # OTP within a name of lower case
    text = " ".join(w if keep and w.isupper() and len(w) < 4 else w.lower() for w in words)
    return shown(text[:1].upper() + text[1:] if text else name)


def hint_of(words: str) -> str:
    """The role that the words of a name hint at, or nothing."""
    if CHANNEL.search(words) and DELIVERY.search(words):
        return "ambient"
    return "telemetry" if TELEMETRY.search(words) else "starter" if STARTER.search(words) else ""


def read_events(db: Db, chosen: dict[str, Column], rows: int) -> tuple[list[Event], float]:
    """Make the table `events` (u, n, ts, i) of whole users.

    Returns (names of all rows, the most frequent first; the share of users taken).
    """
    user, name, time = (chosen[ours] for ours in REQUIRED)
    share = min(1.0, SAMPLE_ROWS / rows)
    tie = chosen["event_id"].text if "event_id" in chosen else "''"
    db.execute(
        f"create table events as select {user.text} as u, {name.text} as n, {time.time} as ts, "
        f"{tie} as i from landed where u is not null and n is not null and ts is not null "
        f"and md5_number_lower(u) % 100000 < {share * 100_000}"
    )
    # a settings file with a zero byte in it is none
    counts = db.execute(
        f"select {name.text} as n, count(*) as rows from landed where n is not null "
        f"and not contains(n, chr(0)) group by n order by rows desc, n limit {MOST_NAMES}"
    ).fetchall()
    is_log = sum(bool(LIFECYCLE.search(name)) for name, _ in counts) > 0.8 * len(counts)
    names = []
    for name, count in counts:
        words = words_of(LIFECYCLE.sub("", name) if is_log else name)
        hint = "telemetry" if is_log and BY_SYSTEM.search(name) else hint_of(words)
        names.append(Event(name, count, words, hint, label_of(name)))
    labels = [event.label for event in names]
    for event in names:
        event.label = printable(event.name) if labels.count(event.label) > 1 else event.label
    return names, share


def cut_visits(db: Db, names: list[Event]) -> dict[str, Any]:
    """Make the table `visits` (events with p, their order, and v), cut at silences.

    A case (a loan application, a ticket) is one visit however long it is silent. Its pace tells,
    or that its later parts hardly do again what the earlier ones did. Returns the figures.
    """
    db.execute("create table hints (n varchar, hint varchar)")
    db.executemany("insert into hints values (?, ?)", [(e.name, e.hint) for e in names])
    db.execute(f"""
        create table visits as
        with gaps as (
            select *, row_number() over w as p, epoch(ts) - epoch(lag(ts) over w) as gap
            from events window w as (partition by u order by ts, i, n)
        )
        select u, n, ts, p, gap, coalesce(hint, '') as hint,
            sum(case when gap <= {SILENCE_SECONDS} then 0 else 1 end)
                over (partition by u order by p) as v
        from gaps left join hints using (n)
    """)
    result = db.execute("""
        with pairs as (select u, n, count(distinct v) as times from visits group by all),
        users as (select u, max(v) as count_visits from visits group by u)
        select (select count(*) from visits) as events, (select count(*) from users) as users,
            (select coalesce(median(gap), 0) from visits) as gap,
            avg(case when times > 1 then 1 else 0 end) as repeated
        from pairs inner join users using (u) where count_visits > 1
    """)
    figures = dict(zip([c[0] for c in result.description], result.fetchone(), strict=True))
    repeated = 1 if figures["repeated"] is None else figures["repeated"]
    figures["is_case"] = figures["gap"] >= CASE_GAP_SECONDS or repeated < CASE_REPEAT_SHARE
    db.execute("""
        create table alone as
        with silences as (
            select u, v, cast(bool_and(hint = 'ambient') as integer) as is_alone
            from visits group by all
        )
        select n, avg(is_alone) as alone
        from visits inner join silences using (u, v) group by n
    """)
    if figures["is_case"]:
        db.execute("update visits set v = 1")
    return figures


def guess_roles(db: Db, names: list[Event]) -> None:
    """Give each event its role, the reason and the figures it rests on, shares all of them.

    reach: visits with it. alone: of its rows, those with nothing a person did between two silences.
    leads, first: of its rows, those before any step of the visit, and the first of it. opens:
    visits whose first it is.
    """
    rows = db.execute("""
        with firsts as (
            select u, v,
                min(p) filter (where hint not in ('ambient', 'telemetry')) as first_act,
                min(p) filter (where hint = '') as first_step
            from visits group by all
        ),
        counts as (select count(*) as visits, greatest(count(first_act), 1) as acted from firsts)
        select n, count(distinct (u, v)) / any_value(visits), any_value(alone),
            avg(case when p <= coalesce(first_step, p) then 1 else 0 end),
            avg(case when p = first_act then 1 else 0 end),
            count(*) filter (where p = first_act) / any_value(acted)
        from visits inner join firsts using (u, v) inner join alone using (n), counts
        group by n
    """).fetchall()
    keys = ("reach", "alone", "leads", "first", "opens")
    figures = {row[0]: dict(zip(keys, row[1:], strict=True)) for row in rows}
    for event in names:
        event.figures = figures.get(event.name, dict.fromkeys(keys, 0.0))
        event.role, event.why = role_of(event)
    if all(event.role != "step" for event in names):
        names[0].role, names[0].why = "step", "the most frequent, and something has to be a step"


def role_of(event: Event) -> tuple[str, str]:
    """The role of an event and why; no reason where nothing speaks for another role."""
    is_ = event.figures
    leads = f"{is_['leads']:.0%} of them come before any step of a visit"
    alone = f"{is_['alone']:.0%} of them come with nothing a person did"
    if event.hint == "telemetry":
        return "telemetry", "its words: the app or the system talking"
    if event.hint == "ambient" and is_["alone"] >= ALONE_SHARE:
        return "ambient", f"its words, and {alone}"
    if event.hint == "starter" and is_["leads"] >= WORD_LEADS_SHARE:
        return "starter", f"its words, and {leads}"
    if is_["first"] >= ANY_FIRST_SHARE and is_["opens"] >= ANY_OPENS_SHARE:
        first = f"{is_['first']:.0%} of them come first in a visit"
        return "starter", f"{first}, and it opens {is_['opens']:.0%} of the visits"
    if event.hint:
        told = leads if event.hint == "starter" else alone
        return "step", f"named like {event.hint} events, but only {told}"
    if event.name[0] in "_$":
        return (
            "step",
            f"begins with {event.name[0]}, as what an app sends by itself may: telemetry?",
        )
    return "step", ""


def how_sessions_begin(names: list[Event], visits: dict[str, Any]) -> tuple[bool, str]:
    """Whether silence is to open sessions (session_timeout_minutes), and why."""
    starters = [event for event in names if event.role == "starter"]
    opens = sum(event.figures["opens"] for event in starters)
    told = " and ".join(code(event.name) for event in starters[:6]) or "no event: none is a starter"
    told = f"begin at {told}" + (f"; these open {opens:.0%} of the visits" if starters else "")
    pace = f"The median gap between two events of a user is {visits['gap']:,.0f} s"
    if visits["repeated"] is not None:
        pace += f", and {visits['repeated']:.0%} of what a user did came in more than one visit"
    if visits["is_case"]:
        return False, (
            f"{told}. These look like cases that go on for hours or days, such as applications, "
            f"no visits: so session_timeout_minutes is not set, which would cut them. {pace}."
        )
    if opens >= WORD_LEADS_SHARE:
        return False, f"{told}. Silence opens none. {pace}."
    minutes = SILENCE_SECONDS // 60
    return True, f"{told}. So silence of {minutes} minutes does (session_timeout_minutes). {pace}."


# --- the funnel ----------------------------------------------------------------------------------


def cut_sessions(db: Db, names: list[Event], timeout: bool) -> int:
    """Make the tables `acts` (s, p, n, ts: starters and steps) and `firsts` of sessions.

    Near what a build cuts: copies and rows it rejects are still among them. Returns their number.
    """
    db.execute("create table roles (n varchar, role varchar)")
    db.executemany("insert into roles values (?, ?)", [(e.name, e.role) for e in names])
    joins = f"coalesce(before = 'starter' and gap <= {JOIN_SECONDS}, false)"
    is_silent = f"gap > {SILENCE_SECONDS}" if timeout else "false"
    db.execute(f"""
        create table acts as
        with typed as (
            select visits.* exclude (gap), coalesce(role, 'step') as role
            from visits left join roles using (n)
        ),
        acted as (
            select *, lag(role) over w as before, epoch(ts) - epoch(lag(ts) over w) as gap
            from typed where role in ('starter', 'step')
            window w as (partition by u order by p)
        ),
        opened as (
            select *, gap is null or {is_silent} or (role = 'starter' and not {joins}) as opens
            from acted
        ),
        begun as (
            select *, max(case when opens then p end) over (partition by u order by p) as begun_at
            from opened
        )
        select dense_rank() over (order by u, begun_at) as s, p, n, ts, role from begun
    """)
    db.execute("""
        create table firsts as
        with ends as (select s, min(p) as low, max(p) as high from acts group by s)
        select s, n, min(p) as p, min(ts) as ts,
            (min(p) - any_value(low)) / greatest(any_value(high - low), 1) as late
        from acts inner join ends using (s) group by s, n
    """)
    return db.execute("select count(distinct s) from acts").fetchone()[0]


def guess_conversion(db: Db, names: list[Event], sessions: int) -> tuple[str, str, list[str]]:
    """The event that is success, why, and what else it could be.

    By the words and the reach of a name, then by its words alone; else, of those with a fitting
    reach, what comes last in its sessions.
    """
    rows = db.execute("select n, count(*), median(late) from firsts group by n").fetchall()
    found = {name: (count / sessions, late) for name, count, late in rows}
    steps = [e for e in names if e.role == "step" and e.name in found] or names
    ranked = []
    for event in steps:
        share, late = found.get(event.name, (0.0, 0.0))
        is_likely = CONVERSION_REACH[0] <= share <= CONVERSION_REACH[1] and late >= LATE
        is_bad = bool(NO_CONVERSION.search(event.words))
        matches = [n for n, w in enumerate(CONVERSIONS) if re.search(rf"\b({w})\b", event.words)]
        word = NO_WORD if is_bad or not matches else matches[0]
        word = word if is_likely or word < STRONG else NO_WORD
        is_shown = bool(SHOWN.search(event.words)) and word < NO_WORD
        rank = (word == NO_WORD, not is_likely, is_bad, is_shown, word, -late, share, event.name)
        ranked.append(rank)
    ranked.sort()
    name = ranked[0][-1]
    share, late = found.get(name, (0.0, 0.0))
    why = "no name says success, and it comes last" if ranked[0][0] else "its words"
    others = [rank[-1] for rank in ranked[1:4] if not rank[0]]
    return (
        name,
        f"{why}; {share:.1%} of the sessions reach it, {late:.0%} of the way through",
        others,
    )


def reached(db: Db, chain: list[str], acts: str) -> list[int]:
    """Sessions that reach each stage of an ordered funnel of one event a stage."""
    steps = [f"r0 as (select s, -1 as p from {acts} group by s)"]
    for k in range(1, len(chain) + 1):
        later = f"r{k - 1} inner join {acts} using (s) where n = ${k} and {acts}.p > r{k - 1}.p"
        steps.append(f"r{k} as materialized (select s, min({acts}.p) as p from {later} group by s)")
    counts = ", ".join(f"(select count(*) from r{k})" for k in range(1, len(chain) + 1))
    return list(db.execute(f"with {', '.join(steps)} select {counts}", chain).fetchone())


def guess_funnel(db: Db, names: list[Event], sessions: int) -> Funnel:
    """One funnel: what converting sessions pass, in their order, the conversion, what follows it.

    A stage is taken while nine of ten conversions still pass all stages in order; up to the third
    stage half will do. Of too many stages those go at which the fewest sessions are lost.
    """
    conversion, why, others = guess_conversion(db, names, sessions)
    db.execute(
        "create table converting as select acts.*, goals.p as goal, goals.ts as goal_ts, "
        "min(acts.p) over (partition by acts.s) as low from acts inner join firsts as goals "
        "on acts.s = goals.s and goals.n = $1 where role = 'step' or acts.n = $1",
        [conversion],
    )
    rows = db.execute(
        """
        with passed as (
            select n, s, min(p) < any_value(goal) as is_before,
                min(ts) > any_value(goal_ts) as is_after, min(p) - any_value(low) as distance
            from converting where n != $1 group by n, s
        ),
        occurring as (select n, count(*) as sessions from firsts group by n),
        goals as (select count(*) as goals from firsts where n = $1)
        select n, count(*) filter (where is_before) / any_value(goals),
            coalesce(median(distance) filter (where is_before), 0),
            count(*) filter (where is_after) / any_value(goals),
            count(*) filter (where is_after) / any_value(sessions)
        from passed inner join occurring using (n), goals group by n
        """,
        [conversion],
    ).fetchall()
    after = [r for r in rows if r[3] >= COMPLETED_SHARE and r[4] >= ONLY_AFTER_SHARE]
    after = [r[0] for r in sorted(after, key=lambda r: (-r[3], r[0]))][:1]
    passed = [r for r in rows if r[1] >= PASSED_SHARE and r[0] not in after]
    place = {r[0]: (r[2], -r[1], r[0]) for r in passed}
    left = [r[0] for r in sorted(passed, key=lambda r: (-r[1], r[2], r[0]))][:MOST_CANDIDATES]

    def kept(stages: list[str]) -> float:
        counts = reached(db, [conversion], "converting")
        return reached(db, [*stages, conversion], "converting")[-1] / max(counts[0], 1)

    before: list[str] = []
    for name in left:
        longer = sorted([*before, name], key=place.get)
        before = longer if kept(longer) >= KEPT_SHARE else before
    while len(before) + 1 + len(after) < FEWEST_STAGES and len(before) < len(left):
        longer = [sorted([*before, name], key=place.get) for name in left if name not in before]
        share, best = max((kept(stages), stages) for stages in longer)
        if share < KEPT_AT_LEAST:
            break
        before = best
    chain = [*before, conversion, *after]
    counts = reached(db, chain, "acts")
    while len(chain) > MOST_STAGES:
        middle = range(1, len(before))
        del before[max(middle, key=lambda n: (counts[n] / max(counts[n - 1], 1), n))]
        chain = [*before, conversion, *after]
        counts = reached(db, chain, "acts")
    outcomes = [""] * len(before) + ["conversion", "completion"][: 1 + len(after)]
    stages = list(zip(chain, outcomes, strict=True))
    return Funnel(stages, counts, sessions, why, kept(before), others)


# --- what is written -----------------------------------------------------------------------------


def printable(text: str) -> str:
    """A text on one line; what does not print is a space."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split()) or "?"


def shown(text: str, length: int = 80) -> str:
    """A text on one line and short enough for a sentence."""
    line = printable(text)
    return line if len(line) <= length else line[: length - 1] + "…"


def code(text: str) -> str:
    """A text as Markdown code, in a table too: nothing in it is markup."""
    line = shown(text).replace("|", "\\|")
    if "`" not in line:
        return f"`{line}`"
    fence = "`" * (1 + max(len(run) for run in re.findall("`+", line)))
    return f"{fence} {line} {fence}"


def table(rows: list[tuple]) -> str:
    """The body of a Markdown table."""
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


def csv_text(header: str, rows: list[tuple]) -> str:
    """Rows as CSV, as macros/check_settings.sql reads it."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([header.split(","), *rows])
    return file.getvalue()


def settings(names: list[Event], funnel: Funnel) -> dict[str, str]:
    """The four settings files by name."""
    labels = {event.name: event.label for event in names}
    stages: dict[str, tuple] = {}
    for number, (name, outcome) in enumerate(funnel.stages, start=1):
        stage = re.sub(r"\W+", "_", labels[name].lower()).strip("_") or "stage"
        stage = f"{stage}_{number}" if stage in stages else stage
        stages[stage] = ("main", "Main", number, stage, labels[name], name, outcome)
    funnels = "funnel,is_primary,order_mode,conversion_window_seconds,starters"
    funnel_stages = "funnel,phase,stage_order,stage,label,event_name,outcome"
    types = [(event.name, event.role, event.label) for event in names]
    return {
        "event_types.csv": csv_text("event_name,role,label", types),
        "funnels.csv": csv_text(funnels, [("main", "true", "ordered", "", "(all)")]),
        "funnel_stages.csv": csv_text(funnel_stages, list(stages.values())),
        "playbook.csv": csv_text("stage,stuck_after_seconds,suggestion,intervention", []),
    }


def yaml_text(text: str) -> str:
    """A text for one line of YAML that make and the shell leave as it is."""
    kept = (c if re.match(r"[A-Za-z0-9_ .:-]", c) else f"\\U{ord(c):08X}" for c in text)
    return f'"{"".join(kept)}"'


def vars_line(chosen: dict[str, Column], timeout: bool, recognised: Format | None) -> str:
    """The vars as one YAML flow mapping, for VARS="$(cat vars.yml)"."""
    other = [f"{ours}: {yaml_text(c.name)}" for ours, c in chosen.items() if c.name != ours]
    parts = [f"event_format: {yaml_text(recognised.name)}"] if recognised else []
    parts += [f"event_columns: {{{', '.join(other)}}}"] if other else []
    parts += [f"session_timeout_minutes: {SILENCE_SECONDS // 60}"] if timeout else []
    return f"{{{', '.join(parts)}}}\n"


PAGE = """# What was guessed for {name}

From {landed}. **Every line here is a guess** of `landing/new_app.py`, made from names and from how
often and when events come; nobody has looked at it. Do, and edit the files beside this page. The
figures are near those of a build, which leaves out copies and bad rows first.

## Check first

{checks}

## Columns

| ours | yours | why |
| --- | --- | --- |
{columns}

Where there is no event id, dropoff makes one from the row.

## The funnel

| stage | event | outcome | sessions | share |
| --- | --- | --- | --- | --- |
{stages}

Of {sessions} sessions. Stages are steps that at least {passed:.0%} of the converting sessions pass
before they convert, in the order in which they first come there.

## Roles

| event | role | label | rows | in visits | why |
| --- | --- | --- | --- | --- | --- |
{roles}

A visit lies between two silences of half an hour; a case is one visit.
"""


def page(
    name: str,
    landed: str,
    columns: tuple[dict[str, Column], dict[str, str]],
    first: list[str],
    begin: str,
    names: list[Event],
    funnel: Funnel,
) -> str:
    """GUESSES.md: what to check first, then each guess with its reason and its figures."""
    chosen, why = columns
    goal = code(next(stage for stage, outcome in funnel.stages if outcome == "conversion"))
    others = f" It could also be {' or '.join(map(code, funnel.others))}." if funnel.others else ""
    checks = [
        *first,
        f"**Success** is guessed to be {goal}: {funnel.why}.{others} Every rate of conversion "
        "hangs on it: the outcome `conversion` in `funnel_stages.csv`.",
        f"**Stages**: {funnel.kept:.0%} of the sessions with {goal} pass all stages before it in "
        "this order; only they count as converted. Take out a stage that people may skip, or give "
        "it more event names, one a row.",
        f"**Sessions** {begin} A starter that is none cuts sessions in two.",
    ]
    if doubtful := [code(event.name) for event in names if event.role == "step" and event.why]:
        checks.append(f"**Roles** that are least sure: {', '.join(doubtful[:12])}. Why: below.")
    for ours in ("event_id", "received_at"):
        if ours not in chosen and f"`{ours}`" in why[ours]:
            checks.append(
                f"**{ours}** {why[ours]}. A build reads it all the same, for it bears our name, "
                "and rejects rows by it: rename it in what lands."
            )
    counted = zip(funnel.stages, funnel.reached, strict=True)
    stages = [
        (number, code(stage), outcome, f"{count:,}", f"{count / max(funnel.sessions, 1):.1%}")
        for number, ((stage, outcome), count) in enumerate(counted, start=1)
    ]
    theirs = {ours: column.theirs or code(column.name) for ours, column in chosen.items()}
    roles = [
        (code(e.name), e.role, code(e.label), f"{e.rows:,}", f"{e.figures['reach']:.1%}", e.why)
        for e in names
    ]
    return PAGE.format(
        name=name,
        landed=landed,
        checks="\n".join(f"{number}. {check}" for number, check in enumerate(checks, start=1)),
        columns=table([(f"`{ours}`", theirs.get(ours, ""), why[ours]) for ours in SYNONYMS]),
        stages=table(stages),
        sessions=f"{funnel.sessions:,}",
        passed=PASSED_SHARE,
        roles=table(roles),
    )


def new_app(name: str, pattern: str, out: Path) -> str:
    """Guess and write. Returns what to tell the user. Raises NotPossibleError and OSError."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise NotPossibleError(f"{out} is there and not empty; name another folder with --out.")
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(f"{folder}/new_app.duckdb") as db:
        db.execute("set timezone = 'UTC'")
        found = read(db, pattern)
        recognised, others = recognise(db, found)
        first = []
        if recognised:
            columns = land_format(db, found, recognised)
            rows = profile(db, columns)
            chosen, why = columns_of_format(db, columns)
            first = checks_of_format(db, recognised, others, chosen)
        else:
            columns = land(db, found)
            rows = profile(db, columns)
            try:
                chosen, why = choose_columns(db, columns)
            except NotPossibleError:
                objects = find_fields(db, found)
                if not objects:
                    raise
                columns = [column for column in land(db, found) if column.name not in objects]
                profile(db, columns)
                chosen, why = choose_columns(db, columns)
        names, share = read_events(db, chosen, rows)
        visits = cut_visits(db, names)
        guess_roles(db, names)
        timeout, begin = how_sessions_begin(names, visits)
        funnel = guess_funnel(db, names, cut_sessions(db, names, timeout))
    events = f"{visits['events']:,} events of {visits['users']:,} users"
    sample = "" if share == 1 else f" ({share:.1%} of the users, drawn by a hash)"
    landed = f"{rows:,} rows of {code(pattern)}: {events}{sample}"
    files = settings(names, funnel) | {
        "vars.yml": vars_line(chosen, timeout, recognised),
        "GUESSES.md": page(name, landed, (chosen, why), first, begin, names, funnel),
    }
    out.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        (out / file).write_text(text, encoding="utf-8", newline="")
    roles = [event.role for event in names]
    counts = ", ".join(f"{roles.count(r)} {r}" for r in ("starter", "step", "telemetry", "ambient"))
    path = shlex.quote(str(out))
    told = f"Recognised the event format {recognised.name}.\n" if recognised else ""
    return f"""{told}{events}{sample}; names by role: {counts}.
The funnel: {" > ".join(shown(stage, 40) for stage, _ in funnel.stages)}.
All of this is guessed: {out}/GUESSES.md says why, and what to check first. Then:

  make run DROPOFF_EVENTS={shlex.quote(pattern.replace("$", "$$"))} DROPOFF_SEEDS={path} \\
    DROPOFF_WAREHOUSE={name}.duckdb VARS="$(cat {path}/vars.yml)\""""


def to_name(text: str) -> str:
    """Read a name that can be that of a folder and a file."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", text):
        raise argparse.ArgumentTypeError(f"{shown(text)!r} is no name of letters, digits, _ and -")
    return text


def main(arguments: list[str] | None = None) -> int:
    """Read the arguments, guess, and tell in one sentence what is not possible."""
    parser = OneSentenceParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", type=to_name, help="of the app: shop")
    parser.add_argument("--events", required=True, help="folder or glob of what has landed")
    parser.add_argument("--out", type=Path, help="folder to write (default: apps/NAME)")
    given = parser.parse_args(arguments)
    try:
        print(new_app(given.name, given.events, given.out or Path("apps") / given.name))
    except NotPossibleError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(
            f"{error.filename} cannot be written ({error.strerror}); name a folder with --out.",
            file=sys.stderr,
        )
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
