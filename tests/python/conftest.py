"""What the tests share: dbt in this process, over any app, into a file of their own."""

import contextlib
import gc
import importlib.util
import io
import os
import sys
from collections import Counter
from pathlib import Path

import duckdb
import pytest
import yaml
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

ROOT = Path(__file__).parents[2]
SHARED_DATA = ROOT.parent / "shared" / "data"
DEMO_EVENTS = ROOT / "landing" / "events"
SETTINGS = (
    "DROPOFF_EVENTS",
    "DROPOFF_INTERVENTIONS",
    "DROPOFF_IDENTITIES",
    "DROPOFF_SEEDS",
    "DROPOFF_WAREHOUSE",
    "DROPOFF_BUILD_FILE",
)


def load(path):
    """A Python file of the project as a module: steps and dbt models are no packages."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# dbt keeps some hundred thousand objects: looking through them all so often is a sixth of a build
gc.set_threshold(200_000, 20, 100)

sys.path.append(str(ROOT / "steps"))
build_step = load(ROOT / "steps" / "build.py")


def pytest_collection_modifyitems(items):
    """Files with many long tests first: a worker takes a whole file, and none should end alone."""
    slow = {(item.path, item.originalname) for item in items if item.get_closest_marker("slow")}
    count = Counter(path for path, _ in slow)
    items.sort(key=lambda item: -count[item.path])


class Build:
    """What a dbt command did: did it succeed, what it printed, the file it wrote, its result."""

    def __init__(self, success, output, warehouse, result=None):
        self.success = success
        self.output = output
        self.warehouse = warehouse
        self.result = result

    def rows(self, query):
        """Rows of a query on the warehouse, as dicts."""
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            result = connection.execute(query)
            names = [column[0] for column in result.description]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


@contextlib.contextmanager
def environment(**changes):
    """The environment with these settings of dropoff and no others."""
    before = dict(os.environ)
    for name in SETTINGS:
        os.environ.pop(name, None)
    os.environ.update({name: str(value) for name, value in changes.items()})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def run_dbt(
    warehouse,
    *arguments,
    events=DEMO_EVENTS,
    interventions="",
    identities="",
    seeds="seeds",
    dbt_vars=None,
    target=None,
    manifest=None,
):
    """Run dbt in this process; the same file for every build keeps its parsing cached.

    With a manifest, what `dbt parse` returned for this environment, it parses nothing: for vars
    that only change what models compile to.
    """
    target = Path(target or Path(warehouse).parent / "target")
    command = [*arguments, "--target-path", str(target)]
    if dbt_vars:
        command += ["--vars", yaml.safe_dump(dbt_vars)]
    printed = io.StringIO()
    with (
        environment(
            DROPOFF_EVENTS=events,
            DROPOFF_INTERVENTIONS=interventions,
            DROPOFF_IDENTITIES=identities,
            DROPOFF_SEEDS=seeds,
            DROPOFF_WAREHOUSE=warehouse,
        ),
        contextlib.chdir(ROOT),
        contextlib.redirect_stdout(printed),
    ):
        # dbt writes its manifest out twice a run, and a log, for nobody here
        command += ["--no-write-json", "--log-level-file", "none"]
        command += ["--log-path", str(target / "logs")]
        result = dbtRunner(manifest=manifest and manifest.deepcopy()).invoke(command)
    # dbt keeps its connection for the next command in this process; readers need it gone
    if DuckDBConnectionManager._ENV:
        DuckDBConnectionManager._ENV.close()
        DuckDBConnectionManager._ENV = None
    return Build(result.success, printed.getvalue(), warehouse, result.result)


@pytest.fixture(scope="session")
def dbt(tmp_path_factory):
    """Run dbt into a file that this session's tests share, one after the other."""
    warehouse = tmp_path_factory.mktemp("dbt") / "warehouse.duckdb"

    def run(*arguments, **app):
        return run_dbt(warehouse, *arguments, **app)

    return run


@pytest.fixture(scope="session")
def shared_data():
    """Two apps that nobody here wrote; not part of a clone."""
    if not SHARED_DATA.exists():
        pytest.skip("the two apps lie beside the repository, and are not there")
    return SHARED_DATA
