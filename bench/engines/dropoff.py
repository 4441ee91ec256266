"""W in dropoff: `dbt run` of its models in this process, one statement after the other.

    python bench/engines/dropoff.py LANDING WORK_FOLDER [dbt's own arguments]

Leaves w.duckdb in the work folder, and measured.json: {cpu, wall, models: {model: [cpu, wall]}},
the seconds spent inside DuckDB (statements, Python models, closing the file), without
dbt's start-up. Arguments replace the selection of the models of W.
"""

import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

import duckdb
import pandas  # noqa: F401  dbt imports these two with the first Python model: that is start-up
import pyarrow  # noqa: F401
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.duckdb.environments.local import DuckDBCursorWrapper, LocalEnvironment
from dbt.adapters.factory import get_adapter_by_type
from dbt.cli.main import dbtRunner
from settings import MEMORY_LIMIT, ROOT, SEEDS

MODELS = (
    "fct_session_events", "fct_sessions", "fct_journey_edges", "fct_funnel_stages",
    "fct_end_events", "fct_retention_weekly", "fct_overview_daily",
)  # fmt: skip

# the tables of W under the names by which figures.py reads them
FIGURE_VIEWS = {
    "landed": """
        with later_copies as (
            select count(*) as count_rows from staging.base_app__copies where copy_number > 1
        )
        select
            coalesce(reject_reason, 'staged') as judged_as,
            count(*) - case when reject_reason is null then (from later_copies) else 0 end
                as count_rows
        from staging.base_app__judged_rows group by reject_reason
        union all
        select 'duplicate_event_id', count_rows from later_copies""",
    "session_events": "from marts.fct_session_events",
    "sessions": "from marts.fct_sessions",
    "funnel": """
        select starter_event_name as starter, stage_order, count_sessions
        from marts.fct_funnel_stages where funnel = 'booking' and segment = '(all)'""",
    "end_events": "from marts.fct_end_events where starter_event_name = '(all)'",
    "edges": """
        select step_number, source_event as source, target_event as target, count_sessions
        from marts.fct_journey_edges where starter_event_name = '(all)'""",
    "retention": "select *, starter_event_name as starter from marts.fct_retention_weekly",
    "overview": "from marts.fct_overview_daily",
}


class Meter:
    """CPU and wall seconds spent inside DuckDB, by dbt model."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.spent: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self.is_running = False

    @contextmanager
    def measured(self, model: str):  # noqa: ANN201
        """Count what happens within for the model, unless something around it is counted."""
        if self.is_running:
            yield
            return
        self.is_running, began = True, (time.process_time(), time.perf_counter())
        try:
            yield
        finally:
            self.is_running = False
            self.spent[model][0] += time.process_time() - began[0]
            self.spent[model][1] += time.perf_counter() - began[1]

    def wrapped(self, function: Callable, model_of: Callable[..., str]) -> Callable:
        """The function, its calls measured for the model that model_of(*arguments) names."""

        def call(*arguments, **options):  # noqa: ANN002, ANN003, ANN202
            with self.measured(model_of(*arguments)):
                return function(*arguments, **options)

        return call


def current_model(*_: object) -> str:
    """The model whose statement runs; (dbt) for what belongs to none."""
    connection = get_adapter_by_type("duckdb").connections.get_if_exists()
    name = connection.name if connection else ""
    return name.split(".")[-1] if name.startswith("model.") else "(dbt)"


def run_measured(arguments: list[str]) -> tuple[bool, dict[str, list[float]]]:
    """Run dbt. Returns (success, {model: [cpu, wall]})."""
    meter = Meter()
    places = (
        (DuckDBCursorWrapper, "execute", current_model),
        (LocalEnvironment, "submit_python_job", lambda _s, _h, node, *_: node["name"]),
        (LocalEnvironment, "close", lambda *_: "(close)"),
    )
    with ExitStack() as stack:
        for owner, name, model_of in places:
            call = meter.wrapped(getattr(owner, name), model_of)
            stack.enter_context(mock.patch.object(owner, name, call))
        result = dbtRunner().invoke(arguments)
        DuckDBConnectionManager.close_all_connections()
    return result.success, dict(meter.spent)


def main() -> int:
    """Run dbt, write measured.json and the views for figures.py. Returns the exit code."""
    landing, work = sys.argv[1], Path(sys.argv[2]).resolve()
    warehouse = work / "w.duckdb"
    os.environ.pop("DROPOFF_BUILD_FILE", None)
    os.environ |= {
        "DROPOFF_EVENTS": landing,
        "DROPOFF_SEEDS": str(SEEDS),
        "DROPOFF_WAREHOUSE": str(warehouse),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "False",
    }
    folders = {"project-dir": ROOT, "profiles-dir": ROOT}
    folders |= {"target-path": work / "target", "log-path": work / "logs"}
    success, spent = run_measured(
        [
            "--quiet", "run", "--threads", "1", "--vars", f"{{memory_limit: {MEMORY_LIMIT}}}",
            *(text for name, path in folders.items() for text in (f"--{name}", str(path))),
            *(sys.argv[3:] or ("--select", *(f"+{model}" for model in MODELS))),
        ]
    )  # fmt: skip
    if not success:
        return 1
    cpu, wall = (sum(seconds) for seconds in zip(*spent.values(), strict=True))
    measured = {"cpu": cpu, "wall": wall, "models": spent}
    (work / "measured.json").write_text(json.dumps(measured, indent=1), encoding="utf-8")
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create schema if not exists bench")
        for name, query in FIGURE_VIEWS.items():
            connection.execute(f"create or replace view bench.{name} as {query}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
