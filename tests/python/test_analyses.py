"""The questions in analyses/: they read only marts, and no figure of an answer is a stale one."""

import re

import duckdb
import pytest
import yaml
from conftest import ROOT, run_dbt

DESCRIBED = yaml.safe_load((ROOT / "analyses" / "_analyses.yml").read_text())["analyses"]
FIGURE = re.compile(r"\*\*(-?[\d,]+(?:\.\d+)?)(?: %| points)?\*\*")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The compiled queries, and the models each of them reads."""
    folder = tmp_path_factory.mktemp("analyses")
    build = run_dbt(folder / "warehouse.duckdb", "compile", "--select", "path:analyses")
    assert build.success, build.output[-2000:]
    return {
        result.node.name: (result.node.compiled_code, result.node.depends_on.nodes)
        for result in build.result.results
        if result.node.resource_type == "analysis"
    }


@pytest.fixture(scope="module")
def answers(compiled):
    """Connections by question, each with the query's result as the table answer."""
    warehouse = duckdb.connect()
    # the name that the compiled queries have for the file
    warehouse.execute(f"attach '{ROOT / 'warehouse.duckdb'}' as warehouse (read_only)")

    def ask(name):
        warehouse.execute(f"create or replace temp table answer as {compiled[name][0]}")
        return warehouse

    yield ask
    warehouse.close()


def test_ten_questions_are_asked_and_described_and_read_only_marts(compiled):
    files = {path.stem for path in (ROOT / "analyses").glob("*.sql")}
    assert len(files) == 10
    assert files == set(compiled) == {analysis["name"] for analysis in DESCRIBED}
    for name, (_, models) in compiled.items():
        assert models
        for model in models:
            folder = next((ROOT / "models").rglob(f"{model.rsplit('.', 1)[1]}.sql")).parent.name
            assert folder == "marts", (name, model)


@pytest.mark.parametrize("analysis", DESCRIBED, ids=lambda analysis: analysis["name"])
def test_every_figure_of_an_answer_is_what_its_query_finds(answers, analysis):
    told = FIGURE.findall(analysis["description"])
    expressions = analysis["config"]["meta"]["figures"]
    assert len(told) == len(expressions)
    warehouse = answers(analysis["name"])
    found = []
    for text, expression in zip(told, expressions, strict=True):
        (value,) = warehouse.execute(f"select {expression} from answer").fetchone()
        decimals = len(text.partition(".")[2])
        found.append(f"{round(float(value), decimals) + 0.0:,.{decimals}f}")
    assert told == found


@pytest.mark.parametrize("analysis", DESCRIBED, ids=lambda analysis: analysis["name"])
def test_no_answer_has_a_figure_that_nothing_holds(analysis):
    """Digits stand in a figure, or in a name between backticks."""
    rest = re.sub(r"`[^`]*`", "", FIGURE.sub("", analysis["description"]))
    assert not re.search(r"\d", rest)
