"""Each page loads, asks no other host, fits a phone, and shows what the warehouse says.

The figures are compared with SQL on the row-level marts, not on the daily ones that pages read.
"""

import json
import re
import zlib
from itertools import pairwise

import pyarrow
import pyarrow.compute
import pytest
from places import SITE
from playwright.sync_api import expect
from written import count, day, decimal, duration, percent

PAGES = {
    "/": "Overview",
    "/funnel/": "Funnel",
    "/drop-offs/": "Drop-offs",
    "/journeys/": "Journeys",
    "/cohorts/": "Cohorts",
    "/compare/": "Compare",
    "/patterns/": "Patterns",
    "/risk/": "Risk",
    "/live/": "Live",
    "/actions/": "Actions",
    "/experiments/": "Experiments",
    "/users/": "Users",
    "/session/": "Session",
    "/data-health/": "Data health",
    "/definitions/": "Definitions",
}

OVERVIEW = """
    select
        count(*) as count_sessions,
        coalesce(sum(sessions.count_starters), 0) as count_system_marked,
        count(*) filter (where outcome = 'open') as count_open,
        avg(count_events) filter (where outcome <> 'open') as events_per_session,
        avg(duration_seconds) filter (where outcome <> 'open') as duration_seconds,
        avg(is_bounce::int) filter (where outcome <> 'open') as bounce_rate,
        avg(is_converted::int) filter (where outcome <> 'open') as conversion_rate,
        min(sessions.session_date) as first_day,
        max(sessions.session_date) as last_day,
    from marts.fct_sessions as sessions
    where {where}
"""
WRITTEN = {
    "count_sessions": count,
    "count_system_marked": count,
    "count_open": count,
    "events_per_session": decimal,
    "duration_seconds": duration,
    "bounce_rate": percent,
    "conversion_rate": percent,
}


def chosen(starter=None, platform=None, first_day=None, last_day=None):
    """The sessions that filters leave, as a condition on `sessions`."""
    conditions = ["true"]
    if starter:
        conditions.append(f"""sessions.session_id in (
            select session_id from marts.fct_session_starters
            where starter_event_name = {quoted(starter)})""")
    if platform:
        conditions.append(f"coalesce(sessions.platform, '(unknown)') = {quoted(platform)}")
    if first_day:
        conditions.append(f"sessions.session_date >= '{first_day}'")
    if last_day:
        conditions.append(f"sessions.session_date <= '{last_day}'")
    return " and ".join(conditions)


def quoted(text):
    """The text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def selected(text):
    """The text in a selector."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\a ")
    return f'"{escaped}"'


def row(page, table, name):
    return page.locator(f'[aria-label="{table}"] [data-row={selected(name)}]')


def figure(locator, metric):
    return locator.locator(f'[data-metric="{metric}"]')


@pytest.fixture(scope="module")
def usual(rows):
    """A starter, a platform and a week that the warehouse has, the most frequent ones."""
    starters = rows("""
        select starter_event_name from marts.fct_session_starters
        group by all order by count(*) desc, starter_event_name""")
    platforms = rows("""
        select coalesce(platform, '(unknown)') as platform from marts.fct_sessions
        group by all order by count(*) desc, platform""")
    (days,) = rows("""
        select min(session_date) + 2 as first_day, min(session_date) + 8 as last_day
        from marts.fct_sessions""")
    return {
        "starter": starters[0]["starter_event_name"] if starters else None,
        "platform": platforms[-1]["platform"],
        "first_day": str(days["first_day"]),
        "last_day": str(days["last_day"]),
    }


# Every page


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_without_complaint_and_fits(look, path, width):
    seen = look(width).open(path)
    assert seen.complaints == []
    assert seen.foreign == []
    assert seen.page.title() == f"{PAGES[path]} · dropoff"
    expect(seen.page.locator("h1")).to_have_text(PAGES[path])
    # Nothing of the template is left.
    shown = seen.page.locator("body").inner_text().lower()
    own = seen.page.locator("main").inner_text().lower()
    assert "evidence" not in shown.replace(own, "")
    assert not re.search(r"evidence\.dev|(built with|powered by) evidence", own)
    assert "evidence_dev" not in seen.page.locator("head").inner_html()
    assert seen.page.locator("a[href^=http]").count() == 0
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    # What a narrow window cuts off is not there, unless its box scrolls by itself.
    cut_off = seen.page.evaluate("""() => [...document.querySelectorAll('main *')]
        .filter((part) => part.getClientRects().length && part.innerText?.trim())
        .filter((part) => !part.closest('.scroll, table'))
        .filter((part) => part.getBoundingClientRect().right > innerWidth + 1)
        .map((part) => part.outerHTML.slice(0, 200))""")
    assert cut_off == []


def test_the_pages_stand_in_their_order(standing):
    seen = standing("/")
    names = seen.page.locator("aside a").all_inner_texts()
    assert [name.strip() for name in names] == list(PAGES.values())


def test_every_definition_that_a_page_names_is_there():
    pages = {path: (SITE / path[1:] / "index.html").read_text() for path in PAGES}
    named = {
        name for page in pages.values() for name in re.findall(r"/definitions/#([\w-]+)", page)
    }
    assert named
    assert named <= set(re.findall(r'id="([\w-]+)"', pages["/definitions/"]))


# Overview


def expect_overview(seen, rows, **filters):
    (truth,) = rows(OVERVIEW.format(where=chosen(**filters)))
    for name, write in WRITTEN.items():
        card = seen.page.locator(f'.cards [data-metric="{name}"]')
        expect(card, name).to_have_text(write(truth[name]))
    sentence = seen.page.locator('[data-metric="sentence"]')
    expect(sentence).to_contain_text(f"{count(truth['count_sessions'])} sessions")
    expect(sentence).to_contain_text(f"{day(truth['first_day'])} to {day(truth['last_day'])}")


def test_the_cards_show_what_the_sessions_say(standing, rows):
    expect_overview(standing("/"), rows)


