"""The definitions once more, in slow and obvious Python, to hold the marts against.

It shares no code with the models: plain dicts, lists and loops, one function a sentence of the
definitions, each citing the sentence it implements. Times are naive UTC datetimes, durations are
seconds, shares are 0..1 or None over nothing. A session is named by its user and its opening event.

`marts(landing_glob, settings_folder, given_vars)` gives every table as a list of dicts, with a glob
of a ledger of interventions those of the ledger too;
`write_landing(history, folder)` writes the files of a made-up history (see histories.py).
"""

import csv
import glob
import gzip
import hashlib
import io
import json
import math
import re
import sys
import time
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.parquet
import pyarrow.types
import scipy.stats
import zstandard

csv.field_size_limit(sys.maxsize)

OUR_COLUMNS = (
    "event_id",
    "user_id",
    "event_name",
    "event_time",
    "received_at",
    "platform",
    "app_version",
    "city",
)

DEFAULT_VARS = {
    "event_columns": {},
    "session_timeout_minutes": None,
    "starter_join_seconds": 60,
    "reporting_timezone": "UTC",
    "as_of": None,
    "build_clock": None,
    "oldest_event_time": "2000-01-01",
    "future_tolerance_seconds": 300,
    "late_after_seconds": 3600,
    "session_open_minutes": 30,
    "bounce_under_seconds": 10,
    "bounce_max_steps": None,
    "journey_max_steps": 20,
    "retention_weeks": 12,
    "min_comparison_sessions": 30,
    "effect_window_minutes": 1440,
    "drop_off_step_rate": 0.75,
    "high_drop_share": 0.09,
}

REASONS = (
    "unreadable",
    "missing_event_id",
    "missing_user_id",
    "missing_event_name",
    "bad_event_time",
    "time_in_future",
    "duplicate_event_id",
)

LEDGER_REASONS = (
    "unreadable",
    "missing_assignment_id",
    "missing_intervention",
    "missing_user_id",
    "missing_stage",
    "bad_unit",
    "bad_arm",
    "bad_planned_share",
    "bad_assigned_at",
    "assigned_in_future",
    "duplicate_assignment_id",
)
LEDGER_TEXTS = (
    "assignment_id",
    "intervention",
    "unit",
    "user_id",
    "session_id",
    "stage",
    "arm",
    "planned_treated_share",
)

EPOCH = datetime(1970, 1, 1)
# A time past the year 9999 is a time, and in the future, whatever it says exactly.
END_OF_TIME = datetime.max


def marts(landing_glob, settings_folder, given_vars=None, ledger_glob=None):
    """Give every table of the contract that the definitions alone decide, each a list of dicts."""
    rules = rules_of(given_vars or {})
    settings = read_settings(settings_folder)
    staged, rejected = stage(read_landing(landing_glob), rules)
    for event in staged:
        event["event_role"] = role_of(event["event_name"], settings)
    rules["as_of"] = as_of(staged, rules)
    sessions = describe_sessions(staged, settings, rules)
    of_the_ledger = ledger_marts(ledger_glob, sessions, rules) if ledger_glob else {}
    return {
        **of_the_ledger,
        "staged": staged,
        "rejected": rejected,
        "fct_session_events": session_events(sessions),
        "fct_sessions": [session["row"] for session in sessions],
        "fct_session_starters": session_starters(sessions),
        "fct_session_steps": session_steps(sessions),
        "dim_users": users(staged, sessions),
        "fct_overview_daily": overview_daily(sessions),
        "fct_session_types": session_types(sessions),
        "fct_funnel_stages": funnel_stages(sessions, settings, rules),
        "fct_funnel_daily": funnel_daily(sessions, settings),
        "fct_end_events": end_events(sessions, settings, rules),
        "fct_leaks": leaks(sessions, settings, rules),
        "fct_journey_edges": journey_edges(sessions, rules),
        "fct_retention_weekly": retention_weekly(sessions, rules),
        "fct_return_by_starter": return_by_starter(sessions, rules),
        "fct_user_timeline": user_timeline(staged, sessions, settings, rules),
        "fct_active_sessions": active_sessions(staged, sessions, settings, rules),
        "fct_type_comparisons": type_comparisons(sessions, settings, rules),
        "fct_data_health": data_health(staged, rejected, settings, rules),
    }


# --- vars and settings ---------------------------------------------------------------------------


def rules_of(given_vars):
    """`build_clock` (a var; by default the moment the build began: nothing else looks at a
    clock).
    """
    rules = {**DEFAULT_VARS, **given_vars}
    if isinstance(rules["event_columns"], str):
        rules["event_columns"] = json.loads(rules["event_columns"])
    if rules["build_clock"] is None:
        rules["build_clock"] = EPOCH + timedelta(seconds=time.time())
    for name in ("as_of", "build_clock", "oldest_event_time"):
        if rules[name] is not None and not isinstance(rules[name], datetime):
            rules[name] = parse_time(rules[name])
    return rules


def read_settings(folder):
    """Each event name has one role, in a seed that people edit. Funnels and playbook are too."""
    event_types = {row["event_name"]: row["role"] for row in read_seed(folder, "event_types.csv")}
    labels = {
        row["event_name"]: row["label"] or row["event_name"]
        for row in read_seed(folder, "event_types.csv")
    }
    funnels = []
    for row in read_seed(folder, "funnels.csv"):
        window = row["conversion_window_seconds"]
        funnels.append(
            {
                "funnel": row["funnel"],
                "is_primary": row["is_primary"].lower() == "true",
                "order_mode": row["order_mode"] or "ordered",
                "window_seconds": float(window) if window else None,
                "starters": row["starters"].split("|"),
                "stages": stages_of(folder, row["funnel"]),
            }
        )
    # histories by hand do without one
    has_playbook = (Path(folder) / "playbook.csv").exists()
    playbook = read_seed(folder, "playbook.csv") if has_playbook else []
    playbook = {row["stage"]: row for row in playbook}
    return {"event_types": event_types, "labels": labels, "funnels": funnels, "playbook": playbook}


def stages_of(folder, funnel):
    """In seeds: funnel, phase, stage order, stage, the event names that reach it, `outcome`."""
    stages = {}
    for row in read_seed(folder, "funnel_stages.csv"):
        if row["funnel"] != funnel:
            continue
        stage = stages.setdefault(
            int(row["stage_order"]),
            {
                "phase": row["phase"],
                "stage_order": int(row["stage_order"]),
                "stage": row["stage"],
                "label": row["label"],
                "outcome": row["outcome"] or None,
                "result_label": None,
                "event_names": [],
            },
        )
        stage["event_names"].append(row["event_name"])
        stage["result_label"] = stage["result_label"] or row.get("result_label") or None
    for stage in stages.values():
        stage["result_label"] = stage["result_label"] or stage["label"]
    return [stages[order] for order in sorted(stages)]


def read_seed(folder, name):
    """Read a settings file as it is, every value text."""
    with (Path(folder) / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def role_of(event_name, settings):
    """A name missing from the seed is a step, and data health counts it."""
    return settings["event_types"].get(event_name, "step")


def primary_funnel(settings):
    """There is exactly one primary funnel."""
    return next(funnel for funnel in settings["funnels"] if funnel["is_primary"])


# --- landing: rows as they are in the files ------------------------------------------------------


def read_landing(landing_glob):
    """Files under one glob may differ in format, columns and types.

    A row is {file, values, payload}; `values` is None where the row is unreadable. The columns of a
    file are those that its schema, its header or any of its objects names.
    """
    files = []
    for name in sorted(glob.glob(str(landing_glob), recursive=True)):
        if Path(name).is_dir():
            continue
        kind = [part for part in Path(name).suffixes if part not in (".gz", ".zst")][-1]
        content = Path(name).read_bytes()
        if name.endswith(".gz"):
            content = gzip.decompress(content)
        if name.endswith(".zst"):
            reader = zstandard.ZstdDecompressor().stream_reader(
                io.BytesIO(content), read_across_frames=True
            )
            content = reader.read()
        read = {".parquet": parquet_rows, ".csv": csv_rows, ".ndjson": json_rows}
        read[".jsonl"] = read[".json"] = json_rows
        columns, rows = read[kind](content)
        for row in rows:
            row["file"] = name
        files.append({"file": name, "columns": columns, "rows": rows})
    return files


def json_rows(content):
    """`unreadable`: a line that is not a JSON object, bytes that are not UTF-8. Blank lines are
    no rows.
    """
    columns, rows = set(), []
    for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        if not line.strip():
            continue
        payload = line.removesuffix(b"\r").decode("utf-8", errors="replace")
        try:
            values = json.loads(line.decode("utf-8"), parse_constant=refuse_constant)
            json.dumps(values, ensure_ascii=False).encode("utf-8")  # a lone surrogate is no text
        except ValueError:
            values = None
        if not isinstance(values, dict):
            values = None
        columns |= set(values or {})
        rows.append({"values": values, "payload": payload})
    return columns, rows


def refuse_constant(name):
    """NaN and Infinity are no JSON."""
    raise ValueError(name)


def csv_rows(content):
    """`unreadable`: a csv row whose field count is not the header's, bytes that are not UTF-8.

    An empty field is null: csv has no other way to say it.
    """
    text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="surrogateescape")
    header, rows = None, []
    for fields in csv.reader(io.StringIO(text, newline="")):
        if not "".join(fields).strip() and len(fields) < 2:
            continue
        if header is None:
            header = fields
            continue
        payload = ",".join(fields)
        is_utf8 = payload.isascii() or not re.search("[\udc80-\udcff]", payload)
        values = None
        if len(fields) == len(header) and is_utf8:
            values = {name: field or None for name, field in zip(header, fields, strict=True)}
        rows.append({"values": values, "payload": payload})
    return set(header or []), rows


