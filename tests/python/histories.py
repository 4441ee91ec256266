"""Small hostile histories: a strategy for landing zones in which everything goes wrong at once.

`histories()` draws a History: files to write, settings to write, vars. Few users, times that tie,
starters within, at and over the join window, telemetry that leads, copies, every kind of rejected
row, unknown names, and files of different formats, columns and types. What the definitions leave
open is left out (see the notes where a list ends early), so that two readings of a history that
differ mean a mistake. `ledgers(history)` draws a ledger of interventions over its users.
"""

import csv
import gzip
import hashlib
import io
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pyarrow
import pyarrow.parquet
import zstandard
from hypothesis import strategies as st

SECOND = 1_000_000
EPOCH = datetime(1970, 1, 1)
# Two minutes before midnight, so that sessions cross it.
FIRST_MOMENT = datetime(2026, 1, 12, 23, 58)
BUILD_CLOCK = datetime(2026, 2, 16, 12, 0)

EVENT_TYPES = {
    "Open": "starter",
    "Install": "starter",
    "Login": "starter",
    "browse": "step",
    "search, all": "step",
    "cart": "step",
    "pay": "step",
    "thanks": "step",
    "otp": "step",
    "Ping": "telemetry",
    "Beat": "telemetry",
    "Push Lost": "ambient",
}
UNKNOWN_NAMES = ["mystery", " browse", "Browse", "naïve → 😀", 'say "hi"', "<script>", "two\nlines"]

# Byte order is not the order of any alphabet, of numbers, nor of UTF-16.
ID_STARTS = ["a", "B", "_", "10-", "9-", "é", "\uffee", "😀"]

# A user's days begin with one of these, for leading telemetry has rules of its own ...
BEGINNINGS = [
    [],
    [],
    ["Open"],
    ["Beat", "Ping", "Open"],
    ["Ping", "Beat", "browse"],
    ["Ping", "Beat"],
]

# ... and go on with a run of these: starters in bursts, stages in order and out of it.
FRAGMENTS = [
    ["Open"],
    ["Login"],
    ["Open", "Install"],
    ["Open", "browse", "cart", "pay"],
    ["Login", "otp", "browse"],
    ["Install", "Ping", "Login"],
    ["Login", "Open", "Login"],
    ["Ping"],
    ["Beat", "Ping"],
    ["Ping", "Open"],
    ["browse", "cart"],
    ["browse", "Ping", "browse", "search, all"],
    ["browse", "cart", "pay"],
    ["search, all", "cart", "Beat", "pay", "thanks"],
    ["cart", "browse", "pay", "cart"],
    ["pay", "thanks"],
    ["otp"],
    ["otp", "browse"],
    ["Push Lost"],
    ["Push Lost", "Push Lost"],
]

# Seconds between two events of a fragment, and between two fragments: ties, and both sides of each
# boundary (bounce 10, join 60, open and timeout 1800, conversion window 60 and 1800).
SHORT_GAPS = [0, 0, 0.000001, 1, 2, 5, 9.999999, 10, 29, 30, 59.999999, 60, 60.000001, 61]
LONG_GAPS = [*SHORT_GAPS, 300, 1799, 1800, 1800.000001, 1801, 7200]
LONG_GAPS += [86400, 3 * 86400, 7 * 86400]

# Seconds from event_time to received_at: both sides of late and of the future.
LAGS = [0] * 12 + [1, 2, 60, -1, 3600, 3600.000001, 3601, 86400, -300]
LAGS += [-300.000001]
BAD_RECEIVED = [None, "soon", "1999-12-31T23:59:59.999999Z", "over the clock"]

# Texts that some parser somewhere takes for a time. Left out, since ISO 8601 has them or nearly so:
# week dates, 24:00, a second of 60, lower-case t and z, white space around, "1768262280000.0".
BAD_TIMES = [
    None,
    "soon",
    "epoch",
    "infinity",
    "2026-02-30",
    "2026-13-01T00:00:00Z",
    "-5",
    "0",
    "17",
]
BAD_TIMES += ["1999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z", "12/01/2026", "10:00"]

TEXT_TIMES = ["iso_z", "iso_space", "iso_offset", "iso_nanos", "ms_text"]
JSON_TIMES = [*TEXT_TIMES, "ms_int", "ms_float"]
PARQUET_TIMES = ["s", "ms", "us", "ns", "us_tz", "iso_z", "ms_int", "ms_float", "ms_text"]

