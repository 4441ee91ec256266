"""The documentation as a site: what mkdocs.yml calls while MkDocs builds it.

Pages of the repository's root (README and the like) join those of docs/. The reference is made
of what the project itself says: the YAML of marts and settings, the comments of dbt_project.yml.
Pictures of sessions are drawn from unit tests. A link to a file of the project leads to a page with
its text, so that the site needs no other host.
"""

from __future__ import annotations

import posixpath
import re
import shutil
from datetime import datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any

import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
# where `make docs` has dbt put its own site of all models
DBT_DOCS = ROOT / "target" / "docs" / "static_index.html"

ROOT_PAGES = {
    "README.md": "index.md",
    "DECISIONS.md": "decisions.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
}
# pages that are not there are left out, and pages that nobody names come under More
SECTIONS = {
    "Start": ["tutorial.md", "own-events.md", "questions.md"],
    "How it works": ["sessions.md", "decisions.md"],
    "Reference": [
        "reference/index.md",
        "reference/settings.md",
        "reference/vars.md",
        "reference/metrics.md",
        "event-formats.md",
        "errors.md",
        "metrics.md",
        "model-versions.md",
    ],
    "Operate": [
        "operations.md",
        "live.md",
        "schedule.md",
        "package.md",
        "spark.md",
        "performance.md",
        "faults.md",
    ],
    "About": ["comparison.md", "changelog.md", "contributing.md"],
}
# pages that say what these files say, and are better read
REFERENCE = {
    "models/marts/_models.yml": "reference/index.md",
    "models/staging/_sources.yml": "reference/settings.md",
    "models/metrics/_metrics.yml": "reference/metrics.md",
    "dbt_project.yml": "reference/vars.md",
}
# folders that tools write
MADE = {"__pycache__", "build", "logs", "node_modules", "target"}
LANGUAGES = {".sql": "sql", ".yml": "yaml", ".py": "python", ".csv": "text", ".toml": "toml"}

