"""What a reader takes along: an address with its filters, a table as a file, a page on paper.

And what the team wrote beside the charts, and the note for newcomers.
"""

import csv
import io
import re
from urllib.parse import parse_qs, urlsplit

import pyarrow
import pytest
from playwright.sync_api import expect
from test_pages import OVERVIEW, chosen, over_data, usual  # noqa: F401 (a fixture)
from written import count, percent


def said(page):
    """The choices that the address says."""
    query = urlsplit(page.evaluate("location.href")).query
    return {name: values[0] for name, values in parse_qs(query).items()}


# Addresses


def test_an_address_says_what_its_page_offers_and_goes_along(look, rows, usual):  # noqa: F811
    seen = look().open("/")
    page = seen.page
    seen.choose("platform", usual["platform"])
    seen.choose("from", usual["first_day"])
    filters = {"platform": usual["platform"], "from": usual["first_day"]}
    expect(page).to_have_url(re.compile("platform=.*from="))
    assert said(page) == filters
    # a page with the same filters says them, and one without keeps them for the next
    seen.follow("Funnel")
    assert said(page) == filters
    seen.follow("Cohorts")
    assert said(page) == {}
    seen.follow("Data health")
    assert said(page) == {"from": usual["first_day"]}
    seen.follow("Journeys")
    page.locator("[name=steps]").select_option("2")
    assert said(page) == filters | {"steps": "2"}
    seen.follow("Overview")
    assert said(page) == filters
    # read by somebody else, it shows the same
    shared = look().open("/?" + urlsplit(page.evaluate("location.href")).query)
    expect(shared.page.locator("[name=platform]")).to_have_value(usual["platform"])
    expect(shared.page.locator("[name=from]")).to_have_value(usual["first_day"])
    where = chosen(platform=usual["platform"], first_day=usual["first_day"])
    (truth,) = rows(OVERVIEW.format(where=where))
    for each in (seen, shared):
        card = each.page.locator('.cards [data-metric="count_sessions"]')
        expect(card).to_have_text(count(truth["count_sessions"]))
    # an address that says one filter says all of them
    page.get_by_role("button", name="Show all").click()
    assert said(page) == {}
    assert seen.complaints == []


def test_a_choice_is_restored_before_its_options_are_read(fresh_look, usual):  # noqa: F811
    """Where the page has no rows of its own yet, the filter waits for them."""
    seen = fresh_look()
    over_data(seen, lambda _, table: table)
    seen.open(f"/?platform={usual['platform']}")
    expect(seen.page.locator("[name=platform]")).to_have_value(usual["platform"])
    assert said(seen.page) == {"platform": usual["platform"]}


# Downloads


def downloaded(page, label):
    """(file name, rows as lists) of a table."""
    with page.expect_download() as waiting:
        page.get_by_role("button", name=f"CSV: {label}", exact=True).click()
    download = waiting.value
    text = download.path().read_bytes().decode("utf-8-sig")
    return download.suggested_filename, list(csv.reader(io.StringIO(text, newline="")))


def test_a_table_is_downloaded_as_it_is_filtered(look, rows, usual):  # noqa: F811
    seen = look().open(f"/?platform={usual['platform']}")
    card = seen.page.locator('.cards [data-metric="count_sessions"]')
    (truth,) = rows(OVERVIEW.format(where=chosen(platform=usual["platform"])))
    expect(card).to_have_text(count(truth["count_sessions"]))
    name, (header, first, *others) = downloaded(seen.page, "Sessions by starter")
    assert name == "sessions-by-starter.csv"
    assert header[:2] == ["Starter", "Sessions"]
    assert first[:2] == ["All starters", str(truth["count_sessions"])]
    # whole, not as it is rounded for the page
    rate = header.index("Conversion rate")
    assert float(first[rate]) == pytest.approx(truth["conversion_rate"], rel=1e-12)
    shown = seen.page.locator('[aria-label="Sessions by starter"] tbody tr')
    assert shown.count() == 1 + len(others)
    assert seen.complaints == []


def test_a_long_table_is_searched_and_sorted_and_the_file_has_what_was_found(look, rows):
    (most,) = rows("""
        select last_event_name, count(*) as n from marts.fct_sessions
        where outcome <> 'open' group by all order by n desc, last_event_name limit 1""")
    page = look().open("/drop-offs/").page
    table = page.locator('[aria-label="Every end event"]')
    expect(table.locator("tbody tr")).to_have_count(15)
    expect(table.locator("tbody tr").first).to_contain_text(most["last_event_name"])
    table.get_by_role("button", name="Sort by Sessions that end here").click()
    table.get_by_role("button", name="Sort by Sessions that end here").click()
    heading = table.locator("th", has_text="Sessions that end here")
    expect(heading).to_have_attribute("aria-sort", "ascending")
    expect(table.locator("tbody tr").first).not_to_contain_text(most["last_event_name"])
    page.get_by_role("button", name=re.compile("^All .* rows$")).click()
    every = table.locator("tbody tr").count()
    assert every > 15
    page.get_by_role("searchbox", name="Search: Every end event").fill(most["last_event_name"])
    found = table.locator("tbody tr")
    expect(found).not_to_have_count(every)
    names = [name.lower() for name in found.all_inner_texts()]
    assert names
    assert all(most["last_event_name"].lower() in name for name in names)
    _, (_, *lines) = downloaded(page, "Every end event")
    assert len(lines) == found.count()