@pytest.mark.parametrize(
    "names",
    [["starter"], ["platform"], ["first_day", "last_day"], ["starter", "platform", "first_day"]],
)
def test_filters_change_the_cards_to_what_the_sessions_say(standing, rows, usual, names):
    filters = {name: usual[name] for name in names}
    seen = standing("/")
    for name, value in filters.items():
        if value is not None:
            seen.choose({"first_day": "from", "last_day": "to"}.get(name, name), value)
    expect_overview(seen, rows, **filters)
    seen.page.get_by_role("button", name="Show all").click()
    expect_overview(seen, rows)
    assert seen.complaints == []


def test_filters_stand_in_the_address_and_go_along(look, rows, usual):
    seen = look().open("/")
    seen.choose("platform", usual["platform"])
    expect(seen.page).to_have_url(re.compile(r"\?platform="))
    shared = look().open(seen.page.url.removeprefix(seen.site))
    expect_overview(shared, rows, platform=usual["platform"])
    seen.page.locator("aside a", has_text="Drop-offs").click()
    expect(seen.page.locator("h1")).to_have_text("Drop-offs")
    expect(seen.page.locator("[name=platform]")).to_have_value(usual["platform"])
    expect_end_events(seen, rows, platform=usual["platform"])


def test_what_an_address_says_that_is_not_there_is_not_used(look, rows):
    seen = look().open("/?starter=%27%20or%201%3D1--&platform=nowhere&from=yesterday")
    expect_overview(seen, rows)
    assert seen.complaints == []


def test_days_in_the_wrong_order_say_so(standing, usual):
    seen = standing("/")
    seen.choose("from", usual["last_day"])
    seen.choose("to", usual["first_day"])
    expect(seen.page.get_by_text("The first day chosen is after the last one")).to_be_visible()
    expect(seen.page.locator('.cards [data-metric="count_sessions"]')).to_have_text("0")
    expect(seen.page.locator('.cards [data-metric="bounce_rate"]')).to_have_text("–")
    expect(seen.page.locator('[data-metric="sentence"]')).to_contain_text("There is no session")


def test_session_types_are_shares_of_the_marked_sessions(standing, rows):
    seen = standing("/")
    for truth in rows("select * from marts.fct_session_types"):
        bar = row(seen.page, "Session types", truth["starter_event_name"])
        expect(figure(bar, "value")).to_have_text(count(truth["count_sessions"]))
        expect(figure(bar, "share")).to_have_text(percent(truth["share_of_marked"]))


def test_each_starter_has_the_figures_of_its_sessions(standing, rows):
    seen = standing("/")
    for starter in rows("select starter_event_name from marts.fct_session_types"):
        name = starter["starter_event_name"]
        (truth,) = rows(OVERVIEW.format(where=chosen(starter=name)))
        line = row(seen.page, "Sessions by starter", name)
        for metric in set(WRITTEN) - {"count_system_marked"}:
            expect(figure(line, metric), f"{name} {metric}").to_have_text(
                WRITTEN[metric](truth[metric])
            )


# Funnel


def expect_stages(seen, stages):
    assert stages
    for truth in stages:
        line = row(seen.page, "Stages of the funnel", truth["stage"])
        expect(figure(line, "count_reached")).to_have_text(count(truth["count_reached"]))
        expect(figure(line, "share_of_sessions")).to_have_text(percent(truth["share_of_sessions"]))
        expect(figure(line, "step_conversion_rate")).to_have_text(
            percent(truth["step_conversion_rate"])
        )
        expect(figure(line, "count_open")).to_have_text(count(truth["count_open"]))
        expect(figure(line, "count_dropped")).to_have_text(
            "" if truth["stage_outcome"] else count(truth["count_dropped"])
        )
        mark = figure(line, "mark")
        if truth["stage_outcome"]:
            word = "Conversion" if truth["stage_outcome"] == "conversion" else "Completed"
            expect(mark).to_contain_text(word)
        elif truth["is_drop_off"]:
            expect(mark).to_contain_text("Drop-off")
        else:
            expect(mark).to_have_count(0)


def stages_of(rows, funnel, starter="(all)", segment="(all)", segment_value="(all)"):
    """The stages as the unfiltered mart has them: `count_sessions` there is those that reached."""
    return rows(
        """
        select *, count_sessions as count_reached from marts.fct_funnel_stages
        where funnel = ? and starter_event_name = ? and segment = ? and segment_value = ?
        order by stage_order""",
        funnel,
        starter,
        segment,
        segment_value,
    )


@pytest.fixture(scope="module")
def primary(rows):
    return rows("select primary_funnel from marts.dim_settings")[0]["primary_funnel"]


def test_each_funnel_shows_its_stages(standing, rows, primary):
    seen = standing("/funnel/")
    expect(seen.page.locator("[name=funnel]")).to_have_value(primary)
    expect_stages(seen, stages_of(rows, primary))
    for other in rows("select distinct funnel from marts.fct_funnel_stages order by funnel"):
        seen.choose("funnel", other["funnel"])
        expect_stages(seen, stages_of(rows, other["funnel"]))


def test_a_starter_and_a_platform_change_the_stages(standing, rows, usual, primary):
    seen = standing("/funnel/")
    if usual["starter"]:
        seen.choose("starter", usual["starter"])
        expect_stages(seen, stages_of(rows, primary, usual["starter"]))
    seen.choose("platform", usual["platform"])
    expect_stages(
        seen,
        stages_of(rows, primary, usual["starter"] or "(all)", "platform", usual["platform"]),
    )


def test_the_sentence_names_the_worst_leak(standing, rows, primary):
    stages = stages_of(rows, primary)
    pairs = pairwise(stages)
    leaks = [(stage, after) for stage, after in pairs if not stage["stage_outcome"]]
    stage, after = max(leaks, key=lambda pair: pair[0]["count_dropped"])
    sentence = standing("/funnel/").page.locator('[data-metric="sentence"]')
    expect(sentence).to_contain_text(
        f"between {stage['stage_label']} and {after['stage_label']}: "
        f"{count(stage['count_dropped'])} of the {count(stage['count_reached'])}"
    )


