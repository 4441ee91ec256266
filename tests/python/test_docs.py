"""The documentation: it builds without a broken link, its reference is whole, its commands run."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, environment, load

BIN = Path(sys.executable).parent
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

docs_site = load(ROOT / "steps" / "docs_site.py")


def blocks(page, language):
    found = BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))
    return [text for kind, text in found if kind == language]


# --- the site ------------------------------------------------------------------------------------


LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class Text(HTMLParser):
    """The text of a page, the hosts that it loads from, and its pictures."""

    def __init__(self, path):
        super().__init__()
        self.text, self.hosts, self.pictures = [], set(), 0
        self.feed(path.read_text(encoding="utf-8"))
        self.text = " ".join(" ".join(self.text).split())

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        address = given.get(LOADED.get(tag), "") or ""
        # where a page lies is told, and nothing is loaded by it
        if "//" in address and given.get("rel") != "canonical":
            self.hosts.add(address)
        self.pictures += given.get("class") == "sessions"

    def handle_data(self, data):
        self.text.append(data)


def build(project, folder):
    return subprocess.run(
        [BIN / "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=project,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site, by page: its text and what it loads."""
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def read(site, page):
    return Text(site / page)


def test_the_site_has_every_page_and_loads_from_no_other_host(site):
    for path in DOCS.rglob("*.md"):
        assert (site / path.relative_to(DOCS).with_suffix(".html")).is_file(), path
    pages = [path for path in site.rglob("*.html") if path.relative_to(site).parts[0] != "dbt"]
    assert len(pages) > 60
    for path in pages:
        assert read(site, path).hosts == set(), path
    for path in site.rglob("*.css"):
        assert not re.search(r"url\(\s*['\"]?(https?:)?//", path.read_text()), path


def test_every_page_can_be_reached_and_searched(site):
    home = (site / "index.html").read_text(encoding="utf-8")
    for path in DOCS.rglob("*.md"):
        assert f'href="{path.relative_to(DOCS).with_suffix(".html")}"' in home, path
    index = json.loads((site / "search" / "search_index.json").read_text())
    found = {entry["location"].split("#")[0] for entry in index["docs"]}
    assert {"tutorial.html", "reference/fct_sessions.html", "errors.html"} <= found


def test_a_link_to_nowhere_fails_the_build(new_clone):
    with (new_clone / "docs" / "faults.md").open("a") as page:
        page.write("\n[gone](../models/marts/gone.sql)\n")
    done = build(new_clone, new_clone / "site")
    assert done.returncode == 1
    assert "gone.sql" in done.stdout + done.stderr


def test_every_mart_and_column_is_in_the_reference(site):
    listed = read(site, "reference/index.html").text
    for mart in docs_site.marts():
        assert mart["name"] in listed
        page = read(site, f"reference/{mart['name']}.html").text
        for column in mart["columns"]:
            assert f" {column['name']} " in page, (mart["name"], column["name"])


def test_every_metric_is_in_the_reference(site):
    page = (site / "reference" / "metrics.html").read_text(encoding="utf-8")
    described = yaml.safe_load((ROOT / "models" / "metrics" / "_metrics.yml").read_text())
    names = [metric["name"] for metric in described["metrics"]]
    assert re.findall(r"<tr>\s*<td><code>(\w+)</code></td>", page) == names


def test_every_var_is_in_the_reference_with_its_default_and_a_reason(site):
    project = yaml.safe_load((ROOT / "dbt_project.yml").read_text())["vars"]
    told = {name: (value, reason) for _, name, value, reason in docs_site.project_vars()}
    assert set(told) == set(project)
    page = read(site, "reference/vars.html").text
    for name, (value, reason) in told.items():
        assert f" {name} " in page
        assert reason, name
        if value:
            assert yaml.safe_load(value) == project[name]


