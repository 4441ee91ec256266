"""Another project that has installed this one may refer to the marts, and to nothing else."""

import os
import subprocess
import sys

import duckdb
import pytest
import yaml
from conftest import ROOT, SETTINGS

DBT = os.path.join(os.path.dirname(sys.executable), "dbt")


@pytest.fixture
def reader(tmp_path):
    """A project with a warehouse of one mart, and no landing zone. Runs dbt in it."""
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("create schema main_marts")
        connection.execute(
            "create table main_marts.fct_session_types as select 7 as count_sessions"
        )
    files = {
        "dbt_project.yml": {"name": "reader", "profile": "reader"},
        "profiles.yml": {
            "reader": {
                "target": "duckdb",
                "outputs": {"duckdb": {"type": "duckdb", "path": "warehouse.duckdb"}},
            }
        },
    }
    for name, content in files.items():
        (tmp_path / name).write_text(yaml.safe_dump(content))
    (tmp_path / "models").mkdir()
    # as dbt deps leaves a package that lies on this machine
    (tmp_path / "packages.yml").write_text(yaml.safe_dump({"packages": [{"local": str(ROOT)}]}))
    (tmp_path / "dbt_packages").mkdir()
    (tmp_path / "dbt_packages" / "dropoff").symlink_to(ROOT)
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}

    def run(*command):
        return subprocess.run(
            [DBT, "--no-use-colors", "--no-send-anonymous-usage-stats", *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )

    return tmp_path, run


@pytest.mark.slow
def test_a_project_that_installs_this_one_refers_to_marts_and_to_nothing_else(reader):
    folder, dbt = reader
    model = folder / "models" / "types.sql"
    model.write_text(
        "select count_sessions + 1 as n from {{ ref('dropoff', 'fct_session_types') }}"
    )
    done = dbt("run", "--select", "types")
    assert done.returncode == 0, done.stdout[-2000:]
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        assert connection.execute("select n from main.types").fetchall() == [(8,)]
        # nothing of this project was built, and no build was begun
        schemas = connection.execute("select distinct schema_name from duckdb_tables()").fetchall()
        assert {name for (name,) in schemas} == {"main_marts"}
    model.write_text("select * from {{ ref('dropoff', 'int_sessions') }}")
    done = dbt("parse")
    assert done.returncode != 0
    assert "the referenced node is protected to the 'dropoff' package" in done.stdout
