"""What a page weighs on the line, compressed: a first visit, and each page after it.

Time to the first chart is printed (pytest -rP), never asserted: it is the machine's as much as ours.
"""

import importlib.util
import threading

import pytest
from conftest import Look
from places import SERVE, SITE
from playwright.sync_api import expect
from test_pages import PAGES

COLD = 10_000_000  # bytes of a first visit
NEXT = 300_000  # bytes of each page after it
ENGINE = "duckdb-eh"  # what comes last of a first visit, in a worker of the page's


@pytest.fixture
def counted():
    """The site, served in this process: its address, and [(path, bytes of the answer)]."""
    spec = importlib.util.spec_from_file_location("serve_counted", SERVE)
    serve = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(serve)
    sent = []

    class Counted(serve.SiteHandler):
        def send(self, status, headers, content, with_content=True):
            super().send(status, headers, content, with_content)
            # the headers too, about
            sent.append((self.path, len(content or b"") + 600))

    server = serve.SiteServer(SITE, 0)
    server.RequestHandlerClass = Counted
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://localhost:{server.server_port}", sent
    server.shutdown()
    server.server_close()


def weight(sent):
    """Bytes, and the heaviest answers for when they are too many."""
    heaviest = sorted(sent, key=lambda answer: -answer[1])[:8]
    return sum(size for _, size in sent), heaviest


def test_a_first_visit_and_each_page_after_it_are_light(counted, reader):
    address, sent = counted
    context = reader(1280)
    seen = Look(context, address).open("/")
    # a filter takes what DuckDB takes
    total, heaviest = weight(sent)
    assert any(ENGINE in path for path, _ in sent), "DuckDB was not waited for"
    assert total <= COLD, heaviest
    print(f"a first visit: {total:,} bytes")
    for title in list(PAGES.values())[1:]:
        sent.clear()
        seen.follow(title)
        seen.page.wait_for_load_state("networkidle")
        total, heaviest = weight(sent)
        print(f"{title}: {total:,} bytes")
        assert total <= NEXT, (title, heaviest)
    context.close()


def test_the_first_chart_stands_in_the_page_as_it_is_sent(counted, reader):
    """It is drawn before any script has run: the time to it is that of a small page."""
    address, _ = counted
    context = reader(1280)
    page = context.new_page()
    page.route("**/*.js", lambda route: route.abort())
    page.goto(f"{address}/")
    bars = page.locator("figure.days svg rect.converted")
    expect(bars.first).to_be_visible()
    assert bars.count() > 1
    page.close()
    page = context.new_page()
    page.goto(f"{address}/")
    expect(page.locator("figure.days svg")).to_be_visible()
    painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime")
    print(f"the first paint, charts in it, after {painted:.0f} ms")
    context.close()