def test_a_name_that_a_spreadsheet_would_run_is_a_text_in_the_file(fresh_look):
    seen = fresh_look()
    names = ['=HYPERLINK("http://x")', "+1", "-1", "@x", 'a "quoted", name']

    def with_formulas(name, table):
        if name != "fct_sessions_daily":
            return table
        column = table.column("starter_event_name").to_pylist()
        others = sorted({value for value in column if value[0] != "("})
        put = dict(zip(others, names, strict=False))
        changed = pyarrow.array([put.get(value, value) for value in column], pyarrow.utf8())
        place = table.column_names.index("starter_event_name")
        return table.set_column(place, table.schema.field("starter_event_name"), changed)

    over_data(seen, with_formulas)
    page = seen.open("/").page
    expect(page.locator('[aria-label="Sessions by starter"]')).to_contain_text("=HYPERLINK")
    _, (_, *lines) = downloaded(page, "Sessions by starter")
    written = {line[0] for line in lines}
    assert {'\'=HYPERLINK("http://x")', "'+1"} <= written
    assert not {name for name in written if name[0] in "=+-@"}


# Paper


def test_a_page_on_paper_has_its_filters_in_words_and_no_controls(look, usual):  # noqa: F811
    page = look().open(f"/?platform={usual['platform']}").page
    expect(page.locator("[name=platform]")).to_have_value(usual["platform"])
    told = page.locator('[data-metric="filters"]')
    expect(told).to_be_hidden()
    page.evaluate("document.documentElement.setAttribute('data-theme', 'dark')")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    expect(told).to_be_visible()
    expect(told).to_contain_text(f"Platform: {usual['platform']}")
    expect(told).to_contain_text("Starter: All starters")
    for control in ("form.filters", "header", "aside", ".download", ".welcome", ".skip"):
        for part in page.locator(control).all():
            expect(part).to_be_hidden()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    expect(page.locator("figure.days svg")).to_be_visible()
    cut_off = page.evaluate("""() => [...document.querySelectorAll('main .scroll')]
        .filter((part) => getComputedStyle(part).overflowX !== 'visible')
        .map((part) => part.ariaLabel)""")
    assert cut_off == []
    page.emulate_media(media="screen")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


# Notes of the team


def test_what_the_team_did_is_marked_in_the_chart_and_listed_under_it(look, rows):
    notes = rows("""
        select
            strftime(annotation_date, '%Y-%m-%d') as day, label, kind, link,
            row_number() over (order by annotation_date, label) as number
        from marts.dim_annotations, marts.dim_settings
        where annotation_date between first_session_date and last_session_date
        order by annotation_date, label""")
    if not notes:
        pytest.skip("these settings have no annotations")
    seen = look().open("/")
    chart = seen.page.locator("figure.days")
    lines = chart.locator(".notes li")
    expect(lines).to_have_count(len(notes))
    for line, note in zip(lines.all(), notes, strict=True):
        expect(line).to_contain_text(f"{note['kind']}: {note['label']}")
        mark = chart.locator(f'[data-mark="{note["day"]}"]')
        expect(mark.locator("text")).to_contain_text(str(note["number"]))
        # it stands on its day
        centres = [
            chart.locator(selector).evaluate(
                "part => { const box = part.getBoundingClientRect(); return box.x + box.width / 2 }"
            )
            for selector in (f'[data-mark="{note["day"]}"] line', f'[data-day="{note["day"]}"]')
        ]
        assert centres[0] == pytest.approx(centres[1], abs=1)
        if note["link"]:
            expect(line.locator("a")).to_have_attribute("href", note["link"])
    # of other days it says nothing
    seen.choose("to", notes[0]["day"])
    expect(lines).to_have_count(sum(note["day"] <= notes[0]["day"] for note in notes))


# Newcomers


@pytest.mark.parametrize("width", [1280, 390])
def test_the_note_for_newcomers_goes_and_stays_away(fresh_look, rows, width):
    seen = fresh_look(width).open("/")
    page = seen.page
    note = page.get_by_role("region", name="For newcomers")
    expect(note).to_be_visible()
    links = note.locator("a").evaluate_all("links => links.map((link) => link.pathname)")
    assert links == ["/funnel/", "/drop-offs/", "/actions/"]
    # never in the way: what matters now and the filters are there without scrolling
    box = page.locator("form.filters").bounding_box()
    assert box["y"] < 900
    note.get_by_role("button", name="Got it").click()
    expect(note).to_have_count(0)
    page.reload()
    expect(page.locator("h1")).to_have_text("Overview")
    expect(note).to_have_count(0)
    (converted,) = rows("""
        select avg(is_converted::int) as rate from marts.fct_sessions where outcome <> 'open'""")
    expect(page.locator('[data-metric="sentence"]')).to_contain_text(percent(converted["rate"]))
    assert seen.complaints == []