# Drop-offs


def expect_end_events(seen, rows, **filters):
    where = chosen(**filters)
    (settings,) = rows("select high_drop_share from marts.dim_settings")
    truths = rows(f"""
        with sessions as (
            select * from marts.fct_sessions as sessions
            where sessions.outcome <> 'open' and {where}
        ),
        reached as (
            select event_name, count(distinct session_id) as count_reached
            from marts.fct_session_events
            where session_id in (select session_id from sessions)
            group by event_name
        )
        select
            sessions.last_event_name as event_name,
            count(*) as count_ended,
            count(*) / (select count(*) from sessions) as share,
            count(*) / any_value(reached.count_reached) as exit_rate,
            any_value(known.event_short_name) as name,
            bool_or(known.is_likely_exit) as is_likely_exit
        from sessions
        inner join reached on sessions.last_event_name = reached.event_name
        inner join (
            select distinct event_name, event_short_name, is_likely_exit
            from marts.fct_end_events_daily
        ) as known on sessions.last_event_name = known.event_name
        group by sessions.last_event_name
        order by count_ended desc, event_name
        limit 12""")
    assert truths
    for truth in truths:
        line = row(seen.page, "End events", truth["name"])
        expect(figure(line, "value")).to_have_text(count(truth["count_ended"]))
        expect(figure(line, "share")).to_have_text(percent(truth["share"]))
        expect(figure(line, "exit_rate")).to_have_text(percent(truth["exit_rate"]))
        if truth["is_likely_exit"]:
            expect(line.locator(".mark")).to_have_text("likely exit")
        elif truth["share"] >= settings["high_drop_share"]:
            expect(line.locator(".mark")).to_have_text("▲ HIGH")
        else:
            expect(line.locator(".mark")).to_have_text("")


def test_end_events_are_those_of_the_sessions(standing, rows):
    expect_end_events(standing("/drop-offs/"), rows)


@pytest.mark.parametrize("names", [["starter"], ["platform"], ["first_day", "last_day"]])
def test_filters_change_the_end_events(standing, rows, usual, names):
    seen = standing("/drop-offs/")
    filters = {name: usual[name] for name in names}
    for name, value in filters.items():
        if value is not None:
            seen.choose({"first_day": "from", "last_day": "to"}.get(name, name), value)
    expect_end_events(seen, rows, **filters)


def test_the_heatmap_shows_each_starters_share(standing, rows):
    seen = standing("/drop-offs/")
    table = '[aria-label="Share of sessions that end at each event, by starter"]'
    for truth in rows("""
        select * from marts.fct_end_events
        where event_name in (
            select event_name from marts.fct_end_events where starter_event_name = '(all)'
            order by count_ended desc, event_name limit 3
        )"""):
        cell = seen.page.locator(
            f"{table} [data-row={selected(truth['event_name'])}]"
            f" [data-column={selected(truth['starter_event_name'])}]"
        )
        expect(cell).to_have_text(percent(truth["share_of_sessions"]))


# Data health


def test_data_health_shows_every_row_that_landed(standing, rows):
    seen = standing("/data-health/")
    (truth,) = rows("""
        select
            sum(count_landed) as count_landed,
            sum(count_staged) as count_staged,
            sum(count_rejected) as count_rejected,
            sum(count_late) / sum(count_staged) as share_late,
            sum(count_unknown_events) / sum(count_staged) as share_unknown_events,
            max(max_lag_seconds) as max_lag_seconds
        from marts.fct_data_health""")
    assert truth["count_landed"] == truth["count_staged"] + truth["count_rejected"]
    for name in ("count_landed", "count_staged", "count_rejected"):
        card = seen.page.locator(f'.cards [data-metric="{name}"]')
        expect(card).to_have_text(count(truth[name]))
    for name in ("share_late", "share_unknown_events"):
        card = seen.page.locator(f'.cards [data-metric="{name}"]')
        expect(card).to_have_text(percent(truth[name]))
    lag = seen.page.locator('.cards [data-metric="max_lag_seconds"]')
    expect(lag).to_have_text(duration(truth["max_lag_seconds"]))


def test_rejected_rows_are_shown_by_reason_on_the_days_chosen(standing, rows):
    reasons = {
        "Unreadable row": "unreadable",
        "No event id": "missing_event_id",
        "No user id": "missing_user_id",
        "No event name": "missing_event_name",
        "Bad event time": "bad_event_time",
        "Time in the future": "time_in_future",
        "Duplicate event id": "duplicate_event_id",
    }
    sums = ", ".join(f"sum(count_{reason}) as {reason}" for reason in reasons.values())
    seen = standing("/data-health/")
    (first,) = rows("""
        select received_date from marts.fct_data_health
        where received_date > (select min(received_date) from marts.fct_data_health)
        order by count_rejected desc, received_date limit 1""")
    for condition, choose in (
        ("true", None),
        (f"received_date >= '{first['received_date']}'", str(first["received_date"])),
    ):
        if choose:
            seen.choose("from", choose)
        (truth,) = rows(f"select {sums} from marts.fct_data_health where {condition}")
        for words, reason in reasons.items():
            bar = row(seen.page, "Rejected rows by reason", words)
            expect(figure(bar, "value")).to_have_text(count(truth[reason]))


def test_lateness_is_shown_in_brackets_that_sum_to_the_staged_rows(standing, rows):
    seen = standing("/data-health/")
    (truth,) = rows("""
        select
            sum(count_ahead) as ahead,
            sum(count_staged - count_ahead - count_over_an_hour) as within_an_hour,
            sum(count_over_an_hour - count_over_a_day) as within_a_day,
            sum(count_over_a_day) as later
        from marts.fct_data_health""")
    for words, name in {
        "Before it happened: a fast clock": "ahead",
        "Within an hour": "within_an_hour",
        "Later, within a day": "within_a_day",
        "Later than that": "later",
    }.items():
        bar = row(seen.page, "Staged rows by lag", words)
        expect(figure(bar, "value")).to_have_text(count(truth[name]))