def test_every_settings_column_is_in_the_reference(site):
    source = (ROOT / "macros" / "check_settings.sql").read_text()
    kept = {}
    for name in ("settings_files", "optional_settings_files", "optional_settings_columns"):
        macro = re.search(rf"macro {name}\(\) %}}.*?endmacro", source, re.DOTALL)[0]
        kept[name] = yaml.safe_load(re.search(r"\{\s*'.*\}(?=\))", macro, re.DOTALL)[0])
    (described,) = docs_site.read_yaml("models/staging/_sources.yml")["sources"]
    page = (site / "reference" / "settings.html").read_text(encoding="utf-8")
    columns_of = kept["settings_files"] | kept["optional_settings_files"]
    assert {table["name"] for table in described["tables"]} == set(columns_of)
    for table in described["tables"]:
        columns = [column["name"] for column in table["columns"]]
        name = table["name"]
        optional = kept["optional_settings_columns"].get(name, [])
        assert columns == columns_of[name] + optional
        section = page.split(f'id="{name}csv"')[1].split("<h2")[0]
        assert re.findall(r"<tr>\s*<td><code>(\w+)</code></td>", section) == columns


def test_pictures_are_unit_tests_and_show_what_these_expect(site):
    asked = [text.strip() for text in blocks("sessions.md", "picture")]
    assert len(asked) >= 12
    page = read(site, "sessions.html")
    assert page.pictures == len(asked)
    for name in asked:
        assert f"Unit test {name} (" in page.text
    drawn = docs_site.picture("a_starter_61_seconds_later_opens_a_session")
    assert drawn.count('class="session ') == 2
    assert ">61 s<" in drawn
    assert docs_site.picture("a_starter_60_seconds_later_joins").count('class="session ') == 1
    with pytest.raises(KeyError):
        docs_site.picture("no_such_test")


def test_every_question_is_on_its_page_with_its_answer(site):
    page = read(site, "questions.html").text
    for analysis in docs_site.read_yaml("analyses/_analyses.yml")["analyses"]:
        assert analysis["config"]["meta"]["question"] in page
        assert f"analyses/{analysis['name']}.sql" in page


@pytest.mark.slow
def test_make_docs_puts_dbts_own_site_beside_it(new_clone):
    with environment():
        done = subprocess.run(["make", "docs"], cwd=new_clone, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "the documentation is in site/index.html" in done.stdout
    assert "fct_sessions" in (new_clone / "site" / "dbt" / "index.html").read_text()
    assert 'href="../dbt/index.html"' in (new_clone / "site/reference/index.html").read_text()
    assert not list(new_clone.rglob("*.duckdb"))


# --- what the pages tell people to type ---------------------------------------------------------------


def test_the_examples_of_python_run_and_the_notebook_is_the_one_shown(tmp_path):
    shutil.copy(ROOT / "warehouse.duckdb", tmp_path)
    snippets = blocks("questions.md", "python")
    notebook = json.loads((DOCS / "examples" / "funnel.ipynb").read_text())
    cells = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
    assert "\n".join(cells).split() == snippets[-1].split()
    with contextlib.chdir(tmp_path):
        frames = []
        for snippet in snippets:
            names = {}
            exec(snippet, names)
            frames.append(names)
    assert frames[0]["funnel"].count_sessions[0] > 30_000
    assert (tmp_path / "fct_funnel_daily.parquet").stat().st_size > 1_000
    assert (tmp_path / "dim_settings.csv").read_text().startswith("as_of,")
    table = frames[2]["table"]
    assert list(table.columns) == ["android", "ios", "web"]
    assert len(table) == 9
    assert "%" in table.style.format("{:.1%}").to_html()
    frames[2]["warehouse"].close()


@pytest.fixture
def new_clone(tmp_path):
    """The project as somebody has it who cloned it and ran make setup, and nothing else."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    (tmp_path / "reports" / "node_modules").symlink_to(ROOT / "reports" / "node_modules")
    shutil.copytree(ROOT / ".steps", tmp_path / ".steps")
    return tmp_path


@pytest.mark.slow
def test_the_tutorial_does_what_it_says(new_clone):
    """Pages are rendered by other tests: here make only says that it would."""
    script = "set -e\n" + "".join(blocks("tutorial.md", "sh"))
    assert script.count("make run ") == 1
    script = script.replace("make run ", "make -n run ")
    with environment():
        done = subprocess.run(
            ["sh", "-c", script], cwd=new_clone, capture_output=True, text=True, timeout=600
        )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "npm run build" in done.stdout
    printed = {" ".join(line.split()) for line in done.stdout.splitlines()}
    told = [line for text in blocks("tutorial.md", "text") for line in text.splitlines() if line]
    assert told
    for line in told:
        # how long a step took differs
        seconds = re.sub(r" \(\d+ s\)$", "", " ".join(line.split()))
        assert any(found.startswith(seconds) for found in printed), line