UNREADABLE_JSON = [b'{"user_id": ', b"[1, 2]", b"5", b"null", b'"text"', b'{"event_id": "x"} y']
UNREADABLE_JSON += [b'{"event_id": "\xff", "user_id": "u"}', b"\xff\xfe", b"{'event_id': 'x'}"]
UNREADABLE_CSV = [b"one", b"x,y", b"a,b,c,d,e,f,g,h,i,j,k,l", b"\xff\xfe"]
BLANK_LINES = [b"", b"   "]

# Seconds from an assignment to an event of its user: both sides of the start, and of windows.
BEFORE_EVENT = [0, 0, 0, 0.000001, -0.000001, 1, 5, 30, 60, 60.000001, 120, 120.000001, 1800]
BEFORE_EVENT += [86400, 86400.000001, -1, -86400]
ASSIGNED_BAD = ["soon", "1999-12-31T23:59:59.999999Z", None, "2027-01-01T00:00:00Z"]
SHARES = [None, None, None, "0.5", "0.25", "0.75"]
SHARES_BAD = ["0", "1", "-1", "half", "nan"]

MAPPED_NAMES = {"user_id": "distinct_id", "event_time": "ts", "event_id": "$insert_id"}


@dataclass
class LandedFile:
    """A file of the landing zone: its rows as dicts, or as bytes for a line written as it is."""

    name: str
    columns: list
    time_kind: str
    rows: list = field(default_factory=list)

    def content(self):
        """Give the bytes of the file, in the format and compression that its name ends in."""
        if self.name.endswith(".parquet"):
            return self.as_parquet()
        lines = self.as_csv() if ".csv" in self.name else self.as_json()
        if self.name.endswith(".gz"):
            return gzip.compress(lines, mtime=0)
        if self.name.endswith(".zst"):
            return zstandard.compress(lines)
        return lines

    def as_json(self):
        """One JSON object a line; a null is written or, for every other column, left out."""
        lines = []
        for row in self.rows:
            if isinstance(row, dict):
                kept = {
                    name: row.get(name)
                    for index, name in enumerate(self.columns)
                    if index % 2 or row.get(name) is not None
                }
                row = json.dumps(kept, ensure_ascii=False).encode()
            lines.append(row + b"\n")
        return b"".join(lines)

    def as_csv(self):
        """A header, then one line a row; null is an empty field."""
        lines = [csv_line(self.columns)]
        for row in self.rows:
            if isinstance(row, dict):
                row = csv_line([row.get(name) for name in self.columns])
            lines.append(row.removesuffix(b"\n") + b"\n")
        return b"".join(lines)

    def as_parquet(self):
        """Columns of text, but for the times, and for ids where all of them are numbers."""
        arrays = []
        for name in self.columns:
            values = [row.get(name) for row in self.rows]
            arrays.append(parquet_array(values))
        table = pyarrow.table(dict(zip(self.columns, arrays, strict=True)))
        out = io.BytesIO()
        pyarrow.parquet.write_table(table, out)
        return out.getvalue()


@dataclass
class History:
    """What lands, the settings it is read with, and the vars of the build."""

    files: list
    settings: dict
    vars: dict