def parquet_rows(content):
    """A time is kept to the microsecond, cut off: nanoseconds are cut before Python sees them."""
    table = pyarrow.parquet.read_table(io.BytesIO(content))
    columns = {}
    for name in table.column_names:
        column = table.column(name)
        if pyarrow.types.is_timestamp(column.type):
            per_microsecond = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": None}[column.type.unit]
            numbers = column.cast("int64").to_pylist()
            columns[name] = [
                None
                if number is None
                else at_microsecond(
                    number // 1000 if per_microsecond is None else number * per_microsecond
                )
                for number in numbers
            ]
        else:
            columns[name] = column.to_pylist()
    rows = []
    for index in range(table.num_rows):
        values = {name: columns[name][index] for name in columns}
        rows.append({"values": values, "payload": values})
    return set(columns), rows


# --- staging: landed = staged + rejected, exactly ------------------------------------------------


def stage(files, rules):
    """Landed = staged + rejected. A rejected row keeps its payload and the first reason that
    applies.
    """
    names = {ours: rules["event_columns"].get(ours, ours) for ours in OUR_COLUMNS}
    some_file_has_ids = any(names["event_id"] in file["columns"] for file in files)
    events, rejected = [], []
    for file in files:
        for row in file["rows"]:
            event = None
            reason = "unreadable"
            if row["values"] is not None:
                event = event_of(row["values"], names, some_file_has_ids, rules)
                event["file"] = row["file"]
                event["payload"] = row["payload"]
                reason = reason_to_reject(event, rules)
            if reason is None:
                events.append(event)
            else:
                rejected.append(rejection(row, event, reason, rules))
    staged = []
    for copies in grouped(events, "event_id").values():
        copies.sort(key=order_of_copies)
        staged.append(copies[0])
        for copy in copies[1:]:
            rejected.append(rejection(copy, copy, "duplicate_event_id", rules))
    staged.sort(key=order_in_user)
    return staged, rejected


def event_of(values, names, some_file_has_ids, rules):
    """`event_columns` maps our names to the input's; a name not mapped is looked up as it is.

    Values are kept as they are, untrimmed. Where no file has an event id column, the id is made
    from the row without received_at. A row without a valid received_at uses its event_time instead.
    """
    event = {}
    for ours in ("event_id", "user_id", "event_name", "platform", "app_version", "city"):
        event[ours] = as_text(values.get(names[ours]))
    event["event_time"] = parse_time(values.get(names["event_time"]))
    if not some_file_has_ids:
        event["event_id"] = made_id(values, names, event["event_time"])
    received_at = parse_time(values.get(names["received_at"]))
    event["has_valid_received_at"] = is_valid_received_at(received_at, rules)
    event["received_at"] = received_at if event["has_valid_received_at"] else event["event_time"]
    return event


def made_id(values, names, event_time):
    """Where no file has an event id column, the id is made from the row without received_at."""
    row = {name: as_text(value) for name, value in values.items() if value is not None}
    row.pop(names["received_at"], None)
    if event_time is not None:
        row[names["event_time"]] = str(event_time)
    return "made:" + hashlib.sha256(json.dumps(sorted(row.items())).encode()).hexdigest()


def reason_to_reject(event, rules):
    """One reason, the first that applies (duplicates are looked for among the rows left)."""
    for name in ("event_id", "user_id", "event_name"):
        if is_missing(event[name]):
            return f"missing_{name}"
    if is_bad_time(event["event_time"], rules):
        return "bad_event_time"
    if is_in_future(event, rules):
        return "time_in_future"
    return None


def is_missing(text):
    """Null, empty or only white space."""
    return text is None or text.strip() == ""


def is_bad_time(event_time, rules):
    """`bad_event_time`: missing, not a time, or before `oldest_event_time`."""
    return event_time is None or event_time < rules["oldest_event_time"]


def is_in_future(event, rules):
    """`time_in_future`: event_time more than `future_tolerance_seconds` after received_at, or,
    for a row with no valid received_at, after `build_clock`. (Read as: the tolerance holds for
    both.)
    """
    clock = event["received_at"] if event["has_valid_received_at"] else rules["build_clock"]
    return seconds_between(clock, event["event_time"]) > rules["future_tolerance_seconds"]


def is_valid_received_at(received_at, rules):
    """A received_at is valid when it is a time from `oldest_event_time` to `build_clock` plus the
    tolerance.
    """
    if received_at is None or received_at < rules["oldest_event_time"]:
        return False
    ahead = seconds_between(rules["build_clock"], received_at)
    return ahead <= rules["future_tolerance_seconds"]


def order_of_copies(event):
    """The copy received first stays (ties: smallest event_time, user_id, event_name, platform,
    app_version, city; null last).
    """
    context = [
        (event[name] is None, (event[name] or "").encode())
        for name in ("platform", "app_version", "city")
    ]
    return (
        event["received_at"],
        event["event_time"],
        event["user_id"].encode(),
        event["event_name"].encode(),
        *context,
    )


def order_in_user(event):
    """A user's events are in the order `(event_time, event_id)`, event_id as bytes, everywhere."""
    return (event["user_id"].encode(), event["event_time"], event["event_id"].encode())


def rejection(row, event, reason, rules):
    """A rejected row keeps its payload and one reason."""
    return {
        "file": row["file"],
        "reason": reason,
        "payload": row["payload"],
        "received_date": received_date(event, rules),
    }


def parse_time(value):
    """A time is a timestamp, ISO 8601 text (no offset: UTC) or epoch milliseconds (any all-digit
    value, text too), kept to the microsecond, cut off. None: not a time.
    """
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, datetime):
        return (
            value
            if value.tzinfo is None
            else value.astimezone(ZoneInfo("UTC")).replace(tzinfo=None)
        )
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    if isinstance(value, int | float | Decimal):
        if value != value or value < 0 or value > 1e18 or value != int(value):
            return None
        return at_millisecond(int(value))
    if isinstance(value, str):
        if re.fullmatch(r"[0-9]+", value):
            return at_millisecond(int(value)) if len(value.lstrip("0")) <= 18 else None
        return parse_iso_text(value)
    return None


def parse_iso_text(text):
    """ISO 8601 text (no offset: UTC): the calendar form, `T` or a space between date and time."""
    match = re.fullmatch(
        r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
        r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?"
        r"(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?",
        text,
    )
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    microsecond = int(((fraction or "") + "000000")[:6])
    try:
        local = datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            microsecond,
        )
    except ValueError:
        return None
    if offset in (None, "Z"):
        return local
    ahead = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:].lstrip(":") or 0))
    try:
        return local - ahead if offset[0] == "+" else local + ahead
    except OverflowError:
        return None if local.year == 1 else END_OF_TIME


def at_millisecond(number):
    """Epoch milliseconds (any all-digit value)."""
    return at_microsecond(number * 1000)


def at_microsecond(number):
    """A time past the year 9999 is in the future, one before the year 1 is before every clock."""
    try:
        return EPOCH + timedelta(microseconds=number)
    except OverflowError:
        return END_OF_TIME if number > 0 else datetime.min