FENCE = re.compile(r"^(`{3,})(\w*)\n(.*?)^\1\n", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")
# a heading between the vars of dbt_project.yml, and a var with its value
VARS_HEADING = re.compile(r"  # --- (.*?) -+")
VAR = re.compile(r"  ([a-z_]+):(.*)")


def read_yaml(path: str) -> dict[str, Any]:
    """A YAML file of the project."""
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def cell(text: object) -> str:
    """One line of text for a cell of a table; a bar would end the cell."""
    return " ".join(str(text).split()).replace("|", "&#124;")


def fenced(text: str, language: str = "") -> str:
    """A block of code, whatever fences are in it."""
    return f"`````{language}\n{text.rstrip()}\n`````\n"


# --- the reference ------------------------------------------------------------------------------


def marts() -> list[dict[str, Any]]:
    """The marts as their YAML describes them, in its order."""
    return read_yaml("models/marts/_models.yml")["models"]


def pages_by_mart() -> dict[str, list[str]]:
    """The report pages that read each mart, from the exposures."""
    pages: dict[str, list[str]] = {}
    for exposure in read_yaml("models/marts/_exposures.yml")["exposures"]:
        for reference in exposure["depends_on"]:
            pages.setdefault(reference.split("'")[1], []).append(exposure["label"])
    return pages


def mart_page(mart: dict[str, Any], readers: list[str]) -> str:
    """One mart: what it holds, its columns, who reads it, its SQL."""
    lines = [f"# {mart['name']}", "", mart["description"], ""]
    if readers:
        lines += [f"Read by the pages {', '.join(readers)}.", ""]
    lines += ["| column | type | |", "|---|---|---|"]
    for column in mart["columns"]:
        description = cell(column["description"])
        lines.append(f"| `{column['name']}` | {column.get('data_type', '')} | {description} |")
    path = next((ROOT / "models" / "marts").glob(f"{mart['name']}.*")).relative_to(ROOT)
    lines += ["", f"Made by [{path}](../source/{path}.md)."]
    return "\n".join(lines) + "\n"


def reference_page() -> str:
    """The marts with their grain, and where the rest of the reference is."""
    lines = ["# Marts", ""]
    lines += ["What people read: schema `marts`, each an enforced dbt contract.", ""]
    if DBT_DOCS.exists():
        lines += [
            'All models with their tests and lineage are in <a href="../dbt/index.html">dbt\'s own '
            "documentation</a>.",
            "",
        ]
    lines += ["| mart | |", "|---|---|"]
    for mart in marts():
        lines.append(f"| [{mart['name']}]({mart['name']}.md) | {cell(mart['description'])} |")
    return "\n".join(lines) + "\n"


def project_vars() -> list[tuple[str, str, str, str]]:
    """(heading, var, value as written, its reason) of dbt_project.yml, in its order.

    A var without a comment of its own shares that of the one above it.
    """
    text = (ROOT / "dbt_project.yml").read_text(encoding="utf-8").split("\nvars:\n")[1]
    found: list[tuple[str, str, str, str]] = []
    heading, comments, is_told = "", [], False
    for line in text.splitlines():
        if match := VARS_HEADING.fullmatch(line):
            heading, comments = match[1], []
        elif line.startswith("  # "):
            comments, is_told = [] if is_told else comments, False
            comments = [*comments, line[4:]]
        elif match := VAR.fullmatch(line):
            found.append((heading, match[1], match[2].strip(), " ".join(comments)))
            is_told = True
        elif not line.strip():
            comments = []
    return found


def vars_page() -> str:
    """The vars with their defaults and reasons."""
    lines = [
        "# Vars",
        "",
        "Thresholds and choices, with the reason for each default. Give others with",
        "`make build VARS='{session_timeout_minutes: 30}'` or dbt's `--vars`; a wrong value stops",
        "the build in [one sentence](../docs/errors.md). They are in",
        "[dbt_project.yml](../source/dbt_project.yml.md).",
    ]
    last = None
    for heading, name, value, reason in project_vars():
        if heading != last:
            lines += ["", f"## {heading[:1].upper()}{heading[1:]}", ""]
            lines += ["| var | default | |", "|---|---|---|"]
            last = heading
        default = f"`{cell(value)}`" if value else "[a mapping each](../docs/event-formats.md)"
        lines.append(f"| `{name}` | {default} | {cell(reason)} |")
    return "\n".join(lines) + "\n"


def metrics() -> list[dict[str, Any]]:
    """The metrics as their YAML describes them, in its order."""
    return read_yaml("models/metrics/_metrics.yml")["metrics"]


def metrics_page() -> str:
    """The metrics that can be asked by name."""
    lines = [
        "# Metrics",
        "",
        "Figures that are defined once, in dbt's semantic layer, and asked by name:",
        "",
        fenced('make metrics QUERY="--metrics conversion_rate --group-by session__platform"', "sh"),
        "`make metrics` alone lists them with what they can be grouped by.",
        "",
        "| metric | on pages | |",
        "|---|---|---|",
    ]
    for metric in metrics():
        lines.append(
            f"| `{metric['name']}` | {cell(metric['label'])} | {cell(metric['description'])} |"
        )
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    """The settings files: their columns, the demo's rows, and what stops a build."""
    lines = [
        "# Settings",
        "",
        "An app is described by CSV files in the folder that `DROPOFF_SEEDS` names; `make",
        "new-app` writes a first version of the four that must be there. A contradiction stops the",
        "build before any model runs, with the file and its line. The rows shown are the first of",
        "the demo's.",
    ]
    (source,) = read_yaml("models/staging/_sources.yml")["sources"]
    for table in source["tables"]:
        text = (ROOT / "seeds" / f"{table['name']}.csv").read_text(encoding="utf-8")
        lines += ["", f"## {table['name']}.csv", "", table["description"], ""]
        lines += ["| column | |", "|---|---|"]
        for column in table["columns"]:
            lines.append(f"| `{column['name']}` | {cell(column['description'])} |")
        lines += ["", fenced("\n".join(text.splitlines()[:6]))]
    errors = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8").splitlines()
    lines += ["## What stops a build", "", "| what is printed | what to do |", "|---|---|"]
    lines += ["|" + row.split("|", 2)[2] for row in errors if row.startswith("| settings ")]
    return "\n".join(lines) + "\n"


# --- pictures and questions -----------------------------------------------------------------------


def waited(microseconds: int) -> str:
    """A time between two events in words, exact."""
    minutes, rest = divmod(microseconds, 60_000_000)
    if minutes < 2:
        minutes, rest = 0, microseconds
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest / 1_000_000:.6f}".rstrip("0").rstrip(".")
    parts = [(hours, f"{hours} h"), (minutes, f"{minutes} min"), (rest, f"{seconds} s")]
    return " ".join(text for count, text in parts if count) or "0 s"


def unit_tests() -> dict[str, dict[str, Any]]:
    """The unit tests of what a session is, by name."""
    tests = read_yaml("models/sessions/_unit_tests.yml")["unit_tests"]
    return {test["name"]: test for test in tests}


