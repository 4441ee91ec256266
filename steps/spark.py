"""Build the warehouse with Apache Spark: dbt does it, this runs the Python models for it.

    .venv-spark/bin/python steps/spark.py [--vars YAML] [--full-refresh]

Spark's tables lie in a folder beside the warehouse (shop.duckdb: shop.spark); the marts are then
written into DROPOFF_WAREHOUSE, a DuckDB file, which the pages read. dbt-spark runs Python models on
Databricks alone: here they run in this process, which is Spark's driver, over what they ask for.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import app
import duckdb
import pyarrow as pa
import yaml
from dbt.adapters.base import PythonJobHelper
from dbt.adapters.spark.impl import SparkAdapter
from dbt.cli.main import dbtRunner
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import expr

LEAST_JAVA = 17


class Rows:
    """What a Python model asks of a DuckDB relation, asked of Spark: only the answer is fetched."""

    def __init__(self, frame: DataFrame) -> None:
        """Of rows that Spark has not computed yet."""
        self.frame = frame

    def filter(self, condition: str) -> "Rows":
        """Those that meet a condition."""
        return Rows(self.frame.filter(condition))

    def project(self, columns: str) -> "Rows":
        """These columns, with commas between."""
        return Rows(self.frame.selectExpr(*columns.split(",")))

    def distinct(self) -> "Rows":
        """Each once."""
        return Rows(self.frame.distinct())

    def order(self, columns: str) -> "Rows":
        """In the order of these columns."""
        return Rows(self.frame.orderBy(*map(expr, columns.split(","))))

    def limit(self, count: int) -> "Rows":
        """The first of them."""
        return Rows(self.frame.limit(count))

    def fetchall(self) -> list[tuple]:
        """As tuples."""
        return [tuple(row) for row in self.frame.collect()]

    def df(self) -> Any:  # noqa: ANN401 (a pandas frame)
        """As a pandas frame; times are UTC and do not say so."""
        return with_times(self.frame.toArrow(), None).to_pandas()


class Tables:
    """What a Python model asks of its session: rows of a query."""

    def __init__(self, spark: SparkSession) -> None:
        """Over the tables of a Spark session."""
        self.spark = spark

    def execute(self, query: str) -> Rows:
        """The rows of a query. Raises duckdb.Error where it cannot be answered, as DuckDB does."""
        try:
            return Rows(self.spark.sql(query))
        except AnalysisException as error:
            raise duckdb.CatalogException(str(error)) from None


def with_times(table: pa.Table, zone: str | None) -> pa.Table:
    """The same table with its times in a zone or in none, and texts of the one kind Spark takes."""
    types = {
        pa.types.is_timestamp: pa.timestamp("us", zone),
        pa.types.is_large_string: pa.string(),
        pa.types.is_null: pa.string(),
    }
    fields = [
        field.with_type(
            next((new for is_it, new in types.items() if is_it(field.type)), field.type)
        )
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def write(spark: SparkSession, result: Any, table: str) -> None:  # noqa: ANN401
    """Write what a Python model returned: a pandas frame, an Arrow table or a reader of one."""
    if isinstance(result, pa.RecordBatchReader):
        result = result.read_all()
    elif not isinstance(result, pa.Table):
        result = pa.Table.from_pandas(result, preserve_index=False)
    rows = spark.createDataFrame(with_times(result, "UTC"))
    rows.write.mode("overwrite").format("parquet").saveAsTable(table)


class DriverJob(PythonJobHelper):
    """A Python model as dbt compiled it, run in this process: macros/tables.sql ends it."""

    def __init__(self, parsed_model: dict, credentials: Any) -> None:  # noqa: ANN401 (dbt's own)
        """Of one model."""
        self.path = parsed_model["original_file_path"]

    def submit(self, compiled_code: str) -> None:
        """Run it; an exception is dbt's to tell."""
        spark = SparkSession.builder.getOrCreate()
        names = {
            "__name__": Path(self.path).stem,
            "table": lambda name: Rows(spark.table(name)),
            "session": Tables(spark),
            "write": lambda result, name: write(spark, result, name),
        }
        exec(compile(compiled_code, self.path, "exec"), names)


def run_python_models_here() -> None:
    """Give dbt-spark a way to run Python models beside the two that it has."""
    SparkAdapter.python_submission_helpers = property(lambda adapter: {"driver": DriverJob})
    SparkAdapter.default_python_submission_method = property(lambda adapter: "driver")