def as_text(value):
    """Values are kept as they are, untrimmed; a number or a flag is the text that JSON writes
    for it.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, bool | int | float | dict | list):
        return json.dumps(value, default=str)
    return str(value)


# --- clocks and dates ----------------------------------------------------------------------------


def as_of(staged, rules):
    """`as_of`: a var, by default the newest valid received_at staged (where there is none, the
    newest event_time). It filters nothing.
    """
    if rules["as_of"] is not None:
        return rules["as_of"]
    valid = [event["received_at"] for event in staged if event["has_valid_received_at"]]
    return max(valid or [event["event_time"] for event in staged], default=None)


def local_date(moment, rules):
    """The date of a moment in `reporting_timezone` (UTC)."""
    if rules["reporting_timezone"] == "UTC":
        return moment.date()
    zone = ZoneInfo(rules["reporting_timezone"])
    return moment.replace(tzinfo=ZoneInfo("UTC")).astimezone(zone).date()


def received_date(event, rules):
    """The date is that of the valid received_at, else of an event_time that is not bad, else
    null.
    """
    if event is None:
        return None
    if event["has_valid_received_at"]:
        return local_date(event["received_at"], rules)
    if is_bad_time(event["event_time"], rules) or event["event_time"] == END_OF_TIME:
        return None
    return local_date(event["event_time"], rules)


def seconds_between(earlier, later):
    """Exact: a datetime difference is whole microseconds."""
    return (later - earlier).total_seconds()


# --- sessions ------------------------------------------------------------------------------------


def describe_sessions(staged, settings, rules):
    """All sessions of all users, each with its row of fct_sessions and what the other tables
    need.
    """
    sessions = []
    for events in grouped(staged, "user_id").values():
        of_user = sessions_of_user(events, rules)
        for number, session in enumerate(of_user, start=1):
            describe_session(session, number, number == len(of_user), settings, rules)
            sessions.append(session)
    return sessions


def sessions_of_user(events, rules):
    """Leave ambient events out and walk one user's events in order.

    An event opens a session when (1) it is a starter that does not join; or (2) it is the user's
    first starter or step; or (3) a timeout is set and strictly more has passed since the previous
    event.
    """
    events = [event for event in events if event["event_role"] != "ambient"]
    first = first_starter_or_step(events)
    leading_from = leading_telemetry_from(events, first, rules)
    sessions, leading, nearest = [], [], None
    for index, event in enumerate(events):
        is_after_timeout = index > 0 and is_timeout(events[index - 1], event, rules)
        if leading_from <= index < first:
            leading.append(event)
        elif index == first:
            sessions.append({"opening": event, "events": [*leading, event]})
        elif index < first:
            # Telemetry further back is together one unmarked session, opened by its first event.
            if index == 0 or is_after_timeout:
                sessions.append({"opening": event, "events": []})
            sessions[-1]["events"].append(event)
        else:
            joins = does_join(event, nearest, sessions[-1], rules)
            if is_after_timeout or (event["event_role"] == "starter" and not joins):
                sessions.append({"opening": event, "events": []})
            sessions[-1]["events"].append(event)
        if event["event_role"] in ("starter", "step"):
            nearest = event
    return sessions


def first_starter_or_step(events):
    """It is the user's first starter or step: its index, or the number of events where there is
    none.
    """
    for index, event in enumerate(events):
        if event["event_role"] in ("starter", "step"):
            return index
    return len(events)


def leading_telemetry_from(events, first, rules):
    """Telemetry at most `starter_join_seconds` before the user's first starter or step belongs
    to the session which that opens (null: never, leading telemetry included; a timeout beats
    everything).
    """
    join_seconds = rules["starter_join_seconds"]
    if first == len(events) or join_seconds is None:
        return first
    index = first
    while (
        index > 0
        and seconds_between(events[index - 1]["event_time"], events[first]["event_time"])
        <= join_seconds
        and not is_timeout(events[index - 1], events[index], rules)
    ):
        index -= 1
    return index


def is_timeout(previous, event, rules):
    """`session_timeout_minutes` is set and strictly more has passed since the user's previous
    event.
    """
    if rules["session_timeout_minutes"] is None:
        return False
    silence = seconds_between(previous["event_time"], event["event_time"])
    return silence > rules["session_timeout_minutes"] * 60


def does_join(event, nearest, open_session, rules):
    """A starter joins the open session when the user's nearest earlier starter-or-step is a
    starter of that session and lies at most `starter_join_seconds` before it (0: only equal
    times; null: never).
    """
    if event["event_role"] != "starter" or rules["starter_join_seconds"] is None:
        return False
    if nearest["event_role"] != "starter":
        return False
    if not any(nearest is member for member in open_session["events"]):
        return False
    apart = seconds_between(nearest["event_time"], event["event_time"])
    return apart <= rules["starter_join_seconds"]


def describe_session(session, number, is_last_of_user, settings, rules):
    """Fill in the session's row: one dict with the columns of fct_sessions."""
    events = session["events"]
    opening, first, last = session["opening"], events[0], events[-1]
    steps = [event for event in events if event["event_role"] == "step"]
    session["starters"] = starters_of(session)
    session["path"] = path_of(events)
    session["funnels"] = {
        funnel["funnel"]: walk_funnel(funnel, events)
        for funnel in settings["funnels"]
        if is_for(funnel, session["starters"])
    }
    primary = primary_funnel(settings)
    reached = session["funnels"].get(primary["funnel"], [])
    reached_outcomes = {
        stage["outcome"]: moment
        for stage, moment in zip(primary["stages"], reached, strict=False)
        if stage["outcome"]
    }
    duration = seconds_between(first["event_time"], last["event_time"])
    outcome = outcome_of(last, "conversion" in reached_outcomes, is_last_of_user, rules)
    funnel, furthest = furthest_stage(session, settings)
    session["row"] = {
        "session_id": (opening["user_id"], opening["event_id"]),
        "user_id": opening["user_id"],
        "user_session_number": number,
        "session_started_at": first["event_time"],
        "session_ended_at": last["event_time"],
        "session_date": local_date(first["event_time"], rules),
        "duration_seconds": duration,
        "lead_starter": session["starters"][0] if session["starters"] else None,
        "starter_path": " → ".join(session["starters"]) or None,
        "count_starters": len(session["starters"]),
        "count_events": len(events),
        "count_steps": len(steps),
        "first_event_name": first["event_name"],
        "last_event_name": last["event_name"],
        "last_event_role": last["event_role"],
        "path": path_text(session["path"]),
        "furthest_stage_order": furthest["stage_order"] if furthest else None,
        "furthest_stage": furthest["stage"] if furthest else None,
        "expected_event_name": expected_event(funnel, furthest, settings),
        "outcome": outcome,
        "result": result_of(outcome, funnel, furthest, settings),
        "is_bounce": is_bounce(outcome, duration, len(steps), rules),
        "is_converted": outcome == "converted",
        "is_completed": "completion" in reached_outcomes,
        "converted_at": reached_outcomes.get("conversion"),
        "platform": first_not_null(events, "platform"),
        "app_version": first_not_null(events, "app_version"),
        "city": first_not_null(events, "city"),
        "is_new_user": number == 1,
    }


def starters_of(session):
    """Starters of a session: the opening starter and those that joined, distinct, in order. A
    session opened by anything else is unmarked.
    """
    if session["opening"]["event_role"] != "starter":
        return []
    names = [event["event_name"] for event in session["events"] if event["event_role"] == "starter"]
    return list(dict.fromkeys(names))


def first_not_null(events, name):
    """Platform, app_version and city of a session: the first that is not null."""
    return next((event[name] for event in events if event[name] is not None), None)


def outcome_of(last, reached_conversion, is_last_of_user, rules):
    """converted: reached the stage of the primary funnel whose `outcome` is `conversion`. open: not
    converted, no later session of the user, and `as_of` − last event ≤ `session_open_minutes`.
    dropped: the rest.
    """
    if reached_conversion:
        return "converted"
    silence = seconds_between(last["event_time"], rules["as_of"])
    if is_last_of_user and silence <= rules["session_open_minutes"] * 60:
        return "open"
    return "dropped"


def active_sessions(staged, sessions, settings, rules):
    """Active sessions: the open ones: stage, seconds since the last event, and the playbook's
    `stuck_after_seconds`. How likely they are to drop is fitted, not defined.
    """
    newest = max((event["event_time"] for event in staged), default=None)
    rows = []
    for session in sessions:
        row = session["row"]
        if row["outcome"] != "open":
            continue
        _, furthest = furthest_stage(session, settings)
        starter = row["lead_starter"]
        journey = settings["labels"].get(starter, starter) if starter else "(unmarked)"
        play = settings["playbook"].get(furthest["stage"]) if furthest else None
        rows.append(
            {
                "session_id": row["session_id"],
                "user_id": row["user_id"],
                "session_started_at": row["session_started_at"],
                "last_event_at": row["session_ended_at"],
                "last_event_name": row["last_event_name"],
                "journey": f"{journey} → {furthest['label']}" if furthest else journey,
                "stage_order": row["furthest_stage_order"],
                "stage": row["furthest_stage"],
                "seconds_since_last_event": max(
                    seconds_between(row["session_ended_at"], rules["as_of"]), 0
                ),
                "stuck_after_seconds": float(play["stuck_after_seconds"]) if play else None,
                "as_of": rules["as_of"],
                "data_lag_seconds": max(seconds_between(newest, rules["as_of"]), 0),
            }
        )
    return rows


def is_bounce(outcome, duration, count_steps, rules):
    """Dropped, shorter than `bounce_under_seconds`, and, where `bounce_max_steps` is set, at
    most that many steps.
    """
    if outcome != "dropped" or duration >= rules["bounce_under_seconds"]:
        return False
    return rules["bounce_max_steps"] is None or count_steps <= rules["bounce_max_steps"]


def path_of(events):
    """A session's path: its starters and steps, equal neighbours collapsed with a count."""
    path = []
    for event in events:
        if event["event_role"] not in ("starter", "step"):
            continue
        if path and path[-1]["event_name"] == event["event_name"]:
            path[-1]["count_repeats"] += 1
        else:
            path.append(
                {
                    "event_name": event["event_name"],
                    "count_repeats": 1,
                    "started_at": event["event_time"],
                }
            )
    return path


