"""What Spark builds is what DuckDB builds, mart by mart; `make test-spark` runs it, and needs Java.

DROPOFF_TEST_APPS may name a folder of further apps, each with `events/` and `settings/`; the two that
nobody here wrote are taken where they lie beside the repository.
DROPOFF_TEST_HISTORY=1 builds a history of ten batches, too: half an hour.
"""

import os
import shutil
import sys
from pathlib import Path

import duckdb
import pytest
import yaml

pytest.importorskip("pyspark", reason="pyspark is in .venv-spark: make test-spark")

ROOT = Path(__file__).parents[2]
sys.path += [str(ROOT / "tests" / "python"), str(ROOT / "steps"), str(ROOT / "landing")]
import simulate  # noqa: E402
import spark  # noqa: E402
from conftest import SHARED_DATA, environment, run_dbt  # noqa: E402
from dbt.cli.main import dbtRunner  # noqa: E402
from equality import equality, told  # noqa: E402
from pyspark import SparkContext  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402

SCALE = 0.02
# marts say when they were built
VARS = {"build_clock": "2026-11-27 00:00:00"}
APPS = Path(os.environ.get("DROPOFF_TEST_APPS", SHARED_DATA))
OF_APPS = {"web_shop": {"session_timeout_minutes": 30}}
# what earlier builds called a session is no matter of the landed rows
OF_THE_BUILD = {"session_rekeys", "fct_session_changes"}


@pytest.fixture(scope="session")
def spark_folder(tmp_path_factory):
    """Spark's tables: one session of Spark keeps to one folder."""
    return tmp_path_factory.mktemp("spark")


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    app = {"events": folder / "events", "interventions": folder / "interventions"}
    arguments = ["--scale", SCALE, "--out", app["events"], "--ledger", app["interventions"]]
    simulate.main([*map(str, arguments), "--truth", str(folder / "truth")])
    return app


def forget_all():
    """Drop what Spark has built: patterns of another app would lend their names."""
    # none yet: the first build starts one, with its own settings
    if SparkContext._active_spark_context is None:
        return
    session = SparkSession.builder.getOrCreate()
    for (schema,) in session.sql("show schemas").collect():
        if schema != "default":
            session.sql(f"drop schema {schema} cascade")


def build_with_spark(folder, warehouse, dbt_vars=VARS, seeds="seeds", **app):
    """Build into Spark's folder and export the marts; returns the file."""
    named = {f"DROPOFF_{name.upper()}": place for name, place in app.items()}
    named |= {"DROPOFF_SEEDS": ROOT / seeds, "DROPOFF_WAREHOUSE": warehouse}
    with environment(**{"DROPOFF_INTERVENTIONS": "", **named}):
        os.environ.update(spark.environment(warehouse))
        os.environ["DROPOFF_SPARK_WAREHOUSE"] = str(folder)
        assert spark.build([], dbt_vars)
        spark.export(folder / "tables", warehouse)
    return warehouse


def build_with_duckdb(warehouse, dbt_vars=VARS, **app):
    build = run_dbt(warehouse, "run", dbt_vars=dbt_vars, **app)
    assert build.success, build.output[-3000:]
    return warehouse


def assert_equal(title, found, expected, left_out=()):
    table = [row for row in equality(found, expected) if row[0] not in left_out]
    print(told(title, table))
    assert len(table) > 40 - len(left_out)
    assert not [row for row in table if row[3]]


def test_the_demo_is_the_same_on_both_engines(spark_folder, demo, tmp_path):
    found = build_with_spark(spark_folder, tmp_path / "spark.duckdb", **demo)
    expected = build_with_duckdb(tmp_path / "duckdb.duckdb", **demo)
    assert_equal("the demo", found, expected)


@pytest.mark.parametrize("app", sorted(path.parent.name for path in APPS.glob("*/settings")))
def test_an_app_is_the_same_on_both_engines(spark_folder, app, tmp_path):
    folder = APPS / app
    there = {"events": folder / "events", "seeds": folder / "settings"}
    dbt_vars = VARS | OF_APPS.get(app, {})
    forget_all()
    found = build_with_spark(spark_folder, tmp_path / "spark.duckdb", dbt_vars, **there)
    expected = build_with_duckdb(tmp_path / "duckdb.duckdb", dbt_vars, **there)
    assert_equal(app, found, expected)


@pytest.mark.skipif("DROPOFF_TEST_HISTORY" not in os.environ, reason="half an hour")
def test_ten_batches_on_spark_are_one_build_on_duckdb(spark_folder, demo, tmp_path):
    days = sorted(demo["events"].iterdir())
    landing = tmp_path / "events"
    landing.mkdir()
    forget_all()
    for batch in range(10):
        for day in days[batch * len(days) // 10 : (batch + 1) * len(days) // 10]:
            shutil.copy2(day, landing)
        app = {"events": landing, "interventions": demo["interventions"]}
        found = build_with_spark(spark_folder, tmp_path / "spark.duckdb", **app)
    builds = SparkSession.builder.getOrCreate().table("staging.builds").collect()
    assert [row.is_incremental for row in sorted(builds)] == [False] + [True] * 9
    # assigned and scored by the same fitted tables
    expected = tmp_path / "duckdb.duckdb"
    with duckdb.connect(str(expected)) as connection:
        spark.copy_schema("fitted", spark_folder / "tables", connection, "fitted_*")
    build_with_duckdb(expected, **app)
    assert_equal("ten batches", found, expected, OF_THE_BUILD)


def test_java_that_is_too_old_or_not_there_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(RuntimeError) as stopped:
        spark.need_java()
    assert str(stopped.value) == (
        "Spark needs Java 17 or newer, and there is none: install one and put it first in PATH, or "
        "name it in JAVA_HOME."
    )
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_392\"' >&2\n")
    java.chmod(0o755)
    with pytest.raises(RuntimeError, match="Spark needs Java 17 or newer, and java is 8: install"):
        spark.need_java()


def test_plain_dbt_says_who_builds_with_spark(capfd, tmp_path, demo):
    with environment(DROPOFF_EVENTS=demo["events"], DROPOFF_WAREHOUSE=tmp_path / "any.duckdb"):
        os.environ["DROPOFF_SPARK_WAREHOUSE"] = str(tmp_path / "spark")
        command = ["run", "--target", "spark", "--target-path", str(tmp_path / "target")]
        assert not dbtRunner().invoke(command).success
    assert "dbt alone runs no Python models on Spark; build with `make build TARGET=spark`." in (
        capfd.readouterr().out
    )


@pytest.mark.parametrize(
    ("dbt_vars", "sentence"),
    [
        (
            {"event_columns": {"event_time": {"column": "at", "format": "%A %H:%M"}}},
            "The format '%A %H:%M' has %A, which Spark does not read; build with DuckDB.",
        ),
        (
            {"event_format": "mixpanel"},
            "Rows without an event id whose times lie within a column "
            "('properties.$mp_api_timestamp_ms') are not read on Spark; build with DuckDB.",
        ),
    ],
)
def test_what_spark_does_not_read_stops_the_build(demo, tmp_path, capfd, dbt_vars, sentence):
    forget_all()
    with environment(DROPOFF_EVENTS=demo["events"], DROPOFF_WAREHOUSE=tmp_path / "any.duckdb"):
        command = ["compile", "--select", "base_app__rows", "--target", "spark"]
        command += ["--target-path", str(tmp_path / "target"), "--vars", yaml.safe_dump(dbt_vars)]
        assert not dbtRunner().invoke(command).success
    assert sentence in capfd.readouterr().out