def test_files_with_rejected_rows_changed_sessions_bots_and_identities_are_told(standing, rows):
    page = standing("/data-health/").page
    files = rows("""
        select file_name, replace(reject_reason, '_', ' ') as reason, count_rows
        from marts.fct_rejected_files order by count_rows desc, file_name, reason limit 1""")
    for truth in files:
        told = page.locator("table tr", has_text=truth["file_name"])
        first = told.filter(has_text=truth["reason"]).first
        expect(first).to_contain_text(count(truth["count_rows"]))
    for label, mart, nothing in (
        (
            "Changed sessions by build",
            "fct_session_changes",
            "No build has followed on another yet",
        ),
        ("Likely bots", "fct_likely_bots", "Nobody did more than 1,000 events in one hour."),
        ("Rows of the identities", "fct_identity_health", "No identities have landed"),
    ):
        (truth,) = rows(f"select count(*) as count from marts.{mart}")
        if mart == "fct_identity_health":
            (truth,) = rows(f"select sum(count_rows) as count from marts.{mart}")
        if truth["count"]:
            expect(page.locator(f'[aria-label="{label}"]')).to_be_visible()
        else:
            expect(page.get_by_text(nothing)).to_be_visible()


def test_unknown_names_and_landing_checks_are_listed(standing, rows):
    seen = standing("/data-health/")
    for truth in rows("""
        select event_short_name, count_events from marts.dim_event_types
        where not is_known order by count_events desc, event_short_name limit 50"""):
        bar = row(seen.page, "Unknown event names", truth["event_short_name"])
        expect(figure(bar, "value")).to_have_text(count(truth["count_events"]))
    (checks,) = rows("""
        select
            count(*) as checked,
            count(distinct file_name) as files,
            count(*) filter (where not is_met) as not_met
        from marts.fct_landing_checks""")
    if not checks["checked"]:
        expect(seen.page.get_by_text("No landed file was checked.")).to_be_visible()
        return
    expect(seen.page.get_by_text("expectations were checked on")).to_contain_text(
        f"{count(checks['checked'])} expectations were checked on {count(checks['files'])} landed"
    )
    listed = seen.page.locator('[aria-label="Checks at landing"] tbody tr')
    by_expectation = rows("""
        select count(*) as checked, count(*) filter (where not is_met) as not_met
        from marts.fct_landing_checks group by expectation, column_name""")
    expect(listed).to_have_count(len(by_expectation))
    for metric, total in (
        ("count_checked", checks["checked"]),
        ("count_not_met", checks["not_met"]),
    ):
        shown = figure(listed, metric).all_inner_texts()
        assert sum(int(number.replace(",", "")) for number in shown) == total
    not_met = seen.page.locator('[aria-label="Checks not met"] tbody tr')
    expect(not_met).to_have_count(min(checks["not_met"], 100))


# Journeys


JOURNEYS = """
    with sessions as (select * from marts.fct_sessions as sessions where {where}),

    steps as (
        select
            session_id,
            outcome,
            step_number,
            event_name,
            lag(event_name) over steps as before,
            lead(event_name) over steps as after,
        from marts.fct_session_steps
        inner join sessions using (session_id)
        where step_number <= 20
        window steps as (partition by session_id order by step_number)
    )
"""


def expect_journeys(seen, rows, event, **filters):
    where = chosen(**filters)
    (truth,) = rows(f"""
        with sessions as (select * from marts.fct_sessions as sessions where {where})
        select
            count(*) as count_sessions,
            count(*) filter (where outcome = 'dropped' and coalesce(length, 0) <= 4) as count_dropped
        from sessions
        left join (
            select session_id, count(*) as length
            from marts.fct_session_steps group by all
        ) using (session_id)""")
    sentence = seen.page.locator('[data-metric="sentence"]')
    expect(sentence).to_contain_text(
        f"Of {count(truth['count_sessions'])} sessions, {count(truth['count_dropped'])} "
    )
    (first,) = rows(
        JOURNEYS.format(where=where)
        + """
        select event_name, after, count(*) as n from steps
        where step_number = 1 and after is not null group by all order by n desc limit 1"""
    )
    flows = seen.page.locator('[aria-label="Sessions from each step to the next"] tbody tr')
    shown = flows.filter(has_text=first["after"]).first
    expect(shown).to_contain_text(first["event_name"])
    expect(shown).to_contain_text(count(first["n"]))
    for side, table in (("before", "Events before"), ("after", "Events after")):
        found = rows(
            JOURNEYS.format(where=where)
            + f"""
            select {side} as name, count(*) as n from steps
            where event_name = {quoted(event)} and {side} is not null
            group by all order by n desc, name limit 3"""
        )
        for truth in found:
            bar = row(seen.page, table, truth["name"])
            expect(figure(bar, "value"), f"{side} {event}").to_have_text(count(truth["n"]))


def test_journeys_show_where_sessions_go(standing, rows, usual):
    seen = standing("/journeys/")
    (event,) = rows("""
        select event_name from marts.fct_session_steps
        where step_number between 3 and 6 group by all order by count(*) desc, event_name limit 1""")
    seen.page.locator("[name=event]").select_option(event["event_name"])
    expect_journeys(seen, rows, event["event_name"])
    seen.choose("platform", usual["platform"])
    seen.choose("from", usual["first_day"])
    expect_journeys(
        seen,
        rows,
        event["event_name"],
        platform=usual["platform"],
        first_day=usual["first_day"],
    )
    drawn = seen.page.locator('[aria-label^="Sessions by step"] [data-node]')
    expect(drawn.first).to_contain_text(" · ")
    assert seen.complaints == []


