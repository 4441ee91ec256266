"""What the page tests share: the built site, the warehouse behind it, and a browser."""

import os
import re
import shutil
import subprocess
import sys

import duckdb
import pytest
from places import ROOT, SERVE, SITE
from playwright.sync_api import expect, sync_playwright

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PATIENCE = 60_000  # ms: on two busy cores DuckDB takes its time to start
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def site():
    """Address of the built site, served as people get it."""
    if not (SITE / "index.html").is_file():
        pytest.fail("The reports are not built yet: run make reports.", pytrace=False)
    server = subprocess.Popen(
        [sys.executable, SERVE, "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    yield server.stdout.readline().split()[-1].rstrip("/")
    server.terminate()
    server.wait(timeout=10)


@pytest.fixture(scope="session")
def warehouse():
    """The warehouse that the site was built from, read only."""
    path = ROOT / os.environ.get("DROPOFF_WAREHOUSE", "warehouse.duckdb")
    if not path.is_file():
        pytest.fail(f"There is no warehouse at {path.name}: run make build.", pytrace=False)
    connection = duckdb.connect(str(path), read_only=True)
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def rows(warehouse):
    """Rows of a query on the warehouse, as dicts."""

    def run(query, *values):
        result = warehouse.execute(query, list(values))
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    return run


@pytest.fixture(scope="session")
def browser():
    """Debian's Chromium with a new profile."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        pytest.fail(
            "There is no Chromium to look at the pages with: run make setup-browser, "
            "or install Debian's package chromium.",
            pytrace=False,
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


class Look:
    """A page as one reader sees it, with what went wrong behind it."""

    def __init__(self, context, site):
        self.site = site
        self.complaints = []
        self.foreign = []
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.route(lambda url: not url.startswith((site, "data:", "blob:")), self.refuse)
        self.page.on("console", self.hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("response", self.check)

    def refuse(self, route):
        self.foreign.append(route.request.url)
        route.abort()

    def hear(self, message):
        if message.type == "error":
            self.complaints.append(f"console: {message.text}")

    def check(self, response):
        if response.status >= 400:
            self.complaints.append(f"{response.status}: {response.url}")

    def open(self, path):
        """Go there, and wait until DuckDB has answered what the page asks of it."""
        self.page.goto(self.site + path, wait_until="networkidle", timeout=PATIENCE)
        self.page.wait_for_function(
            "() => window[Symbol.for('EVIDENCE_QUERY_ENGINE')]"
            " && !document.querySelector('.reading')"
        )
        return self

    def follow(self, title):
        """Go there by the list of pages, which loads nothing again, and wait as above."""
        self.page.locator("aside a", has_text=re.compile(f"^\\s*{title}\\s*$")).click()
        expect(self.page.locator("h1")).to_have_text(title)
        self.page.wait_for_function("() => !document.querySelector('.reading')")
        return self

    def choose(self, name, value):
        """Set a filter."""
        field = self.page.locator(f"form.filters [name={name}]")
        if name in ("from", "to"):
            field.fill(value)
        else:
            field.select_option(value)


@pytest.fixture(scope="session")
def reader(browser):
    """A reader with a window of some width, in a time zone far from the warehouse's."""

    def new(width):
        return browser.new_context(
            viewport={"width": width, "height": 900}, timezone_id="America/Los_Angeles"
        )

    return new


@pytest.fixture(scope="session")
def readers(reader):
    """A reader of each width, who keeps what was loaded before."""
    contexts = {width: reader(width) for width in (1280, 390)}
    yield contexts
    for context in contexts.values():
        context.close()


@pytest.fixture
def look(readers, site):
    """Look at the site, once or several times."""
    looks = []

    def new(width=1280):
        looks.append(Look(readers[width], site))
        return looks[-1]

    yield new
    for seen in looks:
        seen.page.close()


@pytest.fixture(scope="session")
def standing(readers, site):
    """A page that stays open for many tests, each of which finds it without filters."""
    looks = {}

    def find(path):
        if path not in looks:
            looks[path] = Look(readers[1280], site).open(path)
        seen = looks[path]
        assert seen.complaints == []
        show_all = seen.page.get_by_role("button", name="Show all")
        if show_all.count():
            show_all.click()
            seen.page.wait_for_function("() => !document.querySelector('.reading')")
        return seen

    yield find
    for seen in looks.values():
        seen.page.close()


@pytest.fixture
def fresh_look(reader, site):
    """Look at the site as one who was never here."""
    contexts = []

    def new(width=1280):
        contexts.append(reader(width))
        return Look(contexts[-1], site)

    yield new
    for context in contexts:
        context.close()
