"""Which app the environment names: its events, its ledger, its warehouse, and how rows are read."""

import os
from importlib import util
from pathlib import Path
from types import ModuleType

import yaml

ROOT = Path(__file__).resolve().parent.parent


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
        raise ValueError(f"--vars is '{text}'; write it like '{{control_share: 0.2}}'.")
    return given


def staging_module(name: str) -> ModuleType:
    """A Python model of staging as a module: whoever reads what landed reads it as a build does."""
    spec = util.spec_from_file_location(name, ROOT / "models" / "staging" / f"{name}.py")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sql_text(text: str) -> str:
    """Text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"