def path_text(path):
    """`select_seat (3x)`, joined by ` → `; `(none)` where there is none."""
    parts = []
    for step in path:
        repeats = f" ({step['count_repeats']}x)" if step["count_repeats"] > 1 else ""
        parts.append(step["event_name"] + repeats)
    return " → ".join(parts) or "(none)"


# --- funnels in one session ----------------------------------------------------------------------


def is_for(funnel, starters):
    """A funnel is evaluated only on sessions that have one of its starters."""
    return "(all)" in funnel["starters"] or any(name in funnel["starters"] for name in starters)


def walk_funnel(funnel, events):
    """The times at which stages 1..k were reached in the chain that counts; [] where none was.

    With `conversion_window_seconds` the furthest chain in the session counts, whichever first-stage
    event it starts from (earliest where tied).
    """
    order_by_name = {
        name: stage["stage_order"] for stage in funnel["stages"] for name in stage["event_names"]
    }
    hits = [
        (order_by_name[event["event_name"]], event["event_time"])
        for event in events
        if event["event_name"] in order_by_name
    ]
    furthest = []
    for start in range(len(hits)):
        within = hits[start:]
        if funnel["window_seconds"] is not None:
            within = [
                hit
                for hit in within
                if seconds_between(hits[start][1], hit[1]) <= funnel["window_seconds"]
            ]
        if funnel["order_mode"] == "any_order":
            chain = any_order_chain(within, len(funnel["stages"]))
        else:
            chain = ordered_chain(within)
        if len(chain) > len(furthest):
            furthest = chain
    return furthest


def ordered_chain(hits):
    """Stage k is reached by the first event mapped to it that comes after the event that reached
    stage k−1; anything may lie between. The chain starts from the first of these hits.
    """
    chain = []
    for order, moment in hits:
        if order == len(chain) + 1:
            chain.append(moment)
        elif not chain:
            return []
    return chain


def any_order_chain(hits, count_stages):
    """Reached when each of stages 1..k occurred."""
    chain = []
    for order in range(1, count_stages + 1):
        moments = [moment for hit_order, moment in hits if hit_order == order]
        if not moments:
            break
        chain.append(max([*chain[-1:], moments[0]]))
    return chain


def furthest_stage(session, settings):
    """Furthest stage of a session: in the primary funnel; where it reached none of it, in the
    first other funnel (by name, as bytes) for its starters in which it reached one; else null.
    """
    others = [funnel for funnel in settings["funnels"] if not funnel["is_primary"]]
    others.sort(key=lambda funnel: funnel["funnel"].encode())
    for funnel in [primary_funnel(settings), *others]:
        reached = session["funnels"].get(funnel["funnel"], [])
        if reached:
            return funnel, funnel["stages"][len(reached) - 1]
    return None, None


def expected_event(funnel, furthest, settings):
    """Expected event: the first event name (as bytes) of the next stage of that funnel (null
    after the last; the primary funnel's first where none was reached).
    """
    if furthest is None:
        following = primary_funnel(settings)["stages"][0]
    elif furthest is funnel["stages"][-1]:
        return None
    else:
        following = funnel["stages"][furthest["stage_order"]]
    return min(following["event_names"], key=str.encode)


def result_of(outcome, funnel, furthest, settings):
    """Converted, or dropped with an outcome stage of another funnel as furthest stage: that
    stage's `result_label` (for converted ones of the last outcome stage reached). Else dropped:
    "Dropped at " + the furthest stage's label, or "Left before " + the primary funnel's first
    label where no stage was reached. Open: "Still active".
    """
    if outcome == "open":
        return "Still active"
    if outcome == "converted":
        reached = funnel["stages"][: furthest["stage_order"]]
        return [stage["result_label"] for stage in reached if stage["outcome"]][-1]
    if furthest is None:
        return "Left before " + primary_funnel(settings)["stages"][0]["label"]
    if furthest["outcome"] and not funnel["is_primary"]:
        return furthest["result_label"]
    return "Dropped at " + furthest["label"]


# --- tables --------------------------------------------------------------------------------------


def session_events(sessions):
    """One row per non-ambient event."""
    return [
        {
            "event_id": event["event_id"],
            "session_id": session["row"]["session_id"],
            "user_id": event["user_id"],
            "event_name": event["event_name"],
            "event_role": event["event_role"],
            "event_at": event["event_time"],
            "event_number": number,
        }
        for session in sessions
        for number, event in enumerate(session["events"], start=1)
    ]


def session_starters(sessions):
    """One row per session × starter in its burst."""
    return [
        {
            "session_id": session["row"]["session_id"],
            "starter_event_name": name,
            "starter_position": position,
        }
        for session in sessions
        for position, name in enumerate(session["starters"], start=1)
    ]


def session_steps(sessions):
    """One row per collapsed step of a session's path."""
    return [
        {"session_id": session["row"]["session_id"], "step_number": number, **step}
        for session in sessions
        for number, step in enumerate(session["path"], start=1)
    ]


def users(staged, sessions):
    """One row per user with any staged event (first_seen_at: any event)."""
    rows = []
    sessions_by_user = grouped([session["row"] for session in sessions], "user_id")
    for user_id, events in grouped(staged, "user_id").items():
        of_user = sessions_by_user.get(user_id, [])
        rows.append(
            {
                "user_id": user_id,
                "first_seen_at": min(event["event_time"] for event in events),
                "first_starter": of_user[0]["lead_starter"] if of_user else None,
                "count_sessions": len(of_user),
                "is_converted": any(session["is_converted"] for session in of_user),
            }
        )
    return rows


def overview_daily(sessions):
    """One row per date × lead starter, `(unmarked)` where a session has none.

    System-marked sessions counts (session, starter) pairs. Events and duration are over all
    sessions; `count_events_closed` and `total_duration_seconds_closed` are over those that are not
    open, which is what rates and averages are over.
    """
    rows = {}
    for session in sessions:
        row = session["row"]
        lead = row["lead_starter"] if row["lead_starter"] is not None else "(unmarked)"
        counts = rows.setdefault(
            (row["session_date"], lead),
            {
                "session_date": row["session_date"],
                "lead_starter": lead,
                "count_sessions": 0,
                "count_system_marked": 0,
                "count_events": 0,
                "total_duration_seconds": 0,
                "count_bounces": 0,
                "count_converted": 0,
                "count_open": 0,
                "count_events_closed": 0,
                "total_duration_seconds_closed": 0,
            },
        )
        counts["count_sessions"] += 1
        counts["count_system_marked"] += row["count_starters"]
        counts["count_events"] += row["count_events"]
        counts["total_duration_seconds"] += row["duration_seconds"]
        counts["count_bounces"] += row["is_bounce"]
        counts["count_converted"] += row["is_converted"]
        counts["count_open"] += row["outcome"] == "open"
        if row["outcome"] != "open":
            counts["count_events_closed"] += row["count_events"]
            counts["total_duration_seconds_closed"] += row["duration_seconds"]
    return list(rows.values())


def session_types(sessions):
    """One row per starter that occurs: the sessions that have it, and their share of the (session,
    starter) pairs.
    """
    names = [name for session in sessions for name in session["starters"]]
    return [
        {
            "starter_event_name": name,
            "count_sessions": names.count(name),
            "share_of_marked": share(names.count(name), len(names)),
        }
        for name in sorted(set(names))
    ]


def funnel_stages(sessions, settings, rules):
    """Rows: `(all)` (the funnel's own sessions) and each of its starters that occurs; no row for
    unmarked.

    count_sessions: the number that reached the stage. count_dropped and count_open at a stage:
    sessions of that outcome whose furthest stage in this funnel it is. Open sessions are in every
    other figure.
    """
    rows = []
    for funnel in settings["funnels"]:
        name = funnel["funnel"]
        for starter, of_starter in by_starter(own_sessions(sessions, funnel), funnel).items():
            before = len(of_starter)
            for stage in funnel["stages"]:
                order = stage["stage_order"]
                reached = [
                    session for session in of_starter if len(session["funnels"][name]) >= order
                ]
                ended = [
                    session["row"]["outcome"]
                    for session in reached
                    if len(session["funnels"][name]) == order
                ]
                step_rate = share(len(reached), before)
                rows.append(
                    {
                        "funnel": name,
                        "starter_event_name": starter,
                        "segment": "(all)",
                        "segment_value": "(all)",
                        "phase": stage["phase"],
                        "stage_order": order,
                        "stage": stage["stage"],
                        "count_sessions": len(reached),
                        "share_of_sessions": share(len(reached), len(of_starter)),
                        "step_conversion_rate": step_rate,
                        "count_dropped": ended.count("dropped"),
                        "count_open": ended.count("open"),
                        "is_drop_off": is_drop_off(step_rate, stage, rules),
                        "stage_outcome": stage["outcome"],
                    }
                )
                before = len(reached)
    return rows


