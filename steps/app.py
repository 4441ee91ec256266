"""Which app the environment names: its events, its ledger, its warehouse, and how rows are read."""

import json
import os
import re
import zoneinfo
from functools import cache
from importlib import util
from pathlib import Path
from types import ModuleType

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
# as profiles.yml has it: readers with DuckDB 1.x can open the file
STORAGE = {"storage_compatibility_version": "v1.2.0"}
UNITS = ("s", "ms", "us", "ns")
# as macros/check_vars.sql has it
TIME_FORMAT = re.compile(r"([^%]|%(-?[dmyHIMSj]|[aAbBpYgfnz%]))+")
# as GA4 types the value of a parameter
TYPED_VALUES = ("string", "int", "float", "double")


def events() -> str:
    """The landing zone: a folder or a glob."""
    return os.environ.get("DROPOFF_EVENTS") or "landing/events"


def ledger() -> str:
    """The landing zone of the ledger; empty where there is none. The demo has one."""
    default = "landing/interventions" if events() == "landing/events" else ""
    return os.environ.get("DROPOFF_INTERVENTIONS", default)


def identities() -> str:
    """The landing zone that says who is whom; empty where there is none."""
    return os.environ.get("DROPOFF_IDENTITIES", "")


def settings() -> str:
    """The folder of settings files."""
    return os.environ.get("DROPOFF_SEEDS") or "seeds"


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
        raise stopped(
            f"VARS (--vars) is '{text}', which is no YAML mapping; "
            "write it like '{control_share: 0.2}'."
        )
    return given


def stopped(sentence: str) -> ValueError:
    """The error of a sentence, on one line whatever it quotes."""
    return ValueError(" ".join(sentence.splitlines()))


@cache
def project() -> dict:
    """The project file."""
    return yaml.safe_load((ROOT / "dbt_project.yml").read_text(encoding="utf-8"))


def project_vars() -> dict:
    """The vars as the project file has them."""
    return project()["vars"]


def event_sources(dbt_vars: dict) -> dict[str, list[dict]]:
    """{our column of events: where it comes from}, as macros/landed_columns.sql has it.

    A source is {column, unit, format, timezone}, all but the first optional; the first source that
    holds a value counts. Raises ValueError, one sentence, where the vars name no such thing.
    """
    project = project_vars()
    formats = dbt_vars.get("event_formats", project["event_formats"])
    chosen = dbt_vars.get("event_format", project["event_format"])
    if not isinstance(formats, dict) or not all(isinstance(f, dict) for f in formats.values()):
        raise stopped(
            f"The var event_formats is '{formats}'; write it like {{shop: {{user_id: who}}}}."
        )
    if chosen is not None and (not isinstance(chosen, str) or chosen not in formats):
        known = ", ".join(sorted(map(str, formats)))
        raise stopped(f"The var event_format is '{chosen}', which is none of {known}.")
    given = dbt_vars.get("event_columns", project["event_columns"])
    if not isinstance(given, dict):
        raise stopped(
            f"The var event_columns is '{given}'; write it like {{user_id: distinct_id}}."
        )
    of_format = sources_of("event_formats", formats[chosen]) if chosen else {}
    own = {name: [{"column": name}] for name in EVENT_COLUMNS}
    return own | of_format | sources_of("event_columns", given)


def sources_of(var_name: str, columns: dict) -> dict[str, list[dict]]:
    """The sources that a mapping of columns names.

    Raises ValueError with the sentence of macros/check_vars.sql where it is nonsense.
    """
    sources = {}
    for ours, landed in columns.items():
        what = f"The var {var_name} maps {ours} to '{landed}', "
        listed = landed if isinstance(landed, list) else [landed]
        if ours not in EVENT_COLUMNS:
            raise stopped(
                f"The var {var_name} maps '{ours}', which is none of {', '.join(EVENT_COLUMNS)}."
            )
        if not listed:
            raise stopped(
                what + "which names no column; write it like {user_id: [user_id, anonymous_id]}."
            )
        sources[ours] = [
            source if isinstance(source, dict) else {"column": source} for source in listed
        ]
        for source in sources[ours]:
            refuse_nonsense(what, ours, source)
    return sources


def refuse_nonsense(what: str, ours: str, source: dict) -> None:
    """Raise ValueError, a sentence that begins with `what`, where a source cannot be read."""
    unit, written, zone = (source.get(name) for name in ("unit", "format", "timezone"))
    unknown = [name for name in source if name not in ("column", "unit", "format", "timezone")]
    is_format = "%" in str(written) and TIME_FORMAT.fullmatch(str(written))
    problem = None
    if not isinstance(source.get("column"), str) or not source["column"]:
        problem = "which is no column's name; write it like {user_id: distinct_id}."
    elif unknown:
        problem = f"where '{unknown[0]}' is none of column, unit, format, timezone."
    elif ours not in ("event_time", "received_at") and len(source) > 1:
        problem = "but only event_time and received_at have a unit, a format or a time zone."
    elif "unit" in source and unit not in UNITS:
        problem = f"where the unit '{unit}' is none of s, ms, us, ns."
    elif "unit" in source and "format" in source:
        problem = "which has a unit and a format; a time is written in one of them."
    elif "format" in source and not is_format:
        problem = f"where '{written}' is no format of a time; write it like '%d.%m.%Y %H:%M:%S'."
    elif "timezone" in source and str(zone) not in zoneinfo.available_timezones():
        problem = f"where '{zone}' is no time zone; write an IANA name like Asia/Kolkata."
    if problem:
        raise stopped(what + problem)


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
