"""docs/errors.md is true: it has every sentence that stops a user, no other, and each is tested.

Sentences are compared by their literal text: what the code puts in, and what stands in angle
brackets in the table, may be anything.
"""

import ast
import itertools
import re

import jinja2
import pytest
import yaml
from conftest import ROOT
from jinja2 import nodes

GAP = "\0"  # what is not literal
PLACEHOLDER = re.compile(r"<[^<>]*>")
PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
PYTHON = [path for folder in ("steps", "landing", "live") for path in (ROOT / folder).glob("*.py")]
TESTS = [path for path in (ROOT / "tests").rglob("*.py") if path.name != "test_errors.py"]
# calls whose argument at this place a user reads
SPOKEN = {"stop": 0, "exit": 0, "error": 0, "warning": 0, "say": 1}
# what stands before some sentences when they are printed
BEFORE = (
    "",
    "<file>: ",
    "<file>, line <line>: ",
    "<file> does not meet <expectation>: the file ",
    "simulate.py: ",
    "serve.py: error: argument --port: ",
    "Interventions wait: ",
    "Alerts wait: ",
)
# and behind some
AFTER = ("", ".", "; land it again, or point DROPOFF_EVENTS elsewhere.")
FOR_DEVELOPERS = {"The interventions are closed.", f"{GAP}: {GAP}"}


# --- what the code says ---------------------------------------------------------------------------


def texts(node, names=None):
    """The texts that an expression of Python or Jinja may give; names: {name: its texts}."""
    names = names or {}
    match node:
        case ast.Constant(value=str(text)) | nodes.Const(value=str(text)):
            return [text.replace("%s", GAP)]
        case ast.FormattedValue(value=inner):
            return texts(inner, names)
        case ast.JoinedStr(values=parts) | nodes.Concat(nodes=parts):
            return joined(texts(part, names) for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return joined([texts(left, names), texts(right, names)])
        case ast.IfExp(body=body, orelse=other) | nodes.CondExpr(expr1=body, expr2=other):
            return texts(body, names) + texts(other, names)
        case ast.Name(id=name) | nodes.Name(name=name):
            return names.get(name, [GAP])
    return [GAP]


def joined(parts):
    return ["".join(part) for part in itertools.product(*parts)]


def spoken_by(function):
    """The expressions of a function of Python that a user reads when something is wrong."""
    for node in ast.walk(function):
        match node:
            case ast.Raise(exc=ast.Call(args=[text, *_])):
                yield text
            case ast.Return(value=ast.JoinedStr() as text) if function.name.endswith("_sentence"):
                yield text
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if name in SPOKEN:
                yield from node.args[SPOKEN[name] : SPOKEN[name] + 1]
        # printed, and then it ends
        block = getattr(node, "body", None)
        for one, then in itertools.pairwise(block if isinstance(block, list) else []):
            match one, then:
                case (
                    ast.Expr(value=ast.Call(func=ast.Name(id="print"), args=[text])),
                    ast.Return(
                        value=ast.Constant(value=1 | 2)
                        | ast.Attribute(value=ast.Name(id="Outcome"))
                    ),
                ):
                    yield text


def said_in_python(path):
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef):
            names = {}
            for node in ast.walk(function):
                match node:
                    case ast.Assign(targets=[ast.Name(id=name)], value=value):
                        names[name] = names.get(name, []) + texts(value)
            for expression in spoken_by(function):
                yield from texts(expression, names)


def said_in_macros(path):
    source = path.read_text(encoding="utf-8")
    extensions = ["jinja2.ext.do", "dbt_common.clients.jinja.MaterializationExtension"]
    tree = jinja2.Environment(extensions=extensions).parse(source)
    names = {
        node.target.name: texts(node.node)
        for node in tree.find_all(nodes.Assign)
        if isinstance(node.target, nodes.Name)
    }
    for call in tree.find_all(nodes.Call):
        if getattr(call.node, "name", None) == "stop":
            yield from texts(call.args[0], names)
    # the sentences of settings_problems are texts of SQL
    for text in re.findall(
        r"'((?:[^'\n]|'')*[.])'", source.partition("macro settings_problems")[2]
    ):
        yield text.replace("''", "'").replace("{}", GAP)


