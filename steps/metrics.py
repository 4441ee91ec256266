"""Answer a question about metrics from the warehouse, in SQL that MetricFlow writes.

    python steps/metrics.py --metrics conversion_rate --group-by session__platform
    python steps/metrics.py --metrics sessions --where "session__city = 'Pune'" --explain

Without options it lists the metrics. The warehouse that DROPOFF_WAREHOUSE names is only read.
"""

import argparse
import csv
import difflib
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import app
import duckdb
from metricflow.engine.metricflow_engine import (
    MetricFlowEngine,
    MetricFlowQueryRequest,
    OutputColumnOrderMode,
)
from metricflow.protocols.sql_client import SqlEngine
from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer
from metricflow_semantic_interfaces.protocols import SemanticManifest
from metricflow_semantic_interfaces.references import MetricReference
from metricflow_semantics.model.dbt_manifest_parser import (
    parse_manifest_from_dbt_generated_manifest,
)
from metricflow_semantics.model.linkable_element_property import GroupByItemProperty
from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup
from metricflow_semantics.model.semantics.element_filter import GroupByItemSetFilter
from metricflow_semantics.model.semantics.linkable_element import LinkableElementType
from tabulate import tabulate

DBT = Path(sys.executable).with_name("dbt")
# what the last build parsed
MANIFEST = app.ROOT / "target" / "semantic_manifest.json"
# what a person may write: no parts of dates, and no metrics as dimensions
NAMED = GroupByItemSetFilter.create(
    any_properties_denylist=(
        GroupByItemProperty.DATE_PART,
        GroupByItemProperty.DERIVED_TIME_GRANULARITY,
        GroupByItemProperty.LOCAL_LINKED,
        GroupByItemProperty.METRIC,
    )
)
GRAINS = ["day", "week", "month", "quarter", "year"]
# what would be a template of one's own
BRACES = re.compile(r"\{[{%#]")
# a text in quotes, or what may be a dimension
WORD = re.compile(r"'(?:[^']|'')*'|\b[a-z]\w*")


class DuckDb:
    """Tells MetricFlow for which engine it writes; nothing is run through it."""

    sql_engine_type = SqlEngine.DUCKDB
    sql_plan_renderer = DuckDbSqlPlanRenderer()


def near(name: str, known: Iterable[str]) -> str:
    """The known names that come near, for a sentence."""
    return ", ".join(difflib.get_close_matches(name, known, 3, 0.4)) or "none"


def check(name: str, groups: Iterable[str]) -> None:
    """Raise ValueError, one sentence, where the metrics know no such dimension."""
    if name not in groups:
        raise ValueError(
            f"The metrics have no dimension {name} in common (near it: {near(name, groups)}); "
            "--dimensions lists those that they have."
        )


def condition(text: str, groups: dict[str, str]) -> str:
    """A condition as MetricFlow wants it, which has templates around the dimensions.

    Raises ValueError, one sentence, where the metrics know no such dimension.
    """
    if BRACES.search(text):
        raise ValueError(
            f"The condition {text} has braces; name dimensions as they are, like session__city = "
            "'Pune'."
        )

    def template(word: re.Match) -> str:
        # a dimension of another table has the table's name before its own
        if "__" in word[0] and not word[0].startswith("'"):
            check(word[0], groups)
        return groups.get(word[0], word[0])

    return WORD.sub(template, text)


def of_database(manifest: dict, database: str) -> SemanticManifest:
    """The same metrics over another file: dbt parsed them over the one that it built last."""
    relations = [model["node_relation"] for model in manifest["semantic_models"]]
    relations += [
        spine["node_relation"] for spine in manifest["project_configuration"]["time_spines"]
    ]
    for relation in relations:
        names = (database, relation["schema_name"], relation["alias"])
        quoted = ['"' + name.replace('"', '""') + '"' for name in names]
        relation |= {"database": database, "relation_name": ".".join(quoted)}
    return parse_manifest_from_dbt_generated_manifest(json.dumps(manifest))