def test_the_steps_of_the_journeys_are_chosen(standing, rows):
    seen = standing("/journeys/")
    for steps in ("1", "8"):
        seen.page.locator("[name=steps]").select_option(steps)
        (truth,) = rows(f"""
            select count(*) as n from marts.fct_sessions
            where outcome = 'dropped' and session_id not in (
                select session_id from marts.fct_session_steps
                group by all having count(*) > {steps})""")
        sentence = seen.page.locator('[data-metric="sentence"]')
        expect(sentence).to_contain_text(f" {count(truth['n'])} (")
        expect(sentence).to_contain_text(f"within {steps} step")
    seen.page.locator("[name=steps]").select_option("4")


def test_the_most_frequent_path_is_first(standing, rows):
    seen = standing("/journeys/")
    (truth,) = rows("""
        select
            path,
            count(*) as n,
            avg(is_converted::int) filter (where outcome <> 'open') as rate
        from (
            select * replace (regexp_replace(path, ' [(][0-9]+x[)]', '', 'g') as path)
            from marts.fct_sessions
        ) group by all order by n desc, path limit 1""")
    line = row(seen.page, "Frequent paths", truth["path"])
    expect(figure(line, "count_sessions")).to_have_text(count(truth["n"]))
    expect(figure(line, "conversion_rate")).to_have_text(percent(truth["rate"]))


# Cohorts


RETENTION = """
    with firsts as (
        select user_id, session_date as first_date from marts.fct_sessions as sessions
        where user_session_number = 1 and {where}
    ),

    members as (
        select
            user_id,
            date_trunc('week', first_date)::date as cohort,
            first_date + {week} * 7 <= (select as_of::date from marts.dim_settings) as is_over,
            exists (
                from marts.fct_sessions as again
                where again.user_id = firsts.user_id
                    and again.session_date between first_date + {week} * 7 - 7
                    and first_date + {week} * 7 - 1
            ) as is_back
        from firsts
    )

    select
        cohort,
        count(*) as n,
        case when bool_and(is_over) then avg(is_back::int) end as rate
    from members group by all order by cohort
"""


def cell(page, table, name, column):
    return row(page, table, name).locator(f"td[data-column={selected(column)}]")


@pytest.mark.parametrize("starter", [None, "usual"])
def test_cohorts_show_who_came_back_and_what_is_not_over(standing, rows, usual, starter):
    starter = usual["starter"] if starter else None
    seen = standing("/cohorts/")
    if starter:
        seen.choose("starter", starter)
    for week in (1, 2, 4):
        cohorts = rows(RETENTION.format(week=week, where=chosen(starter=starter)))
        whole = [cohort for cohort in cohorts if cohort["rate"] is not None]
        users = sum(cohort["n"] for cohort in whole)
        overall = sum(cohort["n"] * cohort["rate"] for cohort in whole) / users if users else None
        shown = cell(seen.page, "Retention by starter", starter or "(all)", f"Week {week}")
        expect(shown).to_have_text("not yet" if overall is None else percent(overall))
        for cohort in cohorts:
            shown = cell(seen.page, "Retention by cohort", str(cohort["cohort"]), f"Week {week}")
            expect(shown).to_have_text(
                "not yet" if cohort["rate"] is None else percent(cohort["rate"])
            )
            assert "pending" in shown.get_attribute("class") or cohort["rate"] is not None
            size = row(seen.page, "Retention by cohort", str(cohort["cohort"]))
            expect(figure(size, "size")).to_have_text(count(cohort["n"]))


def test_returns_after_a_session_are_shown_by_bracket(standing, rows):
    seen = standing("/cohorts/")
    for truth in rows("""
        select
            avg((exists (
                from marts.fct_sessions as later
                where later.user_id = sessions.user_id
                    and later.session_date = sessions.session_date + 1
            ))::int) as rate
        from marts.fct_sessions as sessions
        where session_date + 1 < (select as_of::date from marts.dim_settings)"""):
        shown = cell(seen.page, "Return by starter", "(all)", "Next day")
        expect(shown).to_have_text(percent(truth["rate"]))


# Compare


def expect_comparison(seen, rows, starter_a, starter_b):
    for side, starter in (("value_a", starter_a), ("value_b", starter_b)):
        (truth,) = rows(OVERVIEW.format(where=chosen(starter=starter)))
        for metric, name in (
            ("avg_events", "events_per_session"),
            ("avg_duration_seconds", "duration_seconds"),
            ("conversion_rate", "conversion_rate"),
            ("bounce_rate", "bounce_rate"),
        ):
            line = row(seen.page, "Comparison", metric)
            expect(figure(line, side), f"{starter} {metric}").to_have_text(
                WRITTEN[name](truth[name])
            )
        drop = rows(f"""
            select last_event_name as name from marts.fct_sessions as sessions
            inner join marts.fct_end_events as ends
                on ends.starter_event_name = '(all)' and ends.event_name = last_event_name
            where outcome = 'dropped' and not is_likely_exit and {chosen(starter=starter)}
            group by all order by count(*) desc, name limit 1""")
        shown = figure(row(seen.page, "Comparison", "top_drop_off"), side)
        expect(shown).to_have_text(drop[0]["name"] if drop else "–")
    for truth in rows(f"""
        select metric, verdict from marts.fct_type_comparisons
        where starter_a = {quoted(starter_a)} and starter_b = {quoted(starter_b)}"""):
        shown = figure(row(seen.page, "Comparison", truth["metric"]), "verdict")
        if truth["verdict"]:
            expect(shown).to_contain_text(truth["verdict"])