def is_drop_off(step_rate, stage, rules):
    """Drop-off flag: step conversion < `drop_off_step_rate` at a stage with no outcome."""
    if step_rate is None or stage["outcome"]:
        return False
    return step_rate < rules["drop_off_step_rate"]


def leaks(sessions, settings, rules):
    """A leak (stage × segment), the sessions it lost. Open sessions are left out; segments as of
    the session's start, those held back that are small. Stages before the goal: the conversion, or
    the last; the start of a session is a stage of the primary funnel.
    """
    rows = []
    for funnel in settings["funnels"]:
        goals = [s["stage_order"] for s in funnel["stages"] if s["outcome"] == "conversion"]
        goal = goals[0] if goals else len(funnel["stages"])
        groups = {}
        for session in own_sessions(sessions, funnel):
            if session["row"]["outcome"] != "open":
                for segment in segments_of(session["row"], rules).items():
                    reached = len(session["funnels"][funnel["funnel"]])
                    groups.setdefault(segment, []).append(reached)
        for order in range(0 if funnel["is_primary"] else 1, goal):
            count_all = sum(reached >= order for reached in groups.get(("(all)", "(all)"), []))
            went_on_all = sum(reached > order for reached in groups.get(("(all)", "(all)"), []))
            for (segment, value), furthest in groups.items():
                came = sum(reached >= order for reached in furthest)
                went_on = sum(reached > order for reached in furthest)
                at_goal = sum(reached >= goal for reached in furthest)
                least = min(came, count_all - came)
                is_held_back = segment != "(all)" and least < rules["min_comparison_sessions"]
                if came:
                    rows.append(
                        {
                            "funnel": funnel["funnel"],
                            "stage_order": order,
                            "segment": segment,
                            "segment_value": value,
                            "count_in_funnel": len(furthest),
                            "count_reached": came,
                            "count_went_on": went_on,
                            "count_lost": came - went_on,
                            "share_lost": (came - went_on) / len(furthest),
                            "is_held_back": is_held_back,
                            "step_rate": None if is_held_back else went_on / came,
                            "later_rate": None if is_held_back else share(at_goal, went_on),
                            "rest_step_rate": None
                            if is_held_back
                            else share(went_on_all - went_on, count_all - came),
                        }
                    )
    return rows


def own_sessions(sessions, funnel):
    """A funnel is evaluated only on sessions that have one of its starters."""
    return [session for session in sessions if funnel["funnel"] in session["funnels"]]


def by_starter(sessions, funnel=None):
    """`(all)` and each starter that occurs, of the funnel's own where one is given; no row for
    unmarked.
    """
    groups = {"(all)": sessions}
    for session in sessions:
        for name in session["starters"]:
            if funnel is None or is_for(funnel, [name]):
                groups.setdefault(name, []).append(session)
    return groups


def funnel_daily(sessions, settings):
    """One row per date × funnel × starter × platform × stage, wherever the first four occur."""
    rows = []
    for funnel in settings["funnels"]:
        name = funnel["funnel"]
        for starter, of_starter in by_starter(own_sessions(sessions, funnel), funnel).items():
            groups = {}
            for session in of_starter:
                platform = session["row"]["platform"]
                platform = "(unknown)" if platform is None else platform
                groups.setdefault((session["row"]["session_date"], platform), []).append(session)
            for (session_date, platform), members in groups.items():
                for stage in funnel["stages"]:
                    reached = [
                        session
                        for session in members
                        if len(session["funnels"][name]) >= stage["stage_order"]
                    ]
                    rows.append(
                        {
                            "session_date": session_date,
                            "funnel": name,
                            "starter_event_name": starter,
                            "platform": platform,
                            "stage_order": stage["stage_order"],
                            "stage": stage["stage"],
                            "count_sessions": len(members),
                            "count_reached": len(reached),
                        }
                    )
    return rows


def end_events(sessions, settings, rules):
    """A session's end event is its last. Open sessions are left out of every count here.

    Share = sessions ending there ÷ sessions; exit rate = sessions ending there ÷ sessions in which
    it occurred. HIGH: share ≥ `high_drop_share` and not a likely exit. A row for each event that
    ends one.
    """
    ended = [session for session in sessions if session["row"]["outcome"] != "open"]
    rows = []
    for starter, of_starter in by_starter(ended).items():
        ends, occurs = {}, {}
        for session in of_starter:
            last = session["row"]["last_event_name"]
            ends[last] = ends.get(last, 0) + 1
            for name in {event["event_name"] for event in session["events"]}:
                occurs[name] = occurs.get(name, 0) + 1
        for name, count_ended in ends.items():
            share_of_sessions = share(count_ended, len(of_starter))
            likely = is_likely_exit(name, settings)
            is_high = share_of_sessions >= rules["high_drop_share"] and not likely
            rows.append(
                {
                    "starter_event_name": starter,
                    "event_name": name,
                    "count_ended": count_ended,
                    "share_of_sessions": share_of_sessions,
                    "count_reached": occurs[name],
                    "exit_rate": share(count_ended, occurs[name]),
                    "is_likely_exit": likely,
                    "severity": "HIGH" if is_high else "NORMAL",
                }
            )
    return rows


def is_likely_exit(event_name, settings):
    """Likely exit: role telemetry, or an event of a stage of the primary funnel with an outcome."""
    return role_of(event_name, settings) == "telemetry" or any(
        stage["outcome"] and event_name in stage["event_names"]
        for stage in primary_funnel(settings)["stages"]
    )


def journey_edges(sessions, rules):
    """The transitions of the paths by position (step_number 1 leaves the first element) up to an
    explicit end.

    A row for each starter, `(all)` and `(unmarked)`, step, source and target that occurs.
    """
    unmarked = [session for session in sessions if not session["starters"]]
    rows = []
    for starter, of_starter in {**by_starter(sessions), "(unmarked)": unmarked}.items():
        counts = {}
        for session in of_starter:
            for edge in edges_of(session, rules):
                counts[edge] = counts.get(edge, 0) + 1
        for (step_number, source, target), count_sessions in counts.items():
            rows.append(
                {
                    "starter_event_name": starter,
                    "step_number": step_number,
                    "source_event": source[0],
                    "source_kind": source[1],
                    "target_event": target[0],
                    "target_kind": target[1],
                    "count_sessions": count_sessions,
                }
            )
    return rows


def edges_of(session, rules):
    """A path ends in `(dropped)`, `(converted)` or `(open)`; one longer than `journey_max_steps`
    goes to `(longer)` from its 20th element; an empty path is `(none)`. Nodes are bare event names;
    `source_kind` and `target_kind` tell an event from an end that bears the same name.

    An edge is (step_number, (source, its kind), (target, its kind)).
    """
    nodes = [(step["event_name"], "event") for step in session["path"]] or [("(none)", "none")]
    end = (f"({session['row']['outcome']})", "end")
    if len(nodes) > rules["journey_max_steps"]:
        nodes, end = nodes[: rules["journey_max_steps"]], ("(longer)", "end")
    targets = [*nodes[1:], end]
    return [(number + 1, nodes[number], targets[number]) for number in range(len(nodes))]


def retention_weekly(sessions, rules):
    """Cohort: users by the Monday of the date of their first session, for each starter that session
    has (and `(all)`).

    A cell is mature when all its users are eligible (retained counts the eligible only; weeks up to
    `retention_weeks`); the rate of a cell that is not is null, never 0.
    """
    sessions_by_user = grouped([session["row"] for session in sessions], "user_id")
    firsts = [session for session in sessions if session["row"]["user_session_number"] == 1]
    rows = []
    for starter, of_starter in by_starter(firsts).items():
        cohorts = {}
        for session in of_starter:
            first_date = session["row"]["session_date"]
            dates = [row["session_date"] for row in sessions_by_user[session["row"]["user_id"]]]
            cohorts.setdefault(monday_of(first_date), []).append((first_date, dates))
        for cohort_week, members in cohorts.items():
            for week_number in range(1, rules["retention_weeks"] + 1):
                eligible = [
                    (first_date, dates)
                    for first_date, dates in members
                    if is_eligible(first_date, week_number, rules)
                ]
                retained = [
                    (first_date, dates)
                    for first_date, dates in eligible
                    if is_retained(first_date, dates, week_number)
                ]
                is_mature = len(eligible) == len(members)
                rows.append(
                    {
                        "starter_event_name": starter,
                        "cohort_week": cohort_week,
                        "week_number": week_number,
                        "count_cohort": len(members),
                        "count_eligible": len(eligible),
                        "count_retained": len(retained),
                        "retention_rate": share(len(retained), len(eligible))
                        if is_mature
                        else None,
                    }
                )
    return rows


def monday_of(day):
    """The Monday of a date."""
    while day.isoweekday() != 1:
        day -= timedelta(days=1)
    return day


def days_of_week(first_date, week_number):
    """Week n: days 7(n−1)..7n−1 after the first session's date."""
    return [
        first_date + timedelta(days=number)
        for number in range(7 * (week_number - 1), 7 * week_number)
    ]


