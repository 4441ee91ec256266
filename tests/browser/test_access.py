"""Pages can be used without a mouse and without seeing them, in light and in dark.

axe-core comes with the packages of the reports and is put into each page from its file.
"""

import json
from itertools import pairwise

import pytest
from conftest import Look
from places import ROOT
from playwright.sync_api import expect
from test_pages import PAGES

AXE = ROOT / "reports" / "node_modules" / "axe-core" / "axe.min.js"
FIND = """async (rules) => {
    const found = await axe.run(document, { resultTypes: ['violations'], ...rules });
    return found.violations
        .filter(({ impact }) => ['serious', 'critical'].includes(impact))
        .flatMap(({ id, nodes }) => nodes.slice(0, 3)
            .map((node) => `${id}: ${node.html.slice(0, 160)} (${node.failureSummary})`));
}"""
# colours are compared as they are, not on their way from one theme to the other
STILL = ":root :not(#a):not(#b):not(#c) { transition: none !important }"
HEADINGS = """[...document.querySelectorAll('main :is(h1, h2, h3, h4)')]
    .map((heading) => Number(heading.tagName[1]))"""
TABLES = """[...document.querySelectorAll('main :is(table, [role=table])')]
    .filter((table) => !(table.closest('.scroll, .table') ?? table)
        .parentElement.querySelector('.download button'))
    .map((table) => table.outerHTML.slice(0, 160))"""


def findings(page):
    """What axe calls serious or critical, in light and in dark."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
        page.add_style_tag(content=STILL)
    found = []
    for theme, rules in (("light", {}), ("dark", {"runOnly": ["color-contrast"]})):
        page.evaluate("theme => document.documentElement.setAttribute('data-theme', theme)", theme)
        found += [f"{theme}: {finding}" for finding in page.evaluate(FIND, rules)]
    return found


@pytest.fixture(scope="module", params=[1280, 390])
def visits(request, reader, site):
    """Each page as it was found at one width: {title: {what: found}}; the list of pages, too."""
    context = reader(request.param)
    seen = Look(context, site).open("/")
    page = seen.page
    menu = page.get_by_role("button", name="Open sidebar")
    found = {}
    for path, title in PAGES.items():
        if path != "/" and request.param > 700:
            seen.follow(title)
        elif path != "/":
            menu.click()
            page.wait_for_function("() => document.getAnimations().length === 0")
            if "the list of pages" not in found:
                found["the list of pages"] = {"axe": findings(page), "headings": [1], "tables": []}
            page.locator("#mobileScrollable a", has_text=title).first.click()
            expect(page.locator("h1")).to_have_text(title)
            expect(page.locator("#mobileScrollable")).to_have_count(0)
            page.wait_for_function("() => !document.querySelector('.reading')")
        # folded tables too
        page.evaluate(
            "document.querySelectorAll('figure details').forEach((part) => (part.open = true))"
        )
        found[title] = {
            "axe": findings(page),
            "headings": page.evaluate(HEADINGS),
            "tables": page.evaluate(TABLES),
        }
    assert seen.complaints == []
    context.close()
    return found


def test_axe_finds_nothing_serious_on_any_page(visits):
    found = {title: told["axe"] for title, told in visits.items() if told["axe"]}
    assert found == {}, json.dumps(found, indent=1)


def test_headings_go_down_by_one(visits):
    for title, told in visits.items():
        first, *others = told["headings"]
        assert first == 1, title
        for before, level in pairwise([first, *others]):
            assert 2 <= level <= before + 1, (title, told["headings"])


def test_every_table_can_be_downloaded(visits):
    found = {title: told["tables"] for title, told in visits.items() if told["tables"]}
    assert found == {}


def test_the_keyboard_reaches_everything_in_order_and_shows_where_it_is(look):
    seen = look().open("/")
    page = seen.page
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the page")
    reached = []
    for _ in range(80):
        told = page.evaluate("""() => {
            const part = document.activeElement;
            const style = getComputedStyle(part);
            return {
                name: part.getAttribute('name') ?? part.textContent.trim(),
                isShown: part.getClientRects().length > 0,
                // the calendar within a date field is the browser's own, and no part of the page
                isMarked: style.outlineStyle !== 'none' || !part.matches(':focus'),
                isOfThePage: part.closest('main') !== null,
                place: [...document.querySelectorAll('*')].indexOf(part),
            };
        }""")
        if told["name"].startswith("Skip") and reached:
            break
        assert told["isShown"], told
        assert told["isMarked"], told
        reached.append(told)
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break
    names = [told["name"] for told in reached]
    places = [told["place"] for told in reached]
    assert places == sorted(places)
    assert {"from", "to", "starter", "platform", "Funnel", "As a table: Sessions by day"} <= {
        *names
    }
    # the skip link goes past the list of pages
    page.goto(page.url)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_a_chart_is_told_in_words_and_as_a_table(look, rows):
    seen = look().open("/")
    chart = seen.page.locator("figure.days")
    drawn = chart.get_by_role("img", name="Sessions by day")
    (most,) = rows("""
        select session_date, count(*) as n from marts.fct_sessions
        where outcome = 'converted' group by all order by n desc, session_date limit 1""")
    told = seen.page.locator(f"#{drawn.get_attribute('aria-describedby')}")
    expect(told).to_contain_text("Converted: between")
    expect(told).to_contain_text(f"and {most['n']:,} (")
    chart.get_by_text("As a table").click()
    days = rows("select count(distinct session_date) as n from marts.fct_sessions")
    expect(chart.locator("tbody tr")).to_have_count(days[0]["n"])


def test_the_reader_chooses_light_or_dark_and_it_stays(fresh_look):
    seen = fresh_look()
    page = seen.page
    page.emulate_media(color_scheme="dark")
    seen.open("/")
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "dark")
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("menuitem", name="Appearance").click()
    expect(root).to_have_attribute("data-theme", "light")
    page.reload()
    expect(root).to_have_attribute("data-theme", "light")
    dark, light = (
        page.evaluate(
            "theme => { document.documentElement.setAttribute('data-theme', theme);"
            " return getComputedStyle(document.body).backgroundColor }",
            theme,
        )
        for theme in ("dark", "light")
    )
    assert dark != light
    assert seen.complaints == []