def csv_line(fields):
    """One csv line, quoted where it must be."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(
        ["" if value is None else str(value) for value in fields]
    )
    return out.getvalue().encode()


def parquet_array(values):
    """An array of the type that its values ask for: timestamps are given as Stamp."""
    stamps = [value for value in values if isinstance(value, Stamp)]
    if stamps:
        numbers = [None if value is None else value.number for value in values]
        unit = pyarrow.timestamp(stamps[0].unit, tz=stamps[0].zone)
        return pyarrow.array(numbers, type=pyarrow.int64()).cast(unit)
    if all(value is None for value in values):
        return pyarrow.array(values, type=pyarrow.string())
    return pyarrow.array(values)


@dataclass(frozen=True)
class Stamp:
    """A parquet timestamp before it is written: a number of units since 1970."""

    number: int
    unit: str
    zone: str | None = None


def encode_time(kind, microseconds):
    """Write a time the way a file writes it; what the way cannot hold is lost."""
    moment = EPOCH + timedelta(microseconds=microseconds)
    milliseconds = microseconds // 1000
    ahead = moment + timedelta(hours=5, minutes=30)
    writers = {
        "iso_z": lambda: moment.isoformat() + "Z",
        "iso_space": lambda: moment.isoformat(sep=" "),
        "iso_offset": lambda: ahead.isoformat() + "+05:30",
        "iso_nanos": lambda: f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}999Z",
        "ms_text": lambda: str(milliseconds),
        "ms_int": lambda: milliseconds,
        "ms_float": lambda: float(milliseconds),
        "s": lambda: Stamp(microseconds // SECOND, "s"),
        "ms": lambda: Stamp(milliseconds, "ms"),
        "us": lambda: Stamp(microseconds, "us"),
        "us_tz": lambda: Stamp(microseconds, "us", "America/New_York"),
        "ns": lambda: Stamp(microseconds * 1000 + 999, "ns"),
    }
    return writers[kind]()


def micros(moment):
    """Microseconds since 1970."""
    return (moment - EPOCH) // timedelta(microseconds=1)


@st.composite
def histories(draw, max_users=5, max_events=16):
    """Draw a History. A quarter of them have no event ids anywhere, and then no ties in time."""
    has_ids = draw(st.sampled_from([True, True, True, False]))
    names = dict(draw(st.sampled_from([{}, {}, MAPPED_NAMES])))
    if not has_ids:
        # A mapped column that no file has is a wrong setting.
        names.pop("event_id", None)
    has_number_ids = draw(st.booleans())
    files = draw_files(draw, has_ids, has_number_ids)
    rows = draw_rows(draw, has_ids, has_number_ids, max_users, max_events)
    for row in rows:
        land(draw, row, files)
    for file in files:
        file.rows = draw(st.permutations(file.rows))
        file.columns = [names.get(name, name) for name in file.columns]
        file.rows = [
            {names.get(name, name): value for name, value in row.items()}
            if isinstance(row, dict)
            else row
            for row in file.rows
        ]
    return History(files, draw_settings(draw), draw_vars(draw, names))


def draw_files(draw, has_ids, has_number_ids):
    """One to four files that differ in format, columns and types; the first lacks no column."""
    files = []
    for index in range(draw(st.integers(1, 4))):
        ending = draw(
            st.sampled_from(["parquet", "ndjson", "jsonl.gz", "ndjson.zst", "csv", "csv.gz"])
        )
        columns = ["event_id"] if has_ids else []
        columns += ["user_id", "event_name", "event_time", "received_at"]
        columns += ["platform", "app_version", "city"]
        # An id made from the row needs the same columns in each file: absent and null may differ.
        if index > 0 and has_ids:
            optional = ["received_at", "platform", "app_version", "city"] * 2 + ["event_id"]
            lacking = draw(st.sets(st.sampled_from(optional), max_size=2))
            columns = [name for name in columns if name not in lacking]
        if has_ids and draw(st.booleans()):
            columns.append("properties")
        kinds = PARQUET_TIMES if ending == "parquet" else TEXT_TIMES
        kind = draw(st.sampled_from(kinds)) if has_ids else "iso_z"
        file = LandedFile(f"part-{index}.{ending}", columns, kind)
        if ending != "parquet":
            lines = UNREADABLE_CSV if "csv" in ending else UNREADABLE_JSON
            file.rows = draw(st.lists(st.sampled_from(lines + BLANK_LINES), max_size=3))
        files.append(file)
    # The columns that must exist do, whatever else lands.
    files[0].rows.append(
        {
            "event_id": "0" if has_number_ids else "plain",
            "user_id": "1" if has_number_ids else "plain",
            "event_name": "browse",
            "event_time": file_time(draw, files[0], micros(FIRST_MOMENT)),
            "received_at": file_time(draw, files[0], micros(FIRST_MOMENT)),
        }
    )
    return files


def draw_rows(draw, has_ids, has_number_ids, max_users, max_events):
    """Draw events before they are given to a file: times are microseconds, or text where bad."""
    rows = []
    users = ["7", "12", "100", "3", "20"] if has_number_ids else ["u", "U1", "ü", "O'B, 2", "😀"]
    texts = st.sampled_from([None, "ios", "android", "Ω"])
    for user_id in users[: draw(st.integers(1, min(max_users, len(users))))]:
        moment = micros(FIRST_MOMENT)
        for event_name, gap in draw_day(draw, max_events):
            moment += round((gap if has_ids else max(gap, 1)) * SECOND)
            rows.append(
                {
                    "event_id": f"{draw(st.sampled_from(ID_STARTS))}{len(rows)}",
                    "user_id": user_id,
                    "event_name": event_name,
                    "event_time": moment,
                    "received_at": moment + round(draw(st.sampled_from(LAGS)) * SECOND),
                    "platform": draw(texts),
                    "app_version": draw(texts),
                    "city": draw(texts),
                    "properties": draw(st.sampled_from([None, "{}", '{"a": [1, "x"]}'])),
                }
            )
    if has_number_ids:
        numbers = draw(st.permutations(range(1, len(rows) + 1)))
        for row, number in zip(rows, numbers, strict=True):
            row["event_id"] = str(number)
    spoiled = []
    for row in rows:
        spoiled += spoil(draw, row, has_ids)
    return spoiled


def draw_day(draw, max_events):
    """What a user does, and the seconds before each of it: up to so many events."""
    events = []
    unknown = st.sampled_from(UNKNOWN_NAMES).map(lambda name: [name])
    fragments = st.one_of(*[st.sampled_from(FRAGMENTS)] * 9, unknown)
    beginning = draw(st.sampled_from(BEGINNINGS))
    for fragment in [beginning, *draw(st.lists(fragments, max_size=max_events))]:
        gap = draw(st.sampled_from(LONG_GAPS))
        for event_name in fragment:
            events.append((event_name, gap))
            gap = draw(st.sampled_from(SHORT_GAPS))
    return events[:max_events]


def spoil(draw, row, has_ids):
    """Break a row in one way, or add copies of it; most rows stay as they are."""
    ways = [None] * 20 + ["missing", "bad_time", "bad_received", "copy", "copy"]
    # Without ids these would tie in time, and the order of made ids is nobody's business.
    ways += ["ahead_of_clock"] if has_ids else []
    way = draw(st.sampled_from(ways))
    if way == "missing":
        name = draw(st.sampled_from(["event_id", "user_id", "event_name"]))
        row[name] = draw(st.sampled_from([None, "", "  ", "\t"]))
    elif way == "bad_time":
        row["event_time"] = draw(st.sampled_from(BAD_TIMES))
        if draw(st.booleans()):
            row["received_at"] = None
    elif way == "bad_received":
        row["received_at"] = draw(st.sampled_from(BAD_RECEIVED))
        if row["received_at"] == "over the clock":
            row["received_at"] = micros(BUILD_CLOCK) + 301 * SECOND
    elif way == "ahead_of_clock":
        # Between the clock and the tolerance the definitions can be read in two ways.
        row["event_time"] = micros(BUILD_CLOCK) + draw(st.sampled_from([0, 301, 10**6])) * SECOND
        row["received_at"] = draw(st.sampled_from([None, micros(BUILD_CLOCK) + 300 * SECOND]))
    elif way == "copy":
        return [row, *[copy_of(draw, row, has_ids) for _ in range(draw(st.integers(1, 2)))]]
    return [row]


def copy_of(draw, row, has_ids):
    """The same event id again, at another time of receipt, or all the same but for one thing."""
    copy = dict(row)
    # Without ids any other change makes another event, which ties with this one in time.
    changes = ["received_at", None]
    if has_ids:
        changes += ["event_time", "event_name", "user_id", "platform", "app_version", "city"]
    change = draw(st.sampled_from(changes))
    if change == "received_at":
        copy["received_at"] += draw(st.sampled_from([-1, 1, 5000])) * SECOND
    elif change == "event_time":
        copy["event_time"] += draw(st.sampled_from([-1, 1])) * SECOND
    elif change == "event_name":
        copy["event_name"] = draw(st.sampled_from(list(EVENT_TYPES)))
    elif change == "user_id":
        copy["user_id"] = "55"
    elif change is not None:
        copy[change] = draw(st.sampled_from([None, "ios", "web"]))
    return copy


def land(draw, row, files):
    """Put a row into a file, its times written as that file writes them."""
    file = draw(st.sampled_from(files))
    row = dict(row)
    for name in ("event_time", "received_at"):
        row[name] = file_time(draw, file, row[name])
    if file.name.endswith(".ndjson") and row["user_id"] in ("7", "12", "100"):
        row["user_id"] = int(row["user_id"])
    file.rows.append({name: value for name, value in row.items() if name in file.columns})


def file_time(draw, file, value):
    """A time as its file writes it: one way a file, but in json and csv any way a row."""
    kind = file.time_kind
    if isinstance(value, int):
        if kind != "iso_z" and not file.name.endswith("parquet"):
            kind = draw(st.sampled_from(TEXT_TIMES if ".csv" in file.name else JSON_TIMES))
        return encode_time(kind, value)
    if kind in PARQUET_TIMES and file.name.endswith("parquet") and kind[:3] not in ("iso", "ms_"):
        return None
    if kind in ("ms_int", "ms_float") and file.name.endswith("parquet"):
        return None
    return value


@st.composite
def ledgers(draw, history, max_assignments=150):
    """Draw the files of a ledger: two interventions, users of the history and one of nobody."""
    names = history.vars.get("event_columns", {})
    user_column, id_column = (names.get(name, name) for name in ("user_id", "event_id"))
    events = [row for file in history.files for row in file.rows if isinstance(row, dict)]
    events = [row for row in events if row.get(user_column) is not None]
    users = sorted({f"{row[user_column]}" for row in events if f"{row[user_column]}".strip()})
    pairs = sorted({(f"{row[user_column]}", f"{row.get(id_column)}") for row in events})
    moments = {user: [micros(FIRST_MOMENT)] for user in [*users, "nobody"]}
    for row in events:
        moments.get(f"{row[user_column]}", []).extend(
            moment_of(row[names.get("event_time", "event_time")])
        )
    arms = {}
    files = [LandedFile(f"ledger.{ending}", [], "iso_z") for ending in ("ndjson", "csv", "parquet")]
    for number in range(draw(st.sampled_from([0, max_assignments, max_assignments]))):
        user_id = draw(st.sampled_from([*users * 4, "nobody"]))
        session_id = None
        if draw(st.sampled_from([True] + [False] * 7)):
            user_id, event_id = draw(st.sampled_from(pairs))
            parts = "|".join(f"{len(part)}|{part}" for part in (user_id, event_id))
            session_id = hashlib.md5(parts.encode()).hexdigest()
        moment = draw(st.sampled_from(moments.get(user_id, moments["nobody"])))
        moment -= round(draw(st.sampled_from(BEFORE_EVENT)) * SECOND)
        intervention = draw(st.sampled_from(["seats", "Badges → 😀"]))
        # a user keeps to an arm, but for a few
        arm = arms.setdefault((intervention, user_id), draw(st.sampled_from(ARMS)))
        row = {
            "assignment_id": f"{draw(st.sampled_from(ID_STARTS))}{number}",
            "intervention": intervention,
            "unit": draw(st.sampled_from(["session", "session", "user"])),
            "user_id": user_id,
            "session_id": session_id,
            "stage": draw(st.sampled_from(["cart", "pay"])),
            "arm": draw(st.sampled_from([arm] * 30 + ARMS)),
            "planned_treated_share": draw(st.sampled_from(SHARES)),
            "assigned_at": encode_time("iso_z", moment),
            "received_at": encode_time("iso_z", moment + draw(st.sampled_from([0, 5])) * SECOND),
        }
        for landed in spoil_assignment(draw, row):
            draw(st.sampled_from(files)).rows.append(landed)
    for file in files:
        file.columns = list(ASSIGNMENT_COLUMNS)
    return [file for file in files if file.rows]


def moment_of(value):
    """The microseconds of a time as some files write it, in a list; none of any other way."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return []
    moment = moment.replace(tzinfo=None) - (moment.utcoffset() or timedelta())
    return [micros(moment)] if moment > FIRST_MOMENT - timedelta(days=1) else []