def is_eligible(first_date, week_number, rules):
    """Eligible: that week lies wholly before the date of `as_of`."""
    today = local_date(rules["as_of"], rules)
    return all(day < today for day in days_of_week(first_date, week_number))


def is_retained(first_date, dates, week_number):
    """Retained: any session in week n (week 1 is 100 % by this)."""
    return any(day in dates for day in days_of_week(first_date, week_number))


# --- return: by session --------------------------------------------------------------------------

BRACKETS = {
    "same_day": range(0, 1),
    "next_day": range(1, 2),
    "days_2_7": range(2, 8),
    "days_8_14": range(8, 15),
}


def return_by_starter(sessions, rules):
    """After a session of a type: another session of the user later the same day, the next day, in
    days 2–7, in days 8–14. The rate is over the eligible.
    """
    if not sessions:
        return []
    sessions_by_user = grouped([session["row"] for session in sessions], "user_id")
    rows = []
    for starter, of_starter in by_starter(sessions).items():
        for bracket, days in BRACKETS.items():
            eligible = [
                session["row"]
                for session in of_starter
                if is_bracket_over(session["row"], days, rules)
            ]
            returned = [
                row for row in eligible if does_return(row, days, sessions_by_user[row["user_id"]])
            ]
            rows.append(
                {
                    "starter_event_name": starter,
                    "bracket": bracket,
                    "count_sessions": len(of_starter),
                    "count_eligible": len(eligible),
                    "count_returned": len(returned),
                    "return_rate": share(len(returned), len(eligible)),
                }
            )
    return rows


def is_bracket_over(row, days, rules):
    """Only sessions whose bracket lies wholly before the date of `as_of` are eligible."""
    today = local_date(rules["as_of"], rules)
    return all(row["session_date"] + timedelta(days=number) < today for number in days)


def does_return(row, days, of_user):
    """Another session of the user, later, in the bracket."""
    dates = [row["session_date"] + timedelta(days=number) for number in days]
    return any(
        other["user_session_number"] > row["user_session_number"] and other["session_date"] in dates
        for other in of_user
    )


# --- timeline ------------------------------------------------------------------------------------


def user_timeline(staged, sessions, settings, rules):
    """A user's sessions in order, and one gap row for each run of whole days without a session
    between two of them, and after the last one up to the day before `as_of`'s.
    """
    ambient = [event for event in staged if event["event_role"] == "ambient"]
    ambient_by_user = grouped(ambient, "user_id")
    rows = []
    for user_id, of_user in grouped([session["row"] for session in sessions], "user_id").items():
        lines = []
        for row, later in zip(of_user, [*of_user[1:], None], strict=True):
            lines.append(session_line(row))
            silent = days_without(row, later, rules)
            if silent:
                lines.append(gap_line(silent, ambient_by_user.get(user_id, []), settings, rules))
        for number, line in enumerate(lines, start=1):
            rows.append({"user_id": user_id, "row_number": number, **line})
    return rows


def session_line(row):
    """A session as the timeline tells it."""
    return {
        "row_kind": "session",
        "started_at": row["session_started_at"],
        "ended_at": row["session_ended_at"],
        "session_id": row["session_id"],
        "starter_path": row["starter_path"],
        "outcome": row["outcome"],
        "result": row["result"],
        "count_events": row["count_events"],
        "duration_seconds": row["duration_seconds"],
        "ambient_summary": None,
    }


def days_without(row, later, rules):
    """A day that a session covers in part is not without one."""
    day = local_date(row["session_ended_at"], rules) + timedelta(days=1)
    end = later["session_date"] if later else local_date(rules["as_of"], rules)
    silent = []
    while day < end:
        silent.append(day)
        day += timedelta(days=1)
    return silent


def gap_line(silent, ambient, settings, rules):
    """A gap's started_at and ended_at are the local midnights that begin its first and its last
    day.
    """
    return {
        "row_kind": "gap",
        "started_at": local_midnight(silent[0], rules),
        "ended_at": local_midnight(silent[-1], rules),
        "session_id": None,
        "starter_path": None,
        "outcome": None,
        "result": None,
        "count_events": None,
        "duration_seconds": None,
        "ambient_summary": ambient_summary(silent, ambient, settings, rules),
    }


def local_midnight(day, rules):
    """The moment at which a date begins on the wall, in UTC."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(rules["reporting_timezone"]))
    return midnight.astimezone(ZoneInfo("UTC")).replace(tzinfo=None)


def ambient_summary(silent, ambient, settings, rules):
    """`5 Push Failures` (count and label, plural with s, by falling count, then label, joined by
    `, `; null where nothing happened).
    """
    counts = {}
    for event in ambient:
        if local_date(event["event_time"], rules) in silent:
            label = settings["labels"][event["event_name"]]
            counts[label] = counts.get(label, 0) + 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0].encode()))
    told = [f"{count} {label}" + ("" if count == 1 else "s") for label, count in ordered]
    return ", ".join(told) or None


# --- comparison ----------------------------------------------------------------------------------

METRICS = {
    "avg_events": lambda row: row["count_events"],
    "avg_duration_seconds": lambda row: row["duration_seconds"],
    "conversion_rate": lambda row: int(row["is_converted"]),
    "bounce_rate": lambda row: int(row["is_bounce"]),
}
RATES = ("conversion_rate", "bounce_rate")


def type_comparisons(sessions, settings, rules):
    """Two starters, each metric side by side, the difference b − a, its 95 % interval, and whether
    it is significant after Benjamini-Hochberg over the whole table (unordered pairs).
    """
    sides = {name: of for name, of in by_starter(sessions).items() if name != "(all)"}
    pairs = []
    for starter_a in sorted(sides, key=str.encode):
        for starter_b in sorted(sides, key=str.encode):
            if starter_a.encode() < starter_b.encode():
                for metric in METRICS:
                    pairs.append(compared(starter_a, starter_b, metric, sides, rules))
    judged = [pair for pair in pairs if is_judged(pair, rules)]
    adjusted = scipy.stats.false_discovery_control([pair["p_value"] for pair in judged] or [1])
    for pair, p_value in zip(judged, adjusted, strict=False):
        pair["p_value_adjusted"] = float(p_value)
    rows = []
    for pair in pairs:
        for row in (pair, mirrored(pair)):
            rows.append({**row, "verdict": verdict(row)})
            if row["metric"] == "conversion_rate":
                rows.append(drop_offs_compared(row, sides, settings))
    return rows


def closed(sessions):
    """Rates and averages of sessions are over sessions that are not open."""
    return [session["row"] for session in sessions if session["row"]["outcome"] != "open"]


def compared(starter_a, starter_b, metric, sides, rules):
    """Errors are clustered by user: a session with both starters is on both sides.

    For rates a success and a failure are added to each side (Agresti and Caffo 2000). The error is
    the larger of each side's own and the pooled one; degrees of freedom are the users of the
    smaller side less one.
    """
    side_a = measured(closed(sides[starter_a]), metric)
    side_b = measured(closed(sides[starter_b]), metric)
    difference = low = high = p_value = None
    if side_a["value"] is not None and side_b["value"] is not None:
        difference = side_b["value"] - side_a["value"]
        low, high, p_value = tested(side_a, side_b, difference)
    return {
        "starter_a": starter_a,
        "starter_b": starter_b,
        "metric": metric,
        "count_sessions_a": side_a["sessions"],
        "count_sessions_b": side_b["sessions"],
        "count_users_a": len(side_a["users"]),
        "count_users_b": len(side_b["users"]),
        "value_a": side_a["value"],
        "value_b": side_b["value"],
        "text_a": None,
        "text_b": None,
        "difference": difference,
        "difference_low": low,
        "difference_high": high,
        "p_value": p_value,
        "p_value_adjusted": None,
    }


def measured(rows, metric):
    """A side: its value, and each user's residual about the mean."""
    users = {}
    for row in rows:
        total, count = users.get(row["user_id"], (0, 0))
        users[row["user_id"]] = (total + METRICS[metric](row), count + 1)
    added = 1 if metric in RATES else 0
    total = sum(total for total, _ in users.values())
    weight = len(rows) + 2 * added
    mean = (total + added) / weight if weight else None
    residuals = {user: total - mean * count for user, (total, count) in users.items()}
    squares = sum(residual**2 for residual in residuals.values())
    squares += added * ((1 - mean) ** 2 + mean**2) if added else 0
    clusters = len(users) + 2 * added
    return {
        "sessions": len(rows),
        "users": users,
        "value": share(total, len(rows)),
        "mean": mean,
        "weight": weight,
        "residuals": residuals,
        "squares": squares * clusters / (clusters - 1) if clusters > 1 else None,
    }


