"""Every card on every page, and every figure of a page's sentence, equals its metric.

MetricFlow writes the SQL of a metric from models/metrics, over marts that the page does not read
where there are two. A card, or a figure, that stands in no table here fails.
"""

import contextlib
import re
import sys
from collections import Counter

import pytest
from places import ROOT, SITE
from playwright.sync_api import TimeoutError, expect
from written import change, count, decimal, duration, percent, points

sys.path.append(str(ROOT / "steps"))

PAGES = sorted(
    "/" + "".join(f"{part}/" for part in path.parent.relative_to(SITE).parts)
    for path in SITE.rglob("index.html")
)
# page: {card: (its metric, how it is written)}
CARDS = {
    "/": {
        "count_sessions": ("sessions", count),
        "count_system_marked": ("system_marked_sessions", count),
        "events_per_session": ("events_per_session", decimal),
        "duration_seconds": ("average_duration_seconds", duration),
        "bounce_rate": ("bounce_rate", percent),
        "conversion_rate": ("conversion_rate", percent),
        "count_open": ("open_sessions", count),
    },
    "/data-health/": {
        "count_landed": ("landed_rows", count),
        "count_staged": ("staged_rows", count),
        "count_rejected": ("rejected_rows", count),
        "share_late": ("late_share", percent),
        "share_unknown_events": ("unknown_share", percent),
        "max_lag_seconds": ("longest_lag_seconds", duration),
    },
}
# the same of a starter: of another mart
BY_STARTER = {
    "sessions": "sessions_by_starter",
    "events_per_session": "events_per_session_by_starter",
    "average_duration_seconds": "average_duration_seconds_by_starter",
    "bounce_rate": "bounce_rate_by_starter",
    "conversion_rate": "conversion_rate_by_starter",
    "open_sessions": "open_sessions_by_starter",
    "system_marked_sessions": "system_marked_sessions_by_starter",
}
# lists of cards: page and their label: {the figures of each: how its metrics are written}
LISTS = {
    ("/patterns/", "Patterns"): {"share_of_sessions", "avg_duration_seconds", "conversion_rate"},
    ("/actions/", "Recommended actions"): {"share_lost", "won"},
    ("/live/", "Active sessions by risk"): {"count_sessions"},
}
WORDS = {"mark", "typical_path", "behaviour", "priority", "intervention", "evidence"}
DAY = re.compile(r"\b\d{1,2} [A-Z][a-z]{2} \d{4}\b")


@pytest.fixture(scope="session")
def metrics():
    """The metrics over the warehouse that the pages were built from."""
    from app import warehouse
    from metrics import of_project

    return of_project(ROOT / warehouse())


def is_at(dimension, value):
    """The condition that a dimension has a value."""
    return f"{dimension} = '" + str(value).replace("'", "''") + "'"


def by(metrics, names, group, *where):
    """The metrics by a dimension: {its value: {metric: value}}."""
    columns, rows = metrics.run(metrics.sql(names, [group], where))
    at = columns.index(group)
    return {row[at]: dict(zip(columns, row, strict=True)) for row in rows}


# Cards


def expect_cards(seen, path, metrics, *where, instead=None):
    for card, (metric, write) in CARDS[path].items():
        value = metrics.value((instead or {}).get(metric, metric), *where)
        if value is None and write is count:
            value = 0  # over nothing a count is 0 on a page
        shown = seen.page.locator(f'.cards [data-metric="{card}"]')
        expect(shown, card).to_have_text(write(value))
        if value is not None:
            expect_value(shown, float(value))


def expect_value(shown, value):
    """What is shown is the value to the last digit, not only as it is written."""
    with contextlib.suppress(TimeoutError):
        shown.page.wait_for_function(
            "([shown, value]) => Math.abs(shown.dataset.value - value) <= 1e-9 * Math.abs(value)",
            arg=[shown.element_handle(), value],
        )
    assert float(shown.get_attribute("data-value")) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("path", PAGES)
def test_every_card_of_a_page_is_its_metric(standing, metrics, path):
    seen = standing(path)
    shown = seen.page.locator(".cards dd").evaluate_all("all => all.map((dd) => dd.dataset.metric)")
    assert Counter(shown) == Counter(CARDS.get(path, {}).keys())
    if shown:
        expect_cards(seen, path, metrics)