ARMS = ["treated", "control"]
ASSIGNMENT_COLUMNS = (
    "assignment_id",
    "intervention",
    "unit",
    "user_id",
    "session_id",
    "stage",
    "arm",
    "planned_treated_share",
    "assigned_at",
    "received_at",
)


def spoil_assignment(draw, row):
    """Break an assignment in one way, or land a copy of it; most stay as they are."""
    bad = {
        "assignment_id": [None, " "],
        "intervention": [None, ""],
        "user_id": [None, "\t"],
        "stage": [None],
        "unit": [None, "Session"],
        "arm": [None, "variant b"],
        "planned_treated_share": SHARES_BAD,
        "assigned_at": ASSIGNED_BAD,
        "received_at": [None, "soon", "1999-12-31T23:59:59Z"],
        "session_id": [" ", "unknown"],
    }
    way = draw(st.sampled_from([None] * 30 + [*bad, "copy", "copy"]))
    if way == "copy":
        name = draw(st.sampled_from(["received_at", "arm", "stage", "session_id", "user_id"]))
        other = {
            "received_at": "2026-01-12T23:57:00Z",
            "arm": "treated",
            "stage": "a",
            "user_id": "0",
        }
        return [row, {**row, name: other.get(name)}]
    return [{**row, way: draw(st.sampled_from(bad[way]))} if way else row]


