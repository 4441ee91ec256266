"""Which app the environment names: its events, its ledger, its warehouse, and how rows are read."""

import json
import os
import re
from importlib import util
from pathlib import Path
from types import ModuleType
from zoneinfo import available_timezones

import yaml

ROOT = Path(__file__).resolve().parent.parent
EVENT_COLUMNS = (
    "event_id",
    "user_id",
    "event_name",
    "event_time",
    "received_at",
    "platform",
    "app_version",
    "city",
)
UNITS = ("s", "ms", "us", "ns")
# as macros/check_vars.sql has it
TIME_FORMAT = re.compile("([^%]|%(-?[dmyHIMSj]|[aAbBpYgfnz%]))+")
# as GA4 types the value of a parameter
TYPED_VALUES = ("string", "int", "float", "double")


def events() -> str:
    """The landing zone: a folder or a glob."""
    return os.environ.get("DROPOFF_EVENTS") or "landing/events"


def ledger() -> str:
    """The landing zone of the ledger; empty where there is none. The demo has one."""
    default = "landing/interventions" if events() == "landing/events" else ""
    return os.environ.get("DROPOFF_INTERVENTIONS", default)


def warehouse() -> Path:
    """The DuckDB file that builds write."""
    return Path(os.environ.get("DROPOFF_WAREHOUSE") or "warehouse.duckdb")


def live_folder() -> Path:
    """Where live keeps its own: shop.duckdb -> shop.live."""
    return Path(os.environ.get("DROPOFF_LIVE") or warehouse().with_suffix(".live"))


def given_vars(text: str) -> dict:
    """The vars of a command line, YAML. Raises ValueError, one sentence, where they are none."""
    try:
        given = yaml.safe_load(text) or {}
    except yaml.YAMLError:
        given = None
    if not isinstance(given, dict):
        raise stopped(f"--vars is '{text}'; write it like '{{control_share: 0.2}}'.")
    return given


def stopped(sentence: str) -> ValueError:
    """The error of a sentence, on one line whatever it quotes."""
    return ValueError(" ".join(sentence.splitlines()))


def event_sources(dbt_vars: dict) -> dict[str, list[dict]]:
    """{our column of events: where it comes from}, as macros/landed_columns.sql has it.

    A source is {column, unit, format, timezone}, all but the first optional; the first source that
    holds a value counts. Raises ValueError, one sentence, where the vars name no such thing.
    """
    project = yaml.safe_load((ROOT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
    formats = dbt_vars.get("event_formats", project["event_formats"])
    chosen = dbt_vars.get("event_format", project["event_format"])
    named = formats.get(str(chosen)) if isinstance(formats, dict) else None
    if chosen is not None and not isinstance(named, dict):
        raise stopped(f"The var event_format is '{chosen}', which is none of event_formats.")
    given = dbt_vars.get("event_columns", project["event_columns"])
    if not isinstance(given, dict):
        raise stopped(
            f"The var event_columns is '{given}'; write it like {{user_id: distinct_id}}."
        )
    columns = {name: name for name in EVENT_COLUMNS} | (named or {}) | given
    sources = {}
    for ours in EVENT_COLUMNS:
        listed = columns[ours] if isinstance(columns[ours], list) else [columns[ours]]
        sources[ours] = [
            source if isinstance(source, dict) else {"column": source} for source in listed
        ]
        if not listed or not all(isinstance(source.get("column"), str) for source in sources[ours]):
            raise stopped(
                f"The var event_columns maps {ours} to '{columns[ours]}', which is no column's "
                "name; write it like {user_id: distinct_id}."
            )
        for source in sources[ours]:
            wrong = wrong_in(source)
            if wrong:
                raise stopped(f"The var event_columns maps {ours} to '{columns[ours]}', {wrong}")
    return sources


def wrong_in(source: dict) -> str | None:
    """What is wrong with how a source says that its times are written, or None."""
    unit, written, zone = (source.get(name) for name in ("unit", "format", "timezone"))
    if "unit" in source and unit not in UNITS:
        return f"where the unit '{unit}' is none of {', '.join(UNITS)}."
    if "format" in source and (not isinstance(written, str) or not TIME_FORMAT.fullmatch(written)):
        return f"where '{written}' is no format of a time; write it like '%d.%m.%Y %H:%M:%S'."
    if "timezone" in source and str(zone) not in available_timezones():
        return f"where '{zone}' is no time zone; write an IANA name like Asia/Kolkata."
    return None


def is_found(source: dict, names: object) -> bool:
    """True where the column of a source, or the one its path begins in, is among the names."""
    return source["column"] in names or source["column"].split(".")[0] in names


def value_at(row: dict, column: str) -> object:
    """The value of a column, or of the field that a path leads to; None where there is none."""
    if column in row:
        return row[column]
    value: object = row
    for name in column.split("."):
        value = field_of(value, name)
    return value


def field_of(value: object, name: str) -> object:
    """The field of an object, also of one in a text, an item of a list, or a pair's value."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if isinstance(value, dict):
        return value.get(name)
    if not isinstance(value, list):
        return None
    if name.isdecimal() and int(name) < len(value):
        return value[int(name)]
    for pair in value:
        if isinstance(pair, dict) and pair.get("key") == name:
            found = pair.get("value")
            if isinstance(found, dict):
                kinds = [found.get(f"{kind}_value") for kind in TYPED_VALUES]
                return next((typed for typed in kinds if typed is not None), found)
            return found
    return None


def staging_module(name: str) -> ModuleType:
    """A Python model of staging as a module: whoever reads what landed reads it as a build does."""
    spec = util.spec_from_file_location(name, ROOT / "models" / "staging" / f"{name}.py")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sql_text(text: str) -> str:
    """Text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"
