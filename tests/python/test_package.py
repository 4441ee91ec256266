"""Another dbt project adds dropoff as a package, over a table of its own: tests/consumer."""

import contextlib
import io
import os
import random
import shutil
from datetime import datetime, timedelta

import duckdb
import pytest
import yaml
from conftest import ROOT, Build, environment, run_dbt
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

CONSUMER = ROOT / "tests" / "consumer"
# those that hang on nothing that is fitted, and name no file
COMPARED = (
    "fct_sessions",
    "fct_session_events",
    "fct_session_steps",
    "fct_funnel_stages",
    "fct_funnel_daily",
    "fct_overview_daily",
    "fct_data_health",
    "fct_user_timeline",
    "dim_users",
)
EVENTS = """
    create schema raw;
    create table raw.app_events (
        id varchar, visitor varchar, action varchar, happened_at timestamp, received_at timestamp,
        platform varchar
    )"""

pytestmark = pytest.mark.slow


def events():
    """Ten days of twelve visitors: rows of app_events, some late, two of the same id."""
    chance = random.Random(4)
    rows = []
    for day in range(10):
        for visitor in range(12):
            at = datetime(2026, 2, 1, 8) + timedelta(days=day, minutes=chance.randrange(600))
            for action, share in [
                ("open_app", 1),
                ("heartbeat", 1),
                ("search", 0.9),
                ("basket", 0.6),
                ("pay", 0.5),
            ]:
                if chance.random() > share:
                    break
                at += timedelta(seconds=chance.randrange(1, 300))
                received_at = at + timedelta(seconds=chance.choice([1, 5, 90_000]))
                platform = chance.choice(["ios", "android", None])
                rows.append((f"e{len(rows)}", f"u{visitor}", action, at, received_at, platform))
    search = next(row for row in rows if row[2] == "search")
    return [*rows, search, (None, *search[1:])]