def said_in_a_script(path):
    source = path.read_text(encoding="utf-8")
    for text in re.findall(r'echo "([^"]*)"\s*;?\s*exit 1', source):
        yield PLACEHOLDER.sub(GAP, re.sub(r"\$+\([^)]*\)", GAP, text))
    for call in re.findall(r"(?:stop|console[.]error)\(\s*([`'].*?)\);", source, re.DOTALL):
        yield re.sub(r"\$\{[^}]*\}", GAP, "".join(re.findall("[`'](.*?)[`']", call)))


def said():
    """Every sentence of the code, with gaps; what is hardly a word is no sentence."""
    scripts = [
        ROOT / "Makefile",
        *(ROOT / "steps").glob("*.sh"),
        *(ROOT / "reports").glob("[rt]*/*.js"),
    ]
    found = set()
    for read, paths in [
        (said_in_python, PYTHON),
        (said_in_macros, (ROOT / "macros").glob("*.sql")),
        (said_in_a_script, scripts),
    ]:
        found.update(text for path in paths for text in read(path))
    return {text for text in found - FOR_DEVELOPERS if len(re.findall("[A-Za-z]{2,}", text)) > 1}


# --- what the page says ---------------------------------------------------------------------------


def rows_under(heading):
    """The cells of each row of the table below a heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [
        [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in lines[2:]
    ]


def shown(cell):
    """The text of Markdown code."""
    return re.fullmatch(r"(`+) ?(.*?) ?\1", cell)[2]


def pattern(text, gap, before=("",), after=("", ".")):
    """What a text with gaps may be in full."""
    parts = map(re.escape, re.split(gap, text.rstrip(".")))
    either = ["|".join(map(re.escape, texts)) for texts in (before, after)]
    return re.compile(f"({either[0]}){'.*'.join(parts)}({either[1]})")


SENTENCES = {
    shown(printed): pattern(shown(printed), PLACEHOLDER)
    for _, printed, _ in rows_under("Sentences")
}
SAID = {text: pattern(text, GAP, BEFORE, AFTER) for text in sorted(said())}


def literal(sentence):
    """The longest part of a sentence that is literal, its place left out."""
    parts = (part.strip(" '\".,:;()") for part in re.split("<[^<>]*>(?:, line 1: )?", sentence))
    return max(parts, key=len)


def texts_of_tests():
    """All texts that the other tests hold, one a line."""
    found = []
    for path in TESTS:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Constant(value=bytes(text)):
                    found.append(text.decode("utf-8", "replace"))
                case ast.Constant() | ast.JoinedStr():
                    found += texts(node)
    return "\n".join(found)


TESTED = texts_of_tests()


# --- and that they agree --------------------------------------------------------------------------


def named(sentences):
    """Parameters of a test, named by what is literal in them."""
    return [pytest.param(text, id=literal(text.replace(GAP, "<>"))[:60]) for text in sentences]


@pytest.mark.parametrize("text", named(SAID))
def test_what_the_code_says_is_on_the_page(text):
    assert any(
        SAID[text].fullmatch(sentence) or on_page.fullmatch(text)
        for sentence, on_page in SENTENCES.items()
    )


@pytest.mark.parametrize("sentence", named(SENTENCES))
def test_a_sentence_of_the_page_is_said_by_the_code(sentence):
    assert any(in_code.fullmatch(sentence) for in_code in SAID.values())


@pytest.mark.parametrize("sentence", named(SENTENCES))
def test_a_sentence_of_the_page_is_tested(sentence):
    assert len(literal(sentence)) >= 8
    assert literal(sentence) in TESTED


def test_no_sentence_is_there_twice_and_each_says_when_and_what_to_do():
    rows = rows_under("Sentences")
    assert len(rows) == len(SENTENCES)
    assert all(when and what_to_do for when, _, what_to_do in rows)


def test_the_reasons_of_rejected_rows_are_those_of_the_models():
    staging = yaml.safe_load((ROOT / "models" / "staging" / "_models.yml").read_text())
    for heading, model in {
        "Rejected events": "stg_app__rejected_rows",
        "Rejected assignments": "stg_ledger__rejected_rows",
        "Rejected identities": "stg_identities__rejected_rows",
    }.items():
        [columns] = [m["columns"] for m in staging["models"] if m["name"] == model]
        [column] = [column for column in columns if column["name"] == "reject_reason"]
        reasons = column["data_tests"][1]["accepted_values"]["arguments"]["values"]
        assert [shown(reason) for reason, *_ in rows_under(heading)] == reasons
        assert all(reason in TESTED for reason in reasons)