def tested(side_a, side_b, difference):
    """The interval of the difference, which holds the difference itself, and its p-value."""
    degrees = min(len(side_a["users"]), len(side_b["users"])) - 1
    if degrees < 1:
        return None, None, None
    own = side_a["squares"] / side_a["weight"] ** 2 + side_b["squares"] / side_b["weight"] ** 2
    pooled = (side_a["squares"] + side_b["squares"]) / (side_a["weight"] + side_b["weight"])
    pooled *= 1 / side_a["weight"] + 1 / side_b["weight"]
    shared = sum(
        side_a["residuals"][user] * side_b["residuals"][user]
        for user in side_a["users"].keys() & side_b["users"].keys()
    ) / (side_a["weight"] * side_b["weight"])
    error = max(max(own, pooled) - 2 * shared, 0) ** 0.5
    shift = side_b["mean"] - side_a["mean"]
    if error < 1e-12:
        return (0, 0, 1) if abs(shift) < 1e-12 else (None, None, None)
    reach = scipy.stats.t.ppf(0.975, degrees) * error
    p_value = 2 * scipy.stats.t.sf(abs(shift) / error, degrees)
    return min(shift - reach, difference), max(shift + reach, difference), p_value


def is_judged(pair, rules):
    """Below `min_comparison_sessions` 30 (not open) on a side: no verdict."""
    fewest = min(pair["count_sessions_a"], pair["count_sessions_b"])
    return fewest >= rules["min_comparison_sessions"] and pair["p_value"] is not None


def mirrored(pair):
    """The ordered pair the other way round."""
    turned = dict(pair)
    for name in ("starter", "count_sessions", "count_users", "value", "text"):
        turned[f"{name}_a"], turned[f"{name}_b"] = pair[f"{name}_b"], pair[f"{name}_a"]
    for name, source in (
        ("difference", "difference"),
        ("difference_low", "difference_high"),
        ("difference_high", "difference_low"),
    ):
        turned[name] = None if pair[source] is None else 0 - pair[source]
    return turned


def verdict(row):
    """Better and worse are marked only where significant; of averages neither is better."""
    if row["p_value_adjusted"] is None:
        return None
    if row["p_value_adjusted"] >= 0.05:
        return "no clear difference"
    is_higher = row["difference"] > 0
    if row["metric"] == "conversion_rate":
        return "better" if is_higher else "worse"
    if row["metric"] == "bounce_rate":
        return "worse" if is_higher else "better"
    return "higher" if is_higher else "lower"


def drop_offs_compared(pair, sides, settings):
    """`top_drop_off` is the end event of most dropped sessions that is no likely exit."""
    nothing = ("value_a", "value_b", "difference", "difference_low", "difference_high")
    return {
        **pair,
        **dict.fromkeys([*nothing, "p_value", "p_value_adjusted", "verdict"]),
        "metric": "top_drop_off",
        "text_a": top_drop_off(sides[pair["starter_a"]], settings),
        "text_b": top_drop_off(sides[pair["starter_b"]], settings),
    }


def top_drop_off(sessions, settings):
    """Ties: by bytes."""
    counts = {}
    for session in sessions:
        row = session["row"]
        if row["outcome"] == "dropped" and not is_likely_exit(row["last_event_name"], settings):
            counts[row["last_event_name"]] = counts.get(row["last_event_name"], 0) + 1
    return min(counts, key=lambda name: (-counts[name], name.encode()), default=None)


def data_health(staged, rejected, settings, rules):
    """One row per received date; share_late, share_unknown_events and max_lag_seconds over staged
    rows.

    Late: received more than `late_after_seconds` after event_time.
    """
    staged_by_date, rejected_by_date = {}, {}
    for event in staged:
        staged_by_date.setdefault(received_date(event, rules), []).append(event)
    for row in rejected:
        rejected_by_date.setdefault(row["received_date"], []).append(row)
    rows = []
    for day in {**staged_by_date, **rejected_by_date}:
        events, refused = staged_by_date.get(day, []), rejected_by_date.get(day, [])
        lags = [seconds_between(event["event_time"], event["received_at"]) for event in events]
        late = [lag for lag in lags if lag > rules["late_after_seconds"]]
        unknown = [event for event in events if event["event_name"] not in settings["event_types"]]
        rows.append(
            {
                "received_date": day,
                "count_landed": len(events) + len(refused),
                "count_staged": len(events),
                "count_rejected": len(refused),
                **{
                    f"count_{reason}": [row["reason"] for row in refused].count(reason)
                    for reason in REASONS
                },
                "share_late": share(len(late), len(events)),
                "share_unknown_events": share(len(unknown), len(events)),
                "max_lag_seconds": max(lags, default=None),
                "count_over_an_hour": len([lag for lag in lags if lag > 60 * 60]),
                "count_over_a_day": len([lag for lag in lags if lag > 24 * 60 * 60]),
                "count_ahead": len([lag for lag in lags if lag < 0]),
                "max_ahead_seconds": max((-lag for lag in lags if lag < 0), default=None),
            }
        )
    return rows


# --- interventions -------------------------------------------------------------------------------


def ledger_marts(ledger_glob, sessions, rules):
    """Who was assigned which arm, when, at which stage, and what it changed."""
    assignments, rejected = stage_assignments(read_landing(ledger_glob), rules)
    reasons = [row["reason"] for row in rejected]
    units = assigned_units(assignments, sessions, rules)
    return {
        "assignments": assignments,
        "rejected_assignments": rejected,
        "fct_ledger_health": [
            {"reject_reason": "(staged)", "count_rows": len(assignments)},
            *(
                {"reject_reason": reason, "count_rows": reasons.count(reason)}
                for reason in LEDGER_REASONS
            ),
        ],
        "fct_intervention_results": intervention_results(units, rules),
        "fct_intervention_daily": intervention_daily(units, rules),
    }


def stage_assignments(files, rules):
    """Landed = staged + rejected; the copy received first stays, ties by the other columns."""
    left, rejected = [], []
    for file in files:
        for row in file["rows"]:
            assignment, reason = None, "unreadable"
            if row["values"] is not None:
                assignment = assignment_of(row["values"], rules)
                reason = reason_to_reject_assignment(assignment, rules)
            if reason is None:
                left.append(assignment)
            else:
                rejected.append({"reason": reason})
    staged = []
    for copies in grouped(left, "assignment_id").values():
        copies.sort(key=order_of_assignments)
        staged.append(copies[0])
        rejected += [{"reason": "duplicate_assignment_id"} for _ in copies[1:]]
    return staged, rejected


def assignment_of(values, rules):
    """Columns are found by their names; the share is a half where the row says nothing."""
    assignment = {name: as_text(values.get(name)) for name in LEDGER_TEXTS}
    text = assignment["planned_treated_share"]
    try:
        assignment["planned_treated_share"] = 0.5 if is_missing(text) else float(text)
    except ValueError:
        assignment["planned_treated_share"] = math.nan
    if is_missing(assignment["session_id"]):
        assignment["session_id"] = None
    assignment["assigned_at"] = parse_time(values.get("assigned_at"))
    received_at = parse_time(values.get("received_at"))
    is_valid = is_valid_received_at(received_at, rules)
    assignment["has_valid_received_at"] = is_valid
    assignment["received_at"] = received_at if is_valid else assignment["assigned_at"]
    return assignment


def reason_to_reject_assignment(assignment, rules):
    """One reason, the first that applies (duplicates are looked for among the rows left)."""
    for name in ("assignment_id", "intervention", "user_id", "stage"):
        if is_missing(assignment[name]):
            return f"missing_{name}"
    if assignment["unit"] not in ("session", "user"):
        return "bad_unit"
    if assignment["arm"] not in ("treated", "control"):
        return "bad_arm"
    if not 0 < assignment["planned_treated_share"] < 1:
        return "bad_planned_share"
    if is_bad_time(assignment["assigned_at"], rules):
        return "bad_assigned_at"
    if is_in_future({**assignment, "event_time": assignment["assigned_at"]}, rules):
        return "assigned_in_future"
    return None


def order_of_assignments(assignment):
    """Received first; then the other columns in order, null last."""
    session_id = assignment["session_id"]
    return (
        assignment["received_at"],
        *(assignment[name].encode() for name in ("intervention", "unit", "user_id")),
        (session_id is None, (session_id or "").encode()),
        *(assignment[name].encode() for name in ("stage", "arm")),
        assignment["planned_treated_share"],
        assignment["assigned_at"],
    )


def assigned_units(assignments, sessions, rules):
    """One unit assigned several times to an intervention: its first assignment counts (by time,
    then id). One found in both arms is kept out.
    """
    units = {}
    for assignment in assignments:
        row = session_of(assignment, sessions)
        if assignment["unit"] == "user":
            thing = None
        elif row is not None:
            thing = row["session_id"]
        else:
            thing = assignment["session_id"]
        key = (assignment["intervention"], assignment["unit"], assignment["user_id"], thing)
        units.setdefault(key, []).append((assignment, row))
    return [unit_of(of_unit, sessions, rules) for of_unit in units.values()]


def session_of(assignment, sessions):
    """The session it names, where that is the user's; else the user's latest session that started
    at or before the assignment.
    """
    rows = [
        session["row"] for session in sessions if session["row"]["user_id"] == assignment["user_id"]
    ]
    if assignment["session_id"] is not None:
        rows = [row for row in rows if hash_of(row["session_id"]) == assignment["session_id"]]
    else:
        rows = [row for row in rows if row["session_started_at"] <= assignment["assigned_at"]]
    return max(rows, key=lambda row: row["user_session_number"], default=None)


