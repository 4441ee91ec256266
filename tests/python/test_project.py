"""The project as a whole: its layout is clean, its documents agree with it, its rules hold."""

import gc
import json
import logging
import os
import re
import subprocess
import sys

import duckdb
import pytest
import yaml
from conftest import ROOT, load

BIN = os.path.dirname(sys.executable)
MODEL_FOLDERS = ("staging", "sessions", "fitted", "effects", "active", "marts", "metrics")


def run_tool(*command, **environment):
    found = subprocess.run(
        [os.path.join(BIN, command[0]), *command[1:]],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-1000:]


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("yamllint", "--strict", "."),
        ("pre-commit", "validate-config"),
    ],
)
def test_python_and_yaml_are_clean(command):
    run_tool(*command)


@pytest.mark.parametrize(("why", "code"), [("dbt raised an exception", 1), ("it is a macro", 0)])
def test_a_model_that_cannot_be_linted_is_no_clean_model(monkeypatch, why, code):
    """sqlfluff only warns of a file that dbt does not compile."""

    def lint(arguments):
        logging.getLogger("sqlfluff.linter").warning("Skipped file a.sql because %s", why)
        sys.exit(0)

    lint_sql = load(ROOT / "steps" / "lint_sql.py")
    monkeypatch.setattr(lint_sql, "lint", lint)
    monkeypatch.setattr(gc, "set_threshold", lambda *_: None)
    assert lint_sql.main() == code


@pytest.mark.slow
def test_sql_is_clean(tmp_path):
    """Compiling locks a warehouse: one of its own, since other tests are reading the demo's."""
    command = ("python", "steps/lint_sql.py", "models", "analyses", "tests")
    run_tool(*command, DROPOFF_WAREHOUSE=str(tmp_path / "lint.duckdb"))


def described_models():
    """(folder, model) of each description; of a model with versions, one for each."""
    for folder in MODEL_FOLDERS:
        text = (ROOT / "models" / folder / "_models.yml").read_text()
        for model in yaml.safe_load(text)["models"]:
            for version in model.get("versions", [None]):
                yield folder, model if version is None else model | as_of_version(model, version)


def as_of_version(model, version):
    """What is its own in a version of a model: file, table and columns."""
    file = f"{model['name']}_v{version['v']}"
    columns = version.get("columns", [{"include": "all"}])
    left_out = {name for rule in columns for name in rule.get("exclude", [])}
    return {
        "file": file,
        "table": version.get("config", {}).get("alias", file),
        "columns": [column for column in model["columns"] if column["name"] not in left_out]
        + [column for column in columns if "name" in column],
    }


def test_every_model_is_described_and_every_described_model_is_there():
    files = {
        (folder, path.stem)
        for folder in MODEL_FOLDERS
        for path in (ROOT / "models" / folder).glob("[a-z]*.*")
        if path.suffix in (".sql", ".py")
    }
    described = {(folder, model.get("file", model["name"])) for folder, model in described_models()}
    assert described == files


def test_documented_columns_are_the_actual_columns():
    with duckdb.connect(str(ROOT / "warehouse.duckdb"), read_only=True) as connection:
        actual = {
            (schema, table): columns
            for schema, table, columns in connection.execute("""
                select schema_name, table_name, list(column_name order by column_index)
                from duckdb_columns()
                group by schema_name, table_name
            """).fetchall()
        }
    for folder, model in described_models():
        table = model.get("table", model["name"])
        assert [column["name"] for column in model["columns"]] == actual[folder, table]
        for described in (model, *model["columns"]):
            assert described["description"].strip(), (model["name"], described["name"])


def test_the_warehouse_opens_in_duckdb_1():
    """Bytes 12 to 20 of the file say its storage version; 64 is that of DuckDB 1.0 to 1.4."""
    header = (ROOT / "warehouse.duckdb").read_bytes()[:20]
    assert header[8:12] == b"DUCK"
    assert int.from_bytes(header[12:20], "little") <= 65


@pytest.fixture(scope="module")
def manifest():
    """What dbt last parsed: the build of the warehouse that is here."""
    return json.loads((ROOT / "target" / "manifest.json").read_text())


def test_every_mart_is_public_and_nothing_else_is(manifest):
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    public = {model["name"] for model in models if model["access"] == "public"}
    assert public == {model["name"] for folder, model in described_models() if folder == "marts"}
    assert all(model["contract"]["enforced"] for model in models if model["access"] == "public")