def test_two_starters_stand_side_by_side(standing, rows):
    names = [
        starter["starter_event_name"]
        for starter in rows("""
            select starter_event_name from marts.fct_session_types
            order by count_sessions desc, starter_event_name""")
    ]
    seen = standing("/compare/")
    if len(names) < 2:
        expect(seen.page.locator('[data-metric="sentence"]')).to_contain_text("two different")
        return
    expect_comparison(seen, rows, names[1], names[0])
    seen.page.locator("[name=b]").select_option(names[-1])
    if len(names) > 2:
        expect_comparison(seen, rows, names[1], names[-1])
    seen.page.locator("[name=b]").select_option(names[1])
    expect(seen.page.locator('[data-metric="sentence"]')).to_contain_text("two different")
    seen.page.locator("[name=b]").select_option(names[0])


# Patterns, risk, actions and experiments


def test_each_pattern_has_a_card_with_the_figures_of_its_sessions(standing, rows):
    seen = standing("/patterns/")
    patterns = rows("""
        select
            pattern_id, pattern_name, typical_path, is_intervention_target,
            count(*) / (select count(*) from marts.fct_sessions) as share,
            avg(duration_seconds) filter (where outcome <> 'open') as duration_seconds,
            avg(is_converted::int) filter (where outcome <> 'open') as conversion_rate
        from marts.dim_patterns
        inner join marts.fct_session_patterns using (pattern_id)
        inner join marts.fct_sessions using (session_id)
        group by all order by share desc""")
    cards = seen.page.locator('[aria-label="Patterns"] > li')
    expect(cards).to_have_count(len(patterns))
    for place, truth in enumerate(patterns):
        card = cards.nth(place)
        expect(card.locator("h2")).to_contain_text(truth["pattern_name"])
        expect(figure(card, "mark")).to_have_count(int(truth["is_intervention_target"]))
        expect(figure(card, "share_of_sessions")).to_have_text(percent(truth["share"]))
        expect(figure(card, "avg_duration_seconds")).to_have_text(
            duration(truth["duration_seconds"])
        )
        expect(figure(card, "conversion_rate")).to_have_text(percent(truth["conversion_rate"]))
        expect(figure(card, "typical_path")).to_contain_text(truth["typical_path"])


def test_risk_is_drawn_by_stage_and_says_where_it_is_no_better(standing, rows):
    seen = standing("/risk/")
    stages = rows("""
        select
            stage_order, stage_label, auc, brier, beats_base_rate, count(*) as count_bins,
            first(mean_predicted order by bin) as lowest
        from marts.fct_drop_risk_backtest group by all order by stage_order""")
    for stage in stages:
        line = row(seen.page, "Drop risk by stage", str(stage["stage_order"]))
        expect(figure(line, "auc")).to_have_text(f"{stage['auc']:.3f}")
        expect(figure(line, "brier")).to_have_text(f"{stage['brier']:.3f}")
        verdict = "better than the base rate" if stage["beats_base_rate"] else "no better"
        expect(figure(line, "verdict")).to_contain_text(verdict)
    for stage in (stages[0], stages[-1]):
        name = f"{stage['stage_order']}. {stage['stage_label']}"
        seen.page.locator("[name=stage]").select_option(name)
        points = seen.page.locator('[aria-label="Calibration of drop risk"] circle')
        expect(points).to_have_count(stage["count_bins"])
        expect(points.first.locator("title")).to_contain_text(f"{100 * stage['lowest']:.1f}%")


def test_actions_are_told_in_their_order_as_ranges(standing, rows):
    seen = standing("/actions/")
    actions = rows("from marts.fct_recommendations order by priority_rank")
    first = actions[0]
    card = row(seen.page, "Recommended actions", first["title"])
    expect(figure(card, "priority")).to_have_text(f"{first['priority']} PRIORITY")
    expect(figure(card, "share_lost")).to_contain_text(percent(first["share_lost"]))
    expect(figure(card, "intervention")).to_have_text(first["intervention"])
    expect(figure(card, "evidence")).to_contain_text(first["evidence"])
    for end in ("conversions_low", "conversions_high"):
        expect(figure(card, "won")).to_contain_text(f"{round(abs(first[end])):,}")
    lines = seen.page.locator('[aria-label="All actions"] tbody tr')
    expect(lines).to_have_count(len(actions))
    seen.page.locator("[name=whom]").select_option("segments")
    expect(lines).to_have_count(sum(action["segment"] != "(all)" for action in actions))
    seen.page.locator("[name=whom]").select_option("everyone")
    expect(lines).to_have_count(sum(action["segment"] == "(all)" for action in actions))


def test_segments_that_lose_more_are_shown_at_the_stage_chosen(standing, rows):
    seen = standing("/actions/")
    stages = rows("""
        select
            if(stage_order = 0, 'Start', stage_label) || ' → ' || next_stage_label as name,
            count(*) filter (where verdict in ('worse', 'better')) as count_told,
            min_by(verdict, difference) as worst,
            min_by(count_reached, difference) as count_reached
        from marts.fct_leaks where is_primary
        group by stage_order, stage_label, next_stage_label order by stage_order""")
    lines = seen.page.locator('[aria-label="Segments that differ"] tbody tr')
    for stage in (stages[3], stages[4]):
        seen.page.locator("[name=leak]").select_option(stage["name"])
        expect(lines).to_have_count(stage["count_told"])
        if stage["worst"] == "worse":
            expect(figure(lines.first, "mark")).to_have_text("worse")
            expect(figure(lines.first, "count_reached")).to_have_text(count(stage["count_reached"]))