def hash_of(texts):
    """A session's id as the warehouse makes it of its user and its opening event."""
    return hashlib.md5("|".join(f"{len(text)}|{text}" for text in texts).encode()).hexdigest()


def unit_of(of_unit, sessions, rules):
    """What became of a unit, by its first assignment."""
    of_unit.sort(key=lambda pair: (pair[0]["assigned_at"], pair[0]["assignment_id"].encode()))
    assignment, row = of_unit[0]
    window = timedelta(minutes=rules["effect_window_minutes"])
    ends_at = assignment["assigned_at"] + window
    is_of_user = assignment["unit"] == "user"
    if len({assignment["arm"] for assignment, _ in of_unit}) == 2:
        state = "in_both_arms"
    elif row is None:
        state = "unmatched"
    elif ends_at <= rules["as_of"] and (is_of_user or row["outcome"] != "open"):
        state = "matured"
    else:
        state = "pending"
    own = [
        session["row"]
        for session in sessions
        if session["row"]["user_id"] == assignment["user_id"]
        and (is_of_user or (row and session["row"]["session_id"] == row["session_id"]))
    ]
    is_converted = any(
        own_row["converted_at"] is not None
        and assignment["assigned_at"] <= own_row["converted_at"] <= ends_at
        for own_row in own
    )
    return {**assignment, "state": state, "is_converted": is_converted, **segments_of(row, rules)}


def segments_of(row, rules):
    """All as of the session's start; (unknown) where there is no session, or no value."""
    unknown = dict.fromkeys(("platform", "app_version", "city"), None)
    values = {name: (row or unknown)[name] or "(unknown)" for name in unknown}
    if row is None:
        return {"(all)": "(all)", **values, "user_type": "(unknown)", "hour_of_day": "(unknown)"}
    zone = ZoneInfo(rules["reporting_timezone"])
    started_at = row["session_started_at"].replace(tzinfo=ZoneInfo("UTC")).astimezone(zone)
    first_hour = started_at.hour // 4 * 4
    return {
        "(all)": "(all)",
        **values,
        "user_type": "new" if row["is_new_user"] else "returning",
        "hour_of_day": f"{first_hour:02}:00-{first_hour + 3:02}:59",
    }


def intervention_results(units, rules):
    """Effect = difference in conversion between the arms over all assigned whose window has
    passed.
    """
    rows = []
    for intervention, of_all in grouped(units, "intervention").items():
        first = min(of_all, key=lambda u: (u["assigned_at"], u["assignment_id"].encode()))
        has_both_arms = {arm_of(unit) for unit in of_all} >= {"treated", "control"}
        split_of_all = split(of_all) if has_both_arms else None
        of_intervention = []
        for segment in ("(all)", "platform", "app_version", "city", "user_type", "hour_of_day"):
            for value, of_value in grouped(of_all, segment).items():
                p_value = split(of_value) if has_both_arms else None
                count_pending = count_of(of_value, "pending")
                row = {
                    "intervention": intervention,
                    "segment": segment,
                    "segment_value": value,
                    "stage": first["stage"],
                    "unit": first["unit"],
                    "count_assigned": len(of_value),
                    "count_pending": count_pending,
                    "count_unmatched": count_of(of_value, "unmatched"),
                    "count_in_both_arms": count_of(of_value, "in_both_arms"),
                    **arms_of(of_value),
                    **effect_of(of_value, rules),
                    "p_value_adjusted": None,
                    "planned_treated_share": sum(u["planned_treated_share"] for u in of_value)
                    / len(of_value),
                    "srm_p_value": p_value,
                    "is_srm_warning": p_value is not None and p_value < 0.001,
                    "is_finished": count_pending == 0,
                    "first_assigned_at": min(unit["assigned_at"] for unit in of_value),
                    "last_assigned_at": max(unit["assigned_at"] for unit in of_value),
                }
                row["rate_treated"] = share(row["converted_treated"], row["count_treated"])
                row["rate_control"] = share(row["converted_control"], row["count_control"])
                row["evidence"] = evidence_of(row, has_both_arms, split_of_all)
                of_intervention.append(row)
        adjust(of_intervention)
        rows += of_intervention
    return rows


def arm_of(unit):
    """A unit in both arms is of neither."""
    return None if unit["state"] == "in_both_arms" else unit["arm"]


def count_of(units, state):
    """Units of a state."""
    return sum(unit["state"] == state for unit in units)


def arms_of(units):
    """Matured units of each arm, and those that converted."""
    counts = {}
    for arm in ("treated", "control"):
        of_arm = [u for u in units if u["state"] == "matured" and u["arm"] == arm]
        counts[f"count_{arm}"] = len(of_arm)
        counts[f"converted_{arm}"] = sum(unit["is_converted"] for unit in of_arm)
    return counts


def effect_of(units, rules):
    """The interval as in comparisons; null below `min_comparison_sessions` units, or two users,
    on a side.
    """
    none = dict.fromkeys(("effect", "effect_low", "effect_high", "p_value"))
    sides = {}
    for arm in ("control", "treated"):
        of_arm = [u for u in units if u["state"] == "matured" and u["arm"] == arm]
        if len(of_arm) < rules["min_comparison_sessions"]:
            return none
        sides[arm] = measured(of_arm, "conversion_rate")
        if len(sides[arm]["users"]) < 2:
            return none
    effect = sides["treated"]["value"] - sides["control"]["value"]
    low, high, p_value = tested(sides["control"], sides["treated"], effect)
    return {"effect": effect, "effect_low": low, "effect_high": high, "p_value": p_value}


def split(units):
    """Chi-square with one degree of freedom against the planned share; nothing where fewer than
    five units are expected in an arm.
    """
    of_one_arm = [unit for unit in units if arm_of(unit)]
    shares = [unit["planned_treated_share"] for unit in of_one_arm]
    expected = sum(shares)
    # shares are drawn so that no sum of them lies a rounding away from five
    if min(expected, len(shares) - expected) < 5 - 1e-9:
        return None
    count = sum(unit["arm"] == "treated" for unit in of_one_arm)
    variance = sum(share * (1 - share) for share in shares)
    return 2 * scipy.stats.norm.sf(abs(count - expected) / variance**0.5)


def evidence_of(row, has_both_arms, split_of_all):
    """The first that applies."""
    if not has_both_arms:
        return "observational"
    if row["is_srm_warning"] or (split_of_all is not None and split_of_all < 0.001):
        return "broken split"
    if row["effect"] is None:
        return "too few"
    return "measured" if row["is_finished"] else "running"


def adjust(rows):
    """Benjamini-Hochberg over the segments of one intervention; `(all)` apart."""
    for is_of_all in (True, False):
        family = [
            row
            for row in rows
            if (row["segment"] == "(all)") == is_of_all and row["p_value"] is not None
        ]
        if family:
            adjusted = scipy.stats.false_discovery_control([row["p_value"] for row in family])
            for row, p_value in zip(family, adjusted, strict=True):
                row["p_value_adjusted"] = float(p_value)


def intervention_daily(units, rules):
    """Matured units by the date of their assignment, and the effect of all up to it."""
    rows = []
    matured = [
        {**unit, "date": local_date(unit["assigned_at"], rules)}
        for unit in units
        if unit["state"] == "matured"
    ]
    for intervention, of_all in grouped(matured, "intervention").items():
        for day, of_day in grouped(of_all, "date").items():
            effect = effect_of([unit for unit in of_all if unit["date"] <= day], rules)
            del effect["p_value"]
            rows.append(
                {
                    "intervention": intervention,
                    "assigned_date": day,
                    **arms_of(of_day),
                    **effect,
                }
            )
    return rows


# --- small words ---------------------------------------------------------------------------------


def share(part, whole):
    """A rate over nothing is null."""
    return part / whole if whole else None


def grouped(rows, name):
    """Rows by the value of one of their columns, in the order in which they come."""
    groups = {}
    for row in rows:
        groups.setdefault(row[name], []).append(row)
    return groups


# --- made-up histories ---------------------------------------------------------------------------


def write_ledger(files, folder):
    """Write the files of a made-up ledger below a folder; give its glob."""
    ledger = Path(folder) / "interventions"
    ledger.mkdir()
    for file in files:
        (ledger / file.name).write_bytes(file.content())
    return f"{ledger}/*"


def write_landing(history, folder):
    """Write a history below a folder; give (landing glob, settings folder, vars) for `marts`."""
    events, settings = Path(folder) / "events", Path(folder) / "settings"
    for below in (events, settings):
        below.mkdir(parents=True, exist_ok=True)
    for file in history.files:
        (events / file.name).write_bytes(file.content())
    for name, text in history.settings.items():
        (settings / name).write_text(text, encoding="utf-8")
    return f"{events}/*", str(settings), dict(history.vars)
