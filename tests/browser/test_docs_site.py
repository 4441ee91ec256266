"""The documentation in a browser: wide and narrow, by search and by links, from no other host."""

import os
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from places import ROOT
from playwright.sync_api import expect

PAGES = ("index", "tutorial", "sessions", "questions", "reference/fct_sessions", "errors")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def docs(tmp_path_factory):
    """Address of the documentation, built from what lies there."""
    folder = tmp_path_factory.mktemp("docs")
    subprocess.run(
        [Path(sys.executable).parent / "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        check=True,
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def visit(browser, docs):
    """A page of some width, and what it asked of other hosts or had to say."""
    complaints = []

    def refuse(route):
        complaints.append(route.request.url)
        route.abort()

    def new(width):
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.route(lambda url: not url.startswith((docs, "data:", "blob:")), refuse)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield new
    assert complaints == []


@pytest.mark.parametrize("width", [1280, 390])
def test_pages_fit_their_window(visit, docs, width):
    page = visit(width)
    for name in PAGES:
        page.goto(f"{docs}/{name}.html", wait_until="networkidle")
        expect(page.locator("h1")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == width, name
        assert page.evaluate(
            "[...document.images].every(image => image.complete && image.naturalWidth > 0)"
        ), name
    page.close()


def test_a_column_is_found_by_search(visit, docs):
    page = visit(1280)
    page.goto(f"{docs}/index.html", wait_until="networkidle")
    page.locator(".md-search__input").press_sequentially("expected_event_name")
    found = page.locator(".md-search-result__link").first
    expect(found).to_contain_text("expected_event_name")
    found.click()
    expect(page.locator("h1")).to_contain_text("fct_")
    page.close()


def test_a_picture_says_in_words_what_it_shows(visit, docs):
    page = visit(1280)
    page.goto(f"{docs}/sessions.html", wait_until="networkidle")
    picture = page.locator("figure.sessions", has_text="a_starter_61_seconds_later").locator("svg")
    expect(picture).to_have_attribute(
        "aria-label", "starter at 10:00:00: session 1; starter at 10:01:01: session 2"
    )
    assert picture.bounding_box()["height"] > 100
    page.close()