class Shop:
    """The consumer's project, in a folder of its own with a warehouse of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.warehouse = folder / "shop.duckdb"
        shutil.copytree(CONSUMER, folder, dirs_exist_ok=True)
        packages = yaml.safe_load((folder / "packages.yml").read_text())
        assert packages == {"packages": [{"local": "../.."}]}
        (folder / "packages.yml").write_text(f"packages:\n  - local: {ROOT}\n")
        with self.connected() as connection:
            connection.execute(EVENTS)
            connection.executemany("insert into raw.app_events values (?, ?, ?, ?, ?, ?)", events())

    def connected(self):
        return duckdb.connect(str(self.warehouse))

    def dbt(self, *command):
        printed = io.StringIO()
        with (
            environment(SHOP_WAREHOUSE=self.warehouse),
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(printed),
        ):
            os.environ.pop("DBT_PROJECT_DIR", None)
            result = dbtRunner().invoke([*command, "--log-level-file", "none"])
        if DuckDBConnectionManager._ENV:
            DuckDBConnectionManager._ENV.close()
            DuckDBConnectionManager._ENV = None
        return Build(result.success, printed.getvalue(), self.warehouse, result.result)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    shop = Shop(tmp_path_factory.mktemp("shop"))
    for command in ("deps", "build"):
        done = shop.dbt(command)
        assert done.success, done.output[-3000:]
    shop.built = done
    return shop


def tables(warehouse, schema):
    """{mart: its rows, sorted}"""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return {
            mart: connection.execute(f"select * from {schema}.{mart} order by all").fetchall()
            for mart in COMPARED
        }


def test_the_marts_are_where_and_as_the_consumer_says(shop):
    made = {
        (row["table_schema"], row["table_name"]): row["table_type"]
        for row in shop.built.rows("select * from information_schema.tables")
    }
    assert made["analytics_journeys", "fct_sessions"] == "BASE TABLE"
    assert made["analytics_journeys", "fct_overview_daily"] == "VIEW"
    assert ("analytics_dropoff_staging", "builds") in made
    assert {schema for schema, _ in made} == {"raw", "analytics", "analytics_reporting"} | {
        f"analytics_{name}"
        for name in (
            "dropoff_staging",
            "sessions",
            "fitted",
            "effects",
            "active",
            "metrics",
            "journeys",
        )
    }


def test_models_of_the_consumer_read_the_marts(shop):
    [row] = shop.built.rows("""
        select sum(count_sessions) as sessions, sum(count_converted) as converted
        from analytics_reporting.conversions_by_day
    """)
    [expected] = shop.built.rows("""
        select
            (select count(*) from raw.app_events where action = 'open_app') as sessions,
            (select count(*) from raw.app_events where action = 'pay') as converted
    """)
    assert row == expected
    # which has a model of the same name as one of dropoff's
    [users] = shop.built.rows("select count(*) as count from analytics_reporting.dim_users")
    assert users == {"count": 12}


def test_data_tests_of_dropoff_pass_there_and_unit_tests_are_none(shop):
    kinds = {result.node.resource_type.value for result in shop.built.result.results}
    assert "test" in kinds
    assert "unit_test" not in kinds
    health = shop.built.rows(
        "select sum(count_duplicate_event_id) as duplicates, sum(count_missing_event_id) as missing "
        "from analytics_journeys.fct_data_health"
    )
    assert health == [{"duplicates": 1, "missing": 1}]


def test_the_same_events_give_the_same_sessions_from_files(shop, tmp_path):
    """In three files, of which none is a date."""
    (tmp_path / "events").mkdir()
    with shop.connected() as connection:
        for part in range(3):
            connection.execute(f"""
                copy (
                    select * from analytics.stg_shop__events
                    where hash(visitor, happened_at) % 3 = {part}
                ) to '{tmp_path}/events/{part}.parquet'""")
    project = yaml.safe_load((CONSUMER / "dbt_project.yml").read_text())
    dbt_vars = project["vars"]["dropoff"]
    del dbt_vars["events_relation"], dbt_vars["settings_folder"]
    build = run_dbt(
        tmp_path / "files.duckdb",
        "run",
        events=tmp_path / "events",
        seeds=CONSUMER / "settings",
        dbt_vars=dbt_vars,
    )
    assert build.success, build.output[-3000:]
    found = tables(shop.warehouse, "analytics_journeys")
    expected = tables(build.warehouse, "marts")
    assert len(found["fct_sessions"]) == 120
    for mart in COMPARED:
        assert found[mart] == expected[mart], mart


CHANGES = [
    """
    delete from raw.app_events where visitor = 'u5' and happened_at < '2026-02-04';
    -- late: received on the last day
    insert into raw.app_events values
        ('late', 'u1', 'search', '2026-02-02 09:00:00', '2026-02-10 20:00:00', 'ios')
    """,
    """
    insert into raw.app_events
    select id || 'x', visitor, action, happened_at + interval 2 day, received_at + interval 2 day,
        platform
    from raw.app_events
    where visitor = 'u3';
    update raw.app_events set platform = 'web' where visitor = 'u7';
    update raw.app_events set id = id || 'y' where id = 'e9'
    """,
]


def test_what_changed_in_the_table_is_redone_and_nothing_else(shop):
    builds = "from analytics_dropoff_staging.builds order by build_number desc limit 1"
    for number, change in enumerate(CHANGES, start=2):
        with shop.connected() as connection:
            connection.execute(change)
        done = shop.dbt("run")
        assert done.success, done.output[-3000:]
        [last] = shop.built.rows(builds)
        assert last["build_number"] == number
        assert last["is_incremental"]
        assert last["is_finished"]
        if number == 2:  # some dates of eleven lost rows; the others are not read again
            [read] = shop.built.rows("""
                select count(*) filter (where loaded_in_build = 2) as again, count(*) as dates
                from analytics_dropoff_staging.base_app__files
            """)
            assert 0 < read["again"] < read["dates"] / 2 + 1
    found = tables(shop.warehouse, "analytics_journeys")
    done = shop.dbt("run", "--full-refresh")
    assert done.success, done.output[-3000:]
    assert not shop.built.rows(builds)[0]["is_incremental"]
    expected = tables(shop.warehouse, "analytics_journeys")
    for mart in COMPARED:
        assert found[mart] == expected[mart], mart


def test_a_source_may_hold_the_events(shop):
    done = shop.dbt("parse", "--vars", "{events_relation: shop.app_events}")
    assert done.success, done.output[-2000:]
    nodes = done.result.nodes
    for model in ("base_app__relation_parts", "base_app__rows", "stg_app__rejected_rows"):
        assert "source.shop.shop.app_events" in nodes[f"model.dropoff.{model}"].depends_on.nodes


def test_a_connection_in_another_time_zone_stops_at_once(shop):
    profiles = shop.folder / "profiles.yml"
    before = profiles.read_text()
    profiles.write_text(before.replace("TimeZone: UTC", "TimeZone: Asia/Kolkata"))
    done = shop.dbt("run-operation", "dropoff.check_settings_and_vars")
    profiles.write_text(before)
    assert not done.success
    assert (
        "The connection's time zone is not UTC, by which times are read; write settings: {TimeZone: "
        "UTC} into the profile, as dropoff's profiles.yml has it."
    ) in " ".join(done.output.split())
    assert shop.dbt("run-operation", "dropoff.check_settings_and_vars").success


def test_a_settings_folder_that_is_wrong_is_named(shop):
    done = shop.dbt(
        "run-operation", "dropoff.check_settings_and_vars", "--vars", "{settings_folder: nowhere}"
    )
    assert not done.success
    assert "nowhere/event_types.csv is missing; a settings folder has" in done.output