def test_experiments_show_the_effect_with_its_interval_and_what_it_rests_on(standing, rows):
    seen = standing("/experiments/")
    effects = rows("""
        from marts.fct_intervention_results where segment = '(all)' order by effect desc""")
    for truth in effects:
        line = row(seen.page, "Effects", truth["intervention"])
        expect(figure(line, "effect")).to_contain_text(f"{abs(100 * truth['effect']):.1f} pts")
        expect(figure(line, "effect")).to_contain_text(f"{abs(100 * truth['effect_low']):.1f} pts")
        expect(figure(line, "rate_treated")).to_have_text(percent(truth["rate_treated"]))
        expect(figure(line, "mark")).to_contain_text(truth["evidence"])
        assigned = row(seen.page, "Who was assigned", truth["intervention"])
        expect(figure(assigned, "count_control")).to_have_text(count(truth["count_control"]))
        split = "not as planned" if truth["is_srm_warning"] else "as planned"
        expect(figure(assigned, "split")).to_contain_text(split)
    for truth in reversed(effects):
        seen.page.locator("[name=intervention]").select_option(truth["intervention"])
        (days,) = rows(f"""
            select count(*) as n from marts.fct_intervention_daily
            where effect is not null and intervention = {quoted(truth["intervention"])}""")
        points = seen.page.locator('[aria-label="Effect by date"] circle')
        expect(points).to_have_count(days["n"])
        (held,) = rows(f"""
            select count(*) filter (where effect is null) as n from marts.fct_intervention_results
            where segment <> '(all)' and intervention = {quoted(truth["intervention"])}""")
        told = seen.page.locator('[aria-label="Effects by segment"] tr', has_text="too few to tell")
        expect(told).to_have_count(held["n"])


# Users and sessions


def test_a_user_is_found_by_name_and_their_timeline_told(look, rows):
    (user,) = rows("""
        select user_id, display_name from marts.dim_users
        inner join marts.fct_user_timeline using (user_id)
        where count_sessions > 1 and ambient_summary is not null
        order by count_sessions desc, user_id limit 1""")
    (session,) = rows(f"""
        select min(session_id) as id from marts.fct_sessions
        where user_id = {quoted(user["user_id"])}""")
    seen = look().open(f"/users/?session={session['id']}")
    expect(seen.page.locator('[data-metric="user"]')).to_have_text(user["display_name"])
    lines = seen.page.locator('[aria-label="Timeline"] [data-row]')
    told = rows(f"""
        select * from marts.fct_user_timeline
        where user_id = {quoted(user["user_id"])} order by row_number""")
    expect(lines).to_have_count(len(told))
    for number, truth in enumerate(told):
        line = lines.nth(number)
        if truth["row_kind"] == "gap":
            expect(line).to_contain_text("no sessions")
            if truth["ambient_summary"]:
                expect(line).to_contain_text(f"({truth['ambient_summary']})")
        else:
            expect(line).to_contain_text(f"{truth['started_at']:%H:%M:%S}")
            expect(line).to_contain_text(truth["starter_path"] or "Unmarked")
            expect(line).to_contain_text(f"Result: {truth['result']}")
            expect(line).to_contain_text(f"Duration: {duration(truth['duration_seconds'])}")
    seen.page.locator("[name=find]").fill(user["display_name"].removeprefix("User ").lower())
    expect(seen.page).to_have_url(re.compile(r"\?find="))
    found = seen.page.locator('[aria-label="Users found"] tbody tr')
    names = {name["display_name"] for name in rows("select display_name from marts.dim_users")}
    part = user["display_name"].removeprefix("User ").lower()
    expect(found.first).to_contain_text(user["display_name"])
    assert all(part in name.lower() for name in names & set(found.all_inner_texts()))
    seen.page.locator("[name=find]").fill("nobody is called this")
    expect(seen.page.get_by_text("No such user is here")).to_be_visible()
    assert seen.complaints == []


def test_a_session_is_drawn_with_its_repeats_and_its_end(look, rows):
    for outcome in ("dropped", "converted", "open"):
        sessions = rows(f"""
            select * from marts.fct_sessions
            where outcome = '{outcome}' and contains(path, 'x)')
            order by session_started_at desc limit 1""")
        for truth in sessions:
            seen = look().open(f"/session/?session={truth['session_id']}")
            drawn = seen.page.locator(f'[data-session="{truth["session_id"]}"]')
            steps = rows(f"""
                select event_name, count_repeats from marts.fct_session_steps
                where session_id = '{truth["session_id"]}' order by step_number""")
            lines = drawn.locator("li")
            for number, step in enumerate(steps):
                repeats = step["count_repeats"]
                told = step["event_name"] + (f" ({repeats}x)" if repeats > 1 else "")
                expect(lines.nth(number)).to_contain_text(told)
            expect(drawn).to_contain_text(f"Events: {truth['count_events']}")
            expected = truth["expected_event_name"]
            expect(lines.last).to_contain_text(
                {
                    "dropped": f"DROPPED OFF (expected: {expected})",
                    "converted": truth["result"],
                    "open": "STILL ACTIVE",
                }[outcome]
            )
            if len(steps) > 2:
                expect(drawn.locator(".slowest").first).to_contain_text("slowest +")
            assert seen.complaints == []


def test_dropped_sessions_are_there_to_pick_and_lead_to_their_user(look, rows):
    seen = look().open("/session/")
    listed = seen.page.locator('[aria-label="Sessions found"] tbody tr')
    (newest,) = rows("""
        select session_started_at, fct_sessions.result from marts.fct_sessions
        left join marts.fct_shown_timeline using (session_id)
        where fct_sessions.outcome = 'dropped' and not has_reached_goal
        order by session_started_at desc, session_id limit 1""")
    expect(listed.first).to_contain_text(f"{newest['session_started_at']:%Y-%m-%d %H:%M:%S}")
    expect(listed.first).to_contain_text(newest["result"])
    listed.nth(2).locator("a").click()
    expect(seen.page).to_have_url(re.compile(r"\?session="))
    picked = seen.page.url.rsplit("=", 1)[-1]
    expect(seen.page.locator(f'[data-session="{picked}"]')).to_be_visible()
    seen.page.locator("section header a").click()
    expect(seen.page.locator("h1")).to_have_text("Users")
    expect(seen.page.locator(f'details[data-row="{picked}"]')).to_be_visible()
    assert seen.complaints == []


def test_no_user_id_is_on_any_page_or_in_its_data(rows):
    """The slice of single people is told without ids, unless they may be shown."""
    if rows("select 1 from marts.dim_users where display_name = user_id limit 1"):
        return
    ids = [user["user_id"] for user in rows("select user_id from marts.dim_users limit 20")]
    for path in SITE.rglob("*"):
        if path.suffix in (".arrow", ".html", ".json") and path.is_file():
            content = path.read_bytes()
            for user_id in ids:
                assert user_id.encode() not in content, path.name