def test_a_model_is_private_where_only_its_own_folder_refers_to_it(manifest):
    """Tests and exposures refer to models as well."""
    kinds = ("nodes", "unit_tests", "exposures", "semantic_models")
    referring = {name: node for kind in kinds for name, node in manifest[kind].items()}
    folder = {
        name: node["original_file_path"].rpartition("/")[0] for name, node in referring.items()
    }
    read_elsewhere = {
        parent
        for name, node in referring.items()
        for parent in node["depends_on"]["nodes"]
        if folder.get(parent) != folder[name]
    }
    for name, model in manifest["nodes"].items():
        if model["resource_type"] == "model" and model["access"] != "public":
            is_private = model["access"] == "private"
            assert is_private == (name not in read_elsewhere), name


def test_every_folder_of_models_is_a_group_with_an_owner_who_can_be_reached(manifest):
    groups = {group["name"]: group["owner"] for group in manifest["groups"].values()}
    assert set(groups) == set(MODEL_FOLDERS)
    for model in manifest["nodes"].values():
        if model["resource_type"] == "model":
            assert model["group"] == model["fqn"][1], model["name"]
    for owner in [*groups.values(), *(one["owner"] for one in manifest["exposures"].values())]:
        assert owner["name"]
        assert "@" in owner["email"]


def test_settings_and_readme_name_no_table_that_is_not_there():
    marts = {model["name"] for folder, model in described_models() if folder == "marts"}
    named = set(
        re.findall(r"\b(?:(?:fct|dim)_[a-z_]+|session_rekeys)\b", (ROOT / "README.md").read_text())
    )
    assert named <= marts
    sources = {path.stem for path in (ROOT / "reports" / "sources" / "dropoff").glob("*.sql")}
    assert sources <= marts


def test_every_var_that_rows_depend_on_is_in_the_fingerprint_of_a_build():
    """The clocks and as_of are looked at row by row, memory changes no row, what is fitted anew is
    fitted from the same rows, and what goes out live is no row of a build.
    """
    project = yaml.safe_load((ROOT / "dbt_project.yml").read_text())
    macro = (ROOT / "macros" / "builds.sql").read_text().split("macro project_vars()")[1]
    listed = set(re.findall(r"'([a-z_]+)'", macro.split("endmacro")[0]))
    assert listed == set(project["vars"]) - {
        "as_of",
        "build_clock",
        "alert_clock",
        "memory_limit",
        "refit",
        "intervention_levels",
        "control_share",
        "feed_stopped_after_seconds",
    }


def test_models_branch_on_no_engine_and_reports_name_only_marts():
    for path in (ROOT / "models").rglob("*.sql"):
        assert not re.search(r"target\.(type|name)", path.read_text()), path
    for path in (ROOT / "reports" / "sources").rglob("*.sql"):
        schemas = re.findall(r"\b(\w+)\.(?:fct|dim)_\w+", path.read_text())
        assert set(schemas) == {"marts"}, path


def test_every_page_is_an_exposure_of_the_marts_it_reads():
    text = (ROOT / "models" / "marts" / "_exposures.yml").read_text()
    exposures = {
        exposure["label"]: {re.search(r"'(.*)'", ref)[1] for ref in exposure["depends_on"]}
        for exposure in yaml.safe_load(text)["exposures"]
    }
    reads = {}
    for path in (ROOT / "reports" / "pages").glob("*.md"):
        _, front_matter, page = path.read_text().split("---\n", 2)
        described = yaml.safe_load(front_matter)
        queries = (ROOT / "reports" / "queries" / name for name in described.get("queries", []))
        whole = page + "".join(query.read_text() for query in queries)
        marts = set(re.findall(r"\bdropoff\.((?:fct|dim)_\w+)", whole))
        if marts:
            reads[described["title"]] = marts
    assert exposures == reads


def test_every_exposure_has_its_pages_address_and_says_how_ripe_it_is(manifest):
    for exposure in manifest["exposures"].values():
        page = exposure["name"].removesuffix("_page").replace("_", "-")
        path = "" if page == "overview" else f"{page}/"
        assert exposure["url"].endswith(f"://localhost:3000/{path}")
        file = ROOT / "reports" / "pages" / f"{'index' if page == 'overview' else page}.md"
        assert f"\ntitle: {exposure['label']}\n" in file.read_text()
        assert exposure["maturity"] in ("high", "medium", "low")