def picture(name: str) -> str:
    """The events of a unit test, and the sessions that it expects, as SVG with the test's name.

    Raises KeyError where there is no such test, or it is about no events of one user.
    """
    test = unit_tests()[name]
    (events,) = (given["rows"] for given in test["given"] if "int_events__typed" in given["input"])
    sessions = {row["event_text"]: row["user_session_number"] for row in test["expect"]["rows"]}
    times = [datetime.fromisoformat(event["event_at"]) for event in events]
    step, margin, middle = 160, 70, 74
    places = [margin + step * number for number in range(len(events))]
    width = places[-1] + margin
    drawn = []
    for number in sorted(set(sessions.values())):
        inside = [
            x
            for x, event in zip(places, events, strict=True)
            if sessions.get(event["event_text"]) == number
        ]
        left, right = inside[0] - 44, inside[-1] + 44
        kind = "odd" if number % 2 else "even"
        drawn.append(
            f'<rect class="session {kind}" x="{left}" y="10" width="{right - left}" height="124" '
            f'rx="10"/><text class="name" x="{left + 12}" y="30">session {number}</text>'
        )
    for (x, at), (after_x, after) in zip(
        zip(places, times, strict=True), list(zip(places, times, strict=True))[1:], strict=False
    ):
        gap = waited((after - at) // timedelta(microseconds=1))
        drawn.append(f'<path class="time" d="M{x + 12} {middle}H{after_x - 12}"/>')
        drawn.append(f'<text class="gap" x="{(x + after_x) / 2:g}" y="{middle - 8}">{gap}</text>')
    for x, event in zip(places, events, strict=True):
        role = event["event_role"]
        flag = f"M{x - 9} {middle - 10}L{x + 11} {middle}L{x - 9} {middle + 10}Z"
        shape = (
            f'<path class="{role}" d="{flag}"/>'
            if role == "starter"
            else f'<circle class="{role}" cx="{x}" cy="{middle}" r="8"/>'
        )
        drawn.append(f'{shape}<text class="role" x="{x}" y="{middle + 32}">{role}</text>')
        at = event["event_at"].split(" ")[1]
        drawn.append(f'<text class="at" x="{x}" y="{middle + 50}">{escape(at)}</text>')
    told = "; ".join(
        f"{event['event_role']} at {event['event_at'].split(' ')[1]}: "
        + (
            f"session {sessions[event['event_text']]}"
            if event["event_text"] in sessions
            else "none"
        )
        for event in events
    )
    given = test.get("overrides", {}).get("vars", {})
    told_vars = ", ".join(
        f"{var}: {yaml.safe_dump(value).split()[0]}" for var, value in given.items()
    )
    return (
        f'<figure class="sessions"><div><svg viewBox="0 0 {width} 144" width="{width}" '
        f'height="144" style="min-width:{min(width, 460)}px" role="img" '
        f'aria-label="{escape(told)}">{"".join(drawn)}</svg></div>'
        f"<figcaption>Unit test <code>{name}</code> ({escape(told_vars)})</figcaption></figure>\n"
    )


def questions() -> str:
    """The questions of analyses/ with their answers and SQL."""
    lines = []
    for analysis in read_yaml("analyses/_analyses.yml")["analyses"]:
        name = analysis["name"]
        sql = (ROOT / "analyses" / f"{name}.sql").read_text(encoding="utf-8")
        lines += [f"### {analysis['config']['meta']['question']}", "", analysis["description"], ""]
        block = fenced(sql, "sql").replace("\n", "\n    ").rstrip()
        lines += [f'??? note "analyses/{name}.sql"', "", f"    {block}", ""]
    return "\n".join(lines)


# --- the site -------------------------------------------------------------------------------------


def sources() -> dict[str, str]:
    """The pages of the site by their place in it, each with its text as the repository has it."""
    pages = {page: (ROOT / name).read_text(encoding="utf-8") for name, page in ROOT_PAGES.items()}
    for path in sorted((ROOT / "docs").rglob("*.md")):
        place = path.relative_to(ROOT / "docs").as_posix()
        pages[place] = path.read_text(encoding="utf-8")
    pages["reference/index.md"] = reference_page()
    pages["reference/vars.md"] = vars_page()
    pages["reference/settings.md"] = settings_page()
    pages["reference/metrics.md"] = metrics_page()
    readers = pages_by_mart()
    for mart in marts():
        name = mart["name"]
        pages[f"reference/{name}.md"] = mart_page(mart, readers.get(name, []))
    return pages


def home_of(place: str) -> str:
    """The folder of the repository from which the links of a page are meant."""
    if place in ROOT_PAGES.values():
        return ""
    return (
        "reference"
        if place.startswith("reference/")
        else posixpath.join("docs", posixpath.dirname(place))
    )


def place_of(target: str) -> str | None:
    """Where the site has a file of the repository; None where there is no such file."""
    path = Path(target)
    if target in REFERENCE:
        return REFERENCE[target]
    if path.parent == Path("models/marts") and path.suffix == ".sql" and (ROOT / path).is_file():
        return f"reference/{path.stem}.md"
    if target in ROOT_PAGES:
        return ROOT_PAGES[target]
    if target.startswith(("reference/", "source/")):
        return target
    if target.startswith("docs/"):
        return target.removeprefix("docs/")
    return f"source/{target}.md" if (ROOT / target).exists() else None


def source_page(path: str) -> str:
    """The text of a file of the repository, or what lies in one of its folders."""
    files = [ROOT / path]
    if files[0].is_dir():
        files = sorted(file for file in files[0].rglob("*") if file.suffix in LANGUAGES)
        files = [file for file in files if not MADE & set(file.relative_to(ROOT).parts)]
    lines = ["---", "search: {exclude: true}", "---", f"# {path}", ""]
    for file in files:
        if len(files) > 1:
            lines += [f"## {file.relative_to(ROOT / path).as_posix()}", ""]
        language = LANGUAGES.get(file.suffix, "text")
        lines.append(fenced(file.read_text(encoding="utf-8"), language))
    return "\n".join(lines)


def outside_fences(text: str) -> list[str]:
    """The parts of a page: text and blocks of code in turn."""
    parts, at = [], 0
    for match in FENCE.finditer(text):
        parts += [text[at : match.start()], match.group()]
        at = match.end()
    return [*parts, text[at:]]


def linked(place: str, text: str) -> list[str]:
    """The files of the repository that a page leads to."""
    prose = "".join(outside_fences(text)[::2])
    targets = [match[2] for match in LINK.finditer(prose) if ":" not in match[2]]
    return [posixpath.normpath(posixpath.join(home_of(place), target)) for target in targets]


def as_on_site(place: str, text: str) -> str:
    """A page with its links as the site has them."""

    def link(match: re.Match[str]) -> str:
        if ":" in match[2]:
            return match.group()
        target = place_of(posixpath.normpath(posixpath.join(home_of(place), match[2])))
        if not target:
            return match.group()
        there = posixpath.relpath(target, posixpath.dirname(place) or ".")
        return f"{match[1]}{there}{match[3] or ''}{match[4]}"

    parts = outside_fences(text)
    parts[::2] = [LINK.sub(link, part) for part in parts[::2]]
    return "".join(parts)


def navigation(places: list[str]) -> list[Any]:
    """Sections in their order, each page once."""
    left = [place for place in places if not place.startswith("source/")]
    nav: list[Any] = [{"What it is": "index.md"}]
    left.remove("index.md")
    for section, pages in SECTIONS.items():
        found = [page for page in pages if page in left]
        left = [page for page in left if page not in found]
        if section == "Reference":
            of_marts = [page for page in left if page.startswith("reference/")]
            left = [page for page in left if page not in of_marts]
            found = [{"Marts": [found[0], *of_marts]}, *found[1:]]
        nav.append({section: found})
    return [*nav, {"More": left}] if left else nav


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what does not lie in docs/, and say in what order pages are listed."""
    pages = sources()
    for place, text in list(pages.items()):
        for target in linked(place, text):
            there = place_of(target) or ""
            path = there.removeprefix("source/").removesuffix(".md")
            if there.startswith("source/") and there not in pages and (ROOT / path).exists():
                pages[there] = source_page(path)
    for place, text in pages.items():
        old = files.get_file_from_path(place)
        if old:
            files.remove(old)
        on_site = text if place.startswith("source/") else as_on_site(place, text)
        files.append(File.generated(config, place, content=on_site))
    config.nav = navigation(sorted(pages))

    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Draw the pictures and write the questions where a page asks for them."""
    drawn = FENCE.sub(
        lambda match: picture(match[3].strip()) if match[2] == "picture" else match.group(),
        markdown,
    )
    return (
        drawn.replace("<!-- questions -->", questions()) if "<!-- questions -->" in drawn else drawn
    )


def on_post_build(config: MkDocsConfig) -> None:
    """Put dbt's own documentation beside it, where it was made."""
    if DBT_DOCS.exists():
        there = Path(config.site_dir) / "dbt"
        there.mkdir(exist_ok=True)
        shutil.copy(DBT_DOCS, there / "index.html")