def java_version() -> int | None:
    """The major version of the Java that Spark would start; None where there is none."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if not java or not Path(java).exists():
        return None
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', told)
    return int(found[1]) if found else None


def need_java() -> None:
    """Raise RuntimeError, one sentence, where Spark could not start."""
    version = java_version()
    if version is None or version < LEAST_JAVA:
        found = f"java is {version}" if version else "there is none"
        raise RuntimeError(
            f"Spark needs Java {LEAST_JAVA} or newer, and {found}: install one and put it first in "
            "PATH, or name it in JAVA_HOME."
        )


def spark_warehouse(warehouse: Path) -> Path:
    """The folder of Spark's tables: shop.duckdb -> shop.spark."""
    return Path(os.path.abspath(warehouse)).with_suffix(".spark")


def environment(warehouse: Path) -> dict[str, str]:
    """What dbt is told: Spark takes no path from the folder it is started in."""
    paths = {
        "DROPOFF_EVENTS": app.events(),
        "DROPOFF_INTERVENTIONS": app.ledger(),
        "DROPOFF_IDENTITIES": app.identities(),
        "DROPOFF_SEEDS": app.settings(),
    }
    return {name: path and os.path.abspath(path) for name, path in paths.items()} | {
        "DROPOFF_SPARK_WAREHOUSE": str(spark_warehouse(warehouse)),
        "DROPOFF_PROJECT": str(app.ROOT),
        "DROPOFF_BUILD_FILE": ":memory:",
        "TZ": "UTC",
    }


def build(arguments: list[str], dbt_vars: dict) -> bool:
    """Check what a person can get wrong, then build. Returns whether all went well."""
    run_python_models_here()
    given = ["--vars", yaml.safe_dump(dbt_vars)]
    # each target with its own folder: dbt parses anew where the target is another
    for command, target in (
        (["run-operation", "check_input"], "duckdb"),
        (["run", *arguments], "spark"),
    ):
        folder = ["--target", target, "--target-path", f"target/{target}-of-spark"]
        if not dbtRunner().invoke([*command, *folder, *given]).success:
            return False
    return True


def parquet_of(schema: str, table: str, tables: Path, folder: Path) -> Path:
    """Where the rows of a table lie; those of a view are written into the folder first."""
    stored = tables / f"{schema}.db" / table
    if stored.exists():
        return stored
    SparkSession.builder.getOrCreate().table(f"{schema}.{table}").write.parquet(str(folder / table))
    return folder / table


def copy_schema(
    schema: str, tables: Path, connection: duckdb.DuckDBPyConnection, pattern: str = "*"
) -> int:
    """Copy a schema of Spark's into DuckDB, tables and views alike. Returns their number."""
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(f"create schema {schema}")
    found = SparkSession.builder.getOrCreate().sql(f"show tables in {schema}").collect()
    # Spark shows the temporary views of a session in every schema
    names = [
        row.tableName for row in found if not row.isTemporary and fnmatch(row.tableName, pattern)
    ]
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            files = parquet_of(schema, name, tables, Path(folder)) / "**" / "*.parquet"
            rows = f"read_parquet({app.sql_text(str(files))}, hive_partitioning = true)"
            columns = connection.execute(f"describe from {rows}").fetchall()
            times = [
                f'cast("{column}" as timestamp) as "{column}"'
                for column, kind, *_ in columns
                if kind == "TIMESTAMP WITH TIME ZONE"
            ]
            replaced = f" replace ({', '.join(times)})" if times else ""
            connection.execute(f"create table {schema}.{name} as select *{replaced} from {rows}")
    return len(names)


def export(tables: Path, warehouse: Path) -> int:
    """Write the marts into a new DuckDB file, which then replaces the old. Returns their number."""
    new_file = Path(f"{warehouse}.new")
    new_file.unlink(missing_ok=True)
    with duckdb.connect(str(new_file), config=app.STORAGE) as connection:
        count = copy_schema("marts", tables, connection)
    os.replace(new_file, warehouse)
    return count


def main() -> int:
    """Build and export. Returns 0, or 1 with the reason as the last lines printed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vars", default="", help="dbt's vars, as YAML")
    parser.add_argument("--full-refresh", action="store_true", help="build everything anew")
    options = parser.parse_args()

    warehouse = app.warehouse()
    try:
        need_java()
        dbt_vars = app.given_vars(options.vars)
    except (RuntimeError, ValueError) as error:
        print(error)
        return 1
    os.environ.update(environment(warehouse))
    arguments = ["--full-refresh"] if options.full_refresh else []
    if not build(arguments, dbt_vars):
        return 1
    count = export(spark_warehouse(warehouse) / "tables", warehouse)
    print(f"{count} marts built by Spark, in {warehouse}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