def test_cards_are_tabled_of_pages_that_are_there():
    assert {*CARDS, *SENTENCES, *(path for path, _ in LISTS)} <= set(PAGES)


def test_the_cards_of_a_platform_and_some_days_are_their_metrics(standing, metrics):
    seen = standing("/")
    (platform, *_) = by(metrics, ["sessions"], "session__platform")
    (first, *_, last) = sorted(by(metrics, ["sessions"], "metric_time__week"))
    seen.choose("platform", platform)
    seen.choose("from", f"{first:%Y-%m-%d}")
    seen.choose("to", f"{last:%Y-%m-%d}")
    within = [f"metric_time >= '{first:%Y-%m-%d}'", f"metric_time <= '{last:%Y-%m-%d}'"]
    expect_cards(seen, "/", metrics, is_at("session__platform", platform), *within)


def test_the_cards_of_a_starter_are_its_metrics(standing, metrics):
    seen = standing("/")
    for starter in by(metrics, ["sessions_by_starter"], "starter_day__starter"):
        seen.choose("starter", starter)
        where = is_at("starter_day__starter", starter)
        expect_cards(seen, "/", metrics, where, instead=BY_STARTER)


def test_the_cards_of_data_health_on_some_days_are_their_metrics(standing, metrics):
    seen = standing("/data-health/")
    days = sorted(filter(None, by(metrics, ["landed_rows"], "metric_time__day")))
    first, last = days[len(days) // 3], days[len(days) // 2]
    seen.choose("from", f"{first:%Y-%m-%d}")
    seen.choose("to", f"{last:%Y-%m-%d}")
    within = [f"metric_time >= '{first:%Y-%m-%d}'", f"metric_time <= '{last:%Y-%m-%d}'"]
    expect_cards(seen, "/data-health/", metrics, *within)


# Lists of cards


def cards_of(seen, label):
    """[(its row, {figure: text})] of a list, in the order shown; words are left out."""
    items = seen.page.locator(f'[aria-label="{label}"] > li').evaluate_all("""
        all => all.map((li) => [li.dataset.row, Object.fromEntries(
            [...li.querySelectorAll('[data-metric]')].map((e) => [e.dataset.metric, e.innerText])
        )])""")
    return [
        (row, {name: text for name, text in shown.items() if name not in WORDS})
        for row, shown in items
    ]


@pytest.mark.parametrize("path", PAGES)
def test_every_list_of_cards_is_tabled(standing, path):
    """What is no table, no chart and no feed of single sessions."""
    seen = standing(path)
    labels = seen.page.locator("main :is(ol, ul)[aria-label]:has(> li [data-metric])").evaluate_all(
        "all => all.map((list) => list.ariaLabel)"
    )
    feeds = {"Active sessions, highest risk first", "Active sessions by furthest stage"}
    assert set(labels) - feeds == {label for at, label in LISTS if at == path}


def test_the_cards_of_patterns_are_their_metrics(standing, metrics):
    names = ["sessions", "average_duration_seconds", "conversion_rate"]
    truths = by(metrics, names, "session__pattern")
    sessions = metrics.value("sessions")
    cards = cards_of(standing("/patterns/"), "Patterns")
    assert {row for row, _ in cards} == set(truths)
    for row, shown in cards:
        assert shown == {
            "share_of_sessions": percent(truths[row]["sessions"] / sessions),
            "avg_duration_seconds": duration(truths[row]["average_duration_seconds"]),
            "conversion_rate": percent(truths[row]["conversion_rate"]),
        }


def test_the_cards_of_actions_are_their_metrics(standing, metrics):
    names = [
        "leak_lost_share", "leak_lost_sessions", "conversions_won_low", "conversions_won_high",
        "impact_low", "impact_high",
    ]  # fmt: skip
    truths = by(metrics, names, "recommendation__title")
    cards = cards_of(standing("/actions/"), "Recommended actions")
    assert cards
    for row, shown in cards:
        truth = truths[row]
        assert set(shown) == LISTS["/actions/", "Recommended actions"]
        lost = f"{percent(truth['leak_lost_share'])} of sessions"
        assert shown["share_lost"] == f"{lost} ({count(truth['leak_lost_sessions'])})"
        low, high = truth["conversions_won_low"], truth["conversions_won_high"]
        if high is None:
            assert shown["won"] == "not known"
        else:
            assert shown["won"].startswith(ranged(change, low, high) + " × ")
            told = ranged(points, truth["impact_low"], truth["impact_high"])
            assert shown["won"].endswith(f" ({told} of sessions)")


def test_the_cards_of_live_are_their_metrics(standing, metrics):
    truths = by(metrics, ["active_sessions"], "session__risk_level")
    cards = cards_of(standing("/live/"), "Active sessions by risk")
    assert {row for row, _ in cards} >= set(truths)
    for row, shown in cards:
        value = truths.get(row, {"active_sessions": 0})["active_sessions"]
        assert shown == {"count_sessions": count(value)}


# Sentences: for each page, the figures of its sentence in their order, and the names in it


def ranged(write, low, high):
    return write(high) if low == high else f"{write(low)} to {write(high)}"


def overview(metrics, _):
    return [
        count(metrics.value("sessions")),
        percent(metrics.value("conversion_rate")),
        percent(metrics.value("bounce_rate")),
        count(metrics.value("open_sessions")),
    ], []


def funnel(metrics, rows):
    (settings,) = rows("select primary_funnel from marts.dim_settings")
    here = is_at("stage__funnel", settings["primary_funnel"])
    names = ["lost_sessions", "stage_sessions", "lost_share"]
    stages = by(metrics, names, "stage__stage_label", here)
    worst = max(stages.values(), key=lambda stage: stage["lost_sessions"] or 0)
    return [
        count(worst["lost_sessions"]),
        count(worst["stage_sessions"]),
        percent(worst["lost_share"]),
    ], list(stages)


def drop_offs(metrics, _):
    here = "end_event__is_likely_exit = false"
    events = by(metrics, ["sessions_ended_on_event"], "end_event__event_short_name", here)
    worst = max(event["sessions_ended_on_event"] for event in events.values())
    ended = metrics.value("ended_sessions")
    high = metrics.value("high_end_events")
    # few of them are told in a word
    told = [count(high)] if high > 1 else []
    return [count(worst), count(ended), percent(worst / ended), *told], list(events)


def journeys(metrics, _):
    early = "transition__step_number <= 4"
    end = [is_at("transition__target_kind", "end"), is_at("transition__target_node", "(dropped)")]
    dropped = metrics.value("journey_sessions", early, *end)
    sql = metrics.sql(
        ["journey_sessions"],
        ["transition__step_number", "transition__source_node"],
        [early, *end],
        ["-journey_sessions", "transition__step_number"],
        limit=1,
    )
    columns, [row] = metrics.run(sql)
    worst = dict(zip(columns, row, strict=True))
    sessions = metrics.value("journey_sessions", "transition__step_number = 1")
    assert sessions == metrics.value("sessions")
    return [
        count(sessions),
        count(dropped),
        percent(dropped / sessions),
        # which steps are meant, not how many of something there are
        "within 4 steps",
        count(worst["journey_sessions"]),
        f"as step {worst['transition__step_number']}",
    ], [worst["transition__source_node"]]


def cohorts(metrics, _):
    weeks = by(metrics, ["retention_rate"], "cohort__week_number")
    rates = [weeks[week]["retention_rate"] for week in (2, 4)]
    return [percent(rate) for rate in rates if rate is not None], []


def patterns(metrics, _):
    names = ["sessions", "conversion_rate"]
    here = "session__pattern__is_intervention_target = true"
    group = "session__pattern__pattern_name"
    targets = by(metrics, names, group, here)
    first = max(targets.values(), key=lambda pattern: pattern["sessions"])
    sessions = metrics.value("sessions")
    followed = metrics.value("patterns_followed")
    of_targets = sum(pattern["sessions"] for pattern in targets.values())
    figures = [percent(first["sessions"] / sessions)]
    if first["conversion_rate"]:
        figures.append(percent(first["conversion_rate"]))
    if len(targets) > 1:
        figures += [count(len(targets)), count(followed), percent(of_targets / sessions)]
    return figures, [first[group]]


def risk(metrics, rows):
    tested = metrics.value("tested_stages")
    better = metrics.value("stages_that_beat_base_rate")
    stages = by(metrics, ["best_auc"], "risk_bin__stage_label")
    return [
        *([count(tested)] if better == tested else [count(better), count(tested)]),
        percent(metrics.value("best_auc")),
    ], list(stages)


def live(metrics, _):
    high = is_at("session__risk_level", "HIGH")
    count_high = metrics.value("active_sessions", high) or 0
    figures = [count(metrics.value("active_sessions"))]
    stages = by(metrics, ["active_sessions"], "session__risk_stage", high)
    if count_high:
        figures.insert(0, count(count_high))
        most = max(stage["active_sessions"] for stage in stages.values())
        figures += [] if most == count_high else [count(most)]
    return figures, list(stages)


def actions(metrics, rows):
    (first,) = rows(
        "select title, intervention from marts.fct_recommendations where priority_rank = 1"
    )
    here = is_at("recommendation__title", first["title"])
    return [
        change(metrics.value("conversions_won_low", here)),
        change(metrics.value("conversions_won_high", here)),
        count(metrics.value("measured_recommendations")),
        count(metrics.value("recommendations")),
    ], list(first.values())


def experiments(metrics, _):
    here = is_at("trial__evidence", "measured")
    names = ["intervention_effect", "effect_low", "effect_high"]
    effects = by(metrics, names, "trial__intervention", here)
    best = max(
        (effect for effect in effects.values() if effect["effect_low"] > 0),
        key=lambda effect: effect["intervention_effect"],
        default=None,
    )
    figures = [points(best[name]) for name in names] if best else []
    counts = ["measured_interventions", "interventions"]
    return figures + [count(metrics.value(name)) for name in counts], list(effects)


def user(metrics, rows):
    (shown,) = rows("""
        select user_id, any_value(timeline.display_name) as name
        from marts.fct_shown_timeline as timeline
        inner join marts.fct_sessions using (session_id)
        where timeline.shown_user_number = 1 group by user_id""")
    here = is_at("user", shown["user_id"])
    counts = [metrics.value(name, here) for name in ("sessions", "converted_sessions")]
    return [count(number) for number in counts], [shown["name"]]


def session(metrics, rows):
    (shown,) = rows("""
        select session_id, display_name as name, result from marts.fct_shown_timeline
        where row_kind = 'session' and outcome = 'dropped' and not has_reached_goal
        order by started_at desc, session_id limit 1""")
    here = is_at("session", shown["session_id"])
    return [
        count(metrics.value("session_events", here)),
        duration(metrics.value("average_duration_seconds", here)),
    ], [shown["name"], shown["result"]]


def data_health(metrics, _):
    counts = ["landed_rows", "staged_rows", "rejected_rows"]
    figures = [count(metrics.value(name)) for name in counts]
    return [*figures, percent(metrics.value("rejected_share"))], []


SENTENCES = {
    "/": overview,
    "/funnel/": funnel,
    "/drop-offs/": drop_offs,
    "/journeys/": journeys,
    "/cohorts/": cohorts,
    "/patterns/": patterns,
    "/risk/": risk,
    "/live/": live,
    "/actions/": actions,
    "/experiments/": experiments,
    "/users/": user,
    "/session/": session,
    "/data-health/": data_health,
}


def expect_figures(text, figures, names):
    """The figures stand there in their order, and no other does; names and days may have digits."""
    rest = DAY.sub("", text)
    for name in sorted(names, key=len, reverse=True):
        rest = rest.replace(name, "")
    assert figures
    for figure in figures:
        before, found, rest = rest.partition(figure)
        assert found, f"{figure} is not in: {text}"
        assert not re.search(r"\d", before), f"{before} has a figure without a metric: {text}"
    assert not re.search(r"\d", rest), f"{rest} has a figure without a metric: {text}"


@pytest.mark.parametrize("path", PAGES)
def test_every_figure_of_a_sentence_is_a_metric(standing, metrics, rows, path):
    seen = standing(path)
    texts = seen.page.locator(".lead[data-metric]").all_inner_texts()
    if path not in SENTENCES:
        assert not re.search(r"\d", DAY.sub("", "".join(texts)))
    else:
        [text] = texts
        expect_figures(text, *SENTENCES[path](metrics, rows))


def test_what_to_do_first_is_told_in_metrics(standing, metrics, rows):
    text = standing("/").page.locator("p", has_text="What to do first:").inner_text()
    (low, high, *_), names = actions(metrics, rows)
    here = is_at("recommendation__title", names[0])
    lost = percent(metrics.value("leak_lost_share", here))
    expect_figures(text, [lost, low, high], names)