def draw_settings(draw):
    """Three funnels whose modes, windows and starters vary; the second name sorts first as
    bytes.
    """
    modes = st.sampled_from(["ordered", "ordered", "any_order"])
    windows = st.sampled_from(["", "", "60", "1800"])
    funnels = [
        ["buy", "true", draw(modes), draw(windows), draw(st.sampled_from(["(all)", "Open|Login"]))],
        ["auth", "false", draw(modes), draw(windows), "Install|Login"],
        ["Zeta", "false", draw(modes), draw(windows), "(all)"],
    ]
    stages = [
        ["buy", "Look", 1, "browse", "Browsing", "search, all", "", ""],
        ["buy", "Look", 1, "browse", "Browsing", "browse", "", ""],
        ["buy", "Buy", 2, "cart", "Cart", "cart", "", ""],
        ["buy", "Buy", 3, "pay", "Payment", "pay", "conversion", "Bought"],
        ["buy", "Buy", 4, "thanks", "Thanks", "thanks", "completion", ""],
        ["auth", "Login", 1, "otp", "Code", "otp", "", ""],
        ["auth", "Login", 2, "in", "In", "browse", "conversion", "Logged in"],
        ["Zeta", "Signs", 1, "ping", "Pinged", "Ping", "", ""],
        ["Zeta", "Signs", 2, "beat", "Beaten", "Beat", "conversion", ""],
    ]
    return {
        "event_types.csv": seed(
            ["event_name", "role", "label"],
            [[name, role, name] for name, role in EVENT_TYPES.items()],
        ),
        "funnels.csv": seed(
            ["funnel", "is_primary", "order_mode", "conversion_window_seconds", "starters"], funnels
        ),
        "funnel_stages.csv": seed(
            [
                "funnel",
                "phase",
                "stage_order",
                "stage",
                "label",
                "event_name",
                "outcome",
                "result_label",
            ],
            stages,
        ),
        "playbook.csv": seed(["stage", "stuck_after_seconds", "suggestion", "intervention"], []),
    }


def seed(header, rows):
    """A settings file as text."""
    return b"".join(csv_line(line) for line in [header, *rows]).decode()


def draw_vars(draw, names):
    """Draw vars around their defaults. The build clock is always set: nothing else looks at a
    clock.
    """
    drawn = {
        "build_clock": f"{BUILD_CLOCK}",
        "starter_join_seconds": draw(st.sampled_from([60, 60, 60, 5, 0, None])),
        "session_timeout_minutes": draw(st.sampled_from([None, None, None, 30, 1])),
        "reporting_timezone": draw(st.sampled_from(["UTC", "UTC", "Asia/Kolkata"])),
        "bounce_max_steps": draw(st.sampled_from([None, None, 0, 1])),
        "as_of": draw(st.sampled_from([None, None, "2026-01-13 00:30:00", f"{BUILD_CLOCK}"])),
        "journey_max_steps": draw(st.sampled_from([20, 3])),
        "retention_weeks": draw(st.sampled_from([12, 2])),
        "min_comparison_sessions": draw(st.sampled_from([30, 2])),
    }
    if names:
        drawn["event_columns"] = dict(names)
    return drawn