class Metrics:
    """The metrics of the project over one warehouse, which is only read."""

    def __init__(self, warehouse: Path, manifest: dict) -> None:
        """Open the warehouse. Raises ValueError, one sentence, where that cannot be."""
        self.warehouse = warehouse
        if not warehouse.is_file():
            raise ValueError(f"There is no warehouse at {warehouse}: run make build first.")
        try:
            self.connection = duckdb.connect(str(warehouse), read_only=True)
        except duckdb.Error:
            raise ValueError(
                f"The warehouse {warehouse} cannot be read now: ask again when its build has ended."
            ) from None
        [(database,)] = self.connection.execute("select current_database()").fetchall()
        parsed = of_database(manifest, database)
        self.described = {metric.name: metric for metric in parsed.metrics}
        self.lookup = SemanticManifestLookup(parsed)
        self.engine = MetricFlowEngine(self.lookup, DuckDb())

    def groups(self, metrics: Sequence[str]) -> dict[str, str]:
        """What all these metrics can be grouped and filtered by: {name: how a condition has it}.

        Raises ValueError, one sentence, where one is no metric.
        """
        for name in metrics:
            if name not in self.described:
                raise ValueError(
                    f"There is no metric {name} (near it: {near(name, self.described)}); make "
                    "metrics lists them all."
                )
        found = self.lookup.metric_lookup.get_common_group_by_items(
            tuple(map(MetricReference, metrics)), NAMED
        )
        templates = {}
        for item in found.annotated_specs:
            links = [link.element_name for link in item.spec.entity_links]
            name, owner, path = item.spec.dunder_name, "__".join(links[-1:]), links[:-1]
            element = f"{owner}__{item.spec.element_name}" if owner else item.spec.element_name
            if item.element_type is LinkableElementType.TIME_DIMENSION:
                name, _, finest = name.rpartition("__")
                for grain in ("", *GRAINS[GRAINS.index(finest) :]):
                    called = f"{name}__{grain}" if grain else name
                    templates[called] = (
                        f"{{{{ TimeDimension('{element}', '{grain or finest}', {path}) }}}}"
                    )
            elif item.element_type is LinkableElementType.ENTITY:
                templates[name] = f"{{{{ Entity('{item.spec.element_name}', {links}) }}}}"
            else:
                templates[name] = f"{{{{ Dimension('{element}', {path}) }}}}"
        return templates

    def sql(
        self,
        metrics: Sequence[str],
        group_by: Sequence[str] = (),
        where: Sequence[str] = (),
        order: Sequence[str] | None = None,
        limit: int | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> str:
        """The SQL that answers. Times are inclusive. Raises ValueError, one sentence."""
        groups = self.groups(metrics)
        for name in group_by:
            check(name, groups)
        asked = {*metrics, *group_by}
        for name in order or ():
            if name.removeprefix("-") not in asked:
                raise ValueError(
                    f"The answer cannot be ordered by {name}, but by {', '.join(sorted(asked))}."
                )
        request = MetricFlowQueryRequest.create(
            metric_names=list(metrics),
            group_by_names=list(group_by),
            where_constraints=[condition(text, groups) for text in where] or None,
            order_by_names=list(group_by if order is None else order),
            limit=limit,
            time_constraint_start=start,
            time_constraint_end=end,
            output_column_order_mode=OutputColumnOrderMode.INPUT_ORDER,
        )
        return self.engine.explain(request).sql_statement.without_descriptions.sql

    def run(self, sql: str) -> tuple[list[str], list[tuple]]:
        """(column names, rows) of a query. Raises ValueError, one sentence."""
        try:
            cursor = self.connection.execute(sql)
        except duckdb.Error as error:
            reason = str(error).splitlines()[0].split("Error: ")[-1].rstrip(".")
            raise ValueError(
                f"The warehouse {self.warehouse} cannot answer this ({reason}): look at the "
                "condition, or run make build where it is of an older version."
            ) from None
        return [column[0] for column in cursor.description], cursor.fetchall()

    def value(self, metric: str, *where: str) -> float | int | None:
        """One metric as one number; null over nothing, as counts are too. Raises ValueError."""
        _, [(value,)] = self.run(self.sql([metric], where=where))
        return value


def of_project(warehouse: Path) -> Metrics:
    """The metrics as dbt last parsed them. Raises ValueError, one sentence."""
    if not MANIFEST.exists():
        subprocess.run([DBT, "--quiet", "parse"], cwd=app.ROOT, check=True)
    return Metrics(warehouse, json.loads(MANIFEST.read_text(encoding="utf-8")))


def time(text: str | None) -> datetime | None:
    """A day, or a moment. Raises ValueError, one sentence."""
    try:
        return text and datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"'{text}' is no day; write one like 2026-01-12.") from None


def number(text: str | None) -> int | None:
    """A number of rows. Raises ValueError, one sentence."""
    if text and not text.isdecimal():
        raise ValueError(f"'{text}' is no number of rows; write one like --limit 10.")
    return text and int(text)


def names(text: str) -> list[str]:
    """The names between commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def shown(value: object) -> object:
    """A value as it is printed: days without their midnight."""
    if isinstance(value, datetime) and value.time() == datetime.min.time():
        return value.date()
    return value


def write(path: Path, columns: list[str], rows: list[tuple]) -> None:
    """Write a csv file. Raises ValueError, one sentence."""
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([columns, *rows])
    except OSError as error:
        raise ValueError(f"{path} cannot be written ({error.strerror}); name another.") from None


def answer(options: argparse.Namespace) -> str:
    """What is printed. Raises ValueError, one sentence."""
    metrics = of_project(app.warehouse())
    asked = names(options.metrics)
    if not asked:
        rows = [(name, each.description) for name, each in sorted(metrics.described.items())]
        return tabulate(rows, ["metric", "what it is"], maxcolwidths=[None, 70])
    if options.dimensions:
        return "\n".join(sorted(metrics.groups(asked)))
    sql = metrics.sql(
        asked,
        names(options.group_by),
        options.where,
        names(options.order) or None,
        number(options.limit),
        time(options.start_time),
        time(options.end_time),
    )
    if options.explain:
        return sql
    columns, rows = metrics.run(sql)
    if options.csv:
        write(options.csv, columns, rows)
        return f"{len(rows)} {'row is' if len(rows) == 1 else 'rows are'} in {options.csv}"
    printed = [[shown(value) for value in row] for row in rows]
    return tabulate(printed, columns, floatfmt=".4f", missingval="–")


def main() -> int:
    """Print the answer. Returns 0, or 1 with the reason as the last line printed."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog="Names are put apart by commas."
    )
    parser.add_argument("--metrics", default="", help="names of metrics; none: list them")
    parser.add_argument("--group-by", default="", help="dimensions, such as metric_time__week")
    parser.add_argument("--where", action="append", default=[], help="a condition on dimensions")
    parser.add_argument("--order", default="", help="names to order by, - before one: falling")
    parser.add_argument("--limit", help="so many rows at most")
    parser.add_argument("--start-time", help="the first day of metric_time")
    parser.add_argument("--end-time", help="the last day of metric_time")
    parser.add_argument("--dimensions", action="store_true", help="list what groups the metrics")
    parser.add_argument("--explain", action="store_true", help="print the SQL, and run nothing")
    parser.add_argument("--csv", type=Path, help="write the rows into this file")
    # the end of a pipe that has read enough is no error
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        print(answer(parser.parse_args()))
    except ValueError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