# What other apps send: the site's own pages over other data


def over_data(seen, change):
    """Let the pages of `seen` read what `change` makes of each table."""

    def answer(route):
        name = route.request.url.rsplit("/", 1)[-1].removesuffix(".arrow")
        table = pyarrow.ipc.open_stream(route.fetch().body()).read_all()
        sink = pyarrow.BufferOutputStream()
        with pyarrow.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(change(name, table))
        route.fulfill(body=sink.getvalue().to_pybytes())

    # What was computed when the site was built would be shown until the rows are read.
    seen.page.route("**/api/**/all-queries.json", lambda route: route.fulfill(body="{}"))
    seen.page.route("**/data/**/*.arrow", answer)


# columns that hold what an app sends, or what is made of it
NAMES = {
    *("event_name", "event_short_name", "starter_event_name", "platform", "source_node"),
    *("target_node", "starter_a", "starter_b", "text_a", "text_b", "display_name", "path"),
    *("starter_path", "last_event_name", "expected_event_name", "ambient_summary", "path_steps"),
    *("pattern_name", "typical_path", "stage_label", "next_stage_label", "goal_label", "title"),
    *("segment_value", "intervention", "reason", "worst_segments", "label"),
}
NASTY = [
    "<script>window.hacked=1</script><img src=x onerror=window.hacked=1>",
    'it\'s "quoted" {{ name }} {name} ${inputs} `tick`',
    "line one\nline two\ttab",
    "🚌🎫 émoji ناقص",
    "&lt;b&gt; & \\ % ' or 1=1 --",
    "a" * 79 + "…",
]


def test_names_are_text_whatever_they_hold(fresh_look):
    seen = fresh_look()

    def with_nasty_names(name, table):
        if name == "fct_landing_checks":
            return table
        # single people are many, and as hostile as the first of them
        table = table.slice(0, 1000) if name == "fct_shown_timeline" else table
        for column in NAMES & set(table.column_names):
            values = table.column(column).to_pylist()
            changed = [nasty(column, value) for value in values]
            place = table.column_names.index(column)
            table = table.set_column(
                place, table.schema.field(column), pyarrow.array(changed, pyarrow.utf8())
            )
        return table

    def nasty(column, value):
        """Another name for a name; the same one wherever it stands."""
        if not value or value[0] == "(":
            return value
        if column == "path_steps":
            steps = [[nasty("event_name", step), *rest] for step, *rest in json.loads(value)]
            return json.dumps(steps)
        return NASTY[zlib.crc32(value.encode()) % len(NASTY)]

    over_data(seen, with_nasty_names)
    seen.open("/")
    for title in [*PAGES.values(), "Drop-offs"]:
        seen.follow(title)
        assert seen.page.evaluate("window.hacked") is None
        assert seen.page.locator("main img, main script").count() == 0
        for width in (390, 1280):
            seen.page.set_viewport_size({"width": width, "height": 900})
            assert seen.page.evaluate("document.documentElement.scrollWidth") <= width, title
    for name in NASTY[:5]:
        assert seen.page.get_by_text(name).count() > 0
    # A name goes through the filters into SQL and back.
    seen.follow("Overview")
    for name in NASTY[:5]:
        if seen.page.locator("[name=starter] option", has_text=name).count():
            seen.choose("starter", name)
            line = row(seen.page, "Sessions by starter", name)
            sessions = figure(line, "count_sessions").inner_text()
            card = seen.page.locator('.cards [data-metric="count_sessions"]')
            expect(card).to_have_text(sessions)
    assert seen.complaints == []
    assert seen.foreign == []


def test_an_app_of_one_day_is_drawn_as_one_bar(fresh_look, rows):
    (last,) = rows("""
        select last_session_date as day, count(*) as sessions
        from marts.dim_settings
        inner join marts.fct_sessions on session_date = last_session_date group by all""")
    seen = fresh_look(390)

    def on_that_day(name, table):
        if name != "fct_sessions_daily":
            return table
        days = table.column("session_date").cast(pyarrow.date32())
        return table.filter(pyarrow.compute.equal(days, pyarrow.scalar(last["day"])))

    over_data(seen, on_that_day)
    seen.open("/")
    card = seen.page.locator('.cards [data-metric="count_sessions"]')
    expect(card).to_have_text(count(last["sessions"]))
    drawn = seen.page.locator("figure.days svg [data-day]")
    expect(drawn).to_have_count(1)
    expect(drawn).to_have_attribute("data-day", str(last["day"]))
    assert 10 < drawn.bounding_box()["width"] < 60
    assert seen.complaints == []


def test_an_app_without_a_single_row_is_told_in_words(fresh_look):
    seen = fresh_look()
    over_data(
        seen,
        lambda name, table: table if name == "dim_settings" else table.slice(0, 0),
    )
    seen.open("/")
    for path, words in {
        "/": "There is no session here",
        "/funnel/": "No session of this funnel is here",
        "/drop-offs/": "No session has ended here",
        "/data-health/": "No row has landed here",
        "/journeys/": "There is no session here",
        "/cohorts/": "No user's first session has this starter",
        "/compare/": "Choose two different starters",
        "/patterns/": "There is no pattern",
        "/risk/": "Drop risk was not tested",
        "/actions/": "Nothing to do",
        "/experiments/": "No intervention was tried yet",
        "/users/": "No such user is here",
        "/session/": "No such session is here",
    }.items():
        seen.follow(PAGES[path])
        expect(seen.page.locator('[data-metric="sentence"]')).to_contain_text(words)
        text = seen.page.locator("main").inner_text()
        assert not re.search(r"\b(NaN|Infinity|undefined|null|Reading …)", text)
    assert seen.complaints == []
