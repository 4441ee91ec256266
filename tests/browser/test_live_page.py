"""The Live page moves by itself: a session appears, becomes HIGH RISK, and converts."""

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from places import ROOT, SITE
from playwright.sync_api import expect

RUN = ROOT / "live" / "run.py"
PATIENCE = 60_000  # ms
# on two busy cores dbt takes its time to compile
START_SECONDS = 120


@pytest.fixture(scope="module")
def landing(tmp_path_factory):
    """An empty landing zone that is followed over the demo's warehouse, its address, its ledger."""
    folder = tmp_path_factory.mktemp("live")
    (folder / "events").mkdir()
    # the pages with a live.json of their own: other tests look at the site meanwhile
    shutil.copytree(SITE, folder / "site", copy_function=os.link)
    environment = os.environ | {
        "DROPOFF_EVENTS": str(folder / "events"),
        "DROPOFF_INTERVENTIONS": str(folder / "interventions"),
        "DROPOFF_LIVE": str(folder / "state"),
        "DROPOFF_WAREHOUSE": str(ROOT / "warehouse.duckdb"),
    }
    environment.pop("DROPOFF_WEBHOOK_URL", None)
    live = subprocess.Popen(
        [
            sys.executable, RUN, "--port", "0", "--site", folder / "site",
            "--vars", "{control_share: 0.01}",
        ],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    signal.signal(signal.SIGALRM, lambda *_: live.kill())
    signal.alarm(START_SECONDS)
    lines = []
    for line in live.stdout:
        lines.append(line)
        if "Live is at" in line:
            break
    signal.alarm(0)
    assert "Live is at" in "".join(lines[-1:]), "".join(lines)
    yield folder, lines[-1].split()[-1].removesuffix("/live/")
    live.terminate()
    live.wait(timeout=30)


@pytest.fixture
def stuck(rows):
    """[(seconds before the last one, event name)] of a session that the warehouse calls stuck."""
    (found,) = rows("""
        select session_id from marts.fct_active_sessions
        where risk_level = 'HIGH' order by drop_risk - usual_drop_risk desc, session_id limit 1""")
    events = rows(
        """
        select event_name, epoch(max(event_at) over () - event_at) as seconds_before
        from marts.fct_session_events where session_id = ? order by event_number""",
        found["session_id"],
    )
    return [(event["seconds_before"], event["event_name"]) for event in events]


def land(folder, user, events):
    """Append events of a user: [(time, name)], received when they happened."""
    with open(folder / "events" / "stream.ndjson", "a") as file:
        for at, name in events:
            time = at.isoformat()
            row = {"event_id": str(uuid.uuid4()), "user_id": user, "event_name": name}
            file.write(json.dumps({**row, "event_time": time, "received_at": time}) + "\n")


def test_a_session_appears_becomes_high_risk_and_converts(landing, reader, stuck):
    folder, address = landing
    context = reader(390)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{address}/live/", wait_until="networkidle")
    section = page.locator("section.live")
    # the demo ended long ago
    expect(section).to_have_attribute("data-state", "stopped")
    expect(section.locator("[role=status]")).to_have_text("■ The feed has stopped")

    now = datetime.now(UTC)
    happened = now - timedelta(seconds=200)
    land(folder, "newcomer", [(happened - timedelta(seconds=back), name) for back, name in stuck])
    feed = page.locator('[aria-label="Active sessions, highest risk first"]')
    session = feed.locator("li").filter(has_text="0 s ago").first
    expect(session).to_be_visible()
    expect(session.locator("[data-metric=risk_level]")).not_to_have_text("▲ HIGH RISK:")
    session_id = session.get_attribute("data-row")
    expect(section).to_have_attribute("data-state", "stopped")

    # somebody else does something: time goes on, and the newcomer is stuck
    land(folder, "somebody else", [(datetime.now(UTC), "Journey Started")])
    session = feed.locator(f'[data-row="{session_id}"]')
    expect(session.locator("[data-metric=risk_level]")).to_have_text("▲ HIGH RISK:")
    expect(session.locator("[data-metric=rule]")).to_contain_text("Stuck on")
    expect(section).to_have_attribute("data-state", "live")
    expect(section.locator("[role=status]")).to_have_text("● Live")
    expect(page.locator("[data-metric=interventions]")).to_contain_text("1 session assigned")
    ledger = (folder / "interventions" / "live.ndjson").read_text().splitlines()
    assert [json.loads(line)["session_id"] for line in ledger] == [session_id]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390

    steps = [
        "_location_elastic-town-search", "bus_search", "bus_result", "Buslist_bus_selection",
        "select_seat", "booking_confirmation", "payment_page", "payment_success",
    ]  # fmt: skip
    land(folder, "newcomer", [(datetime.now(UTC), name) for name in steps])
    converted = page.locator('[aria-label="Sessions that converted in the last half hour"]')
    expect(converted.locator(f'[data-row="{session_id}"]')).to_be_visible()
    expect(feed.locator(f'[data-row="{session_id}"]')).to_have_count(0)
    assert complaints == []
    context.close()


def test_without_a_follower_the_page_shows_the_last_build(look, rows):
    """Served from a folder in which nobody writes live.json."""
    seen = look(1280).open("/live/")
    counts = {
        row["risk_level"]: row["n"]
        for row in rows("""
        select risk_level, count(*) as n from marts.fct_active_sessions group by all""")
    }
    section = seen.page.locator("section.live")
    for level in ("HIGH", "MEDIUM", "ON TRACK"):
        shown = section.locator(f'[data-row="{level}"] [data-metric="count_sessions"]')
        expect(shown).to_have_text(str(counts.get(level, 0)))
    first = rows("from marts.fct_active_sessions order by risk_rank limit 1")
    top = section.locator(".feed li").first
    expect(top).to_have_attribute("data-row", first[0]["session_id"])
    expect(top.locator("[data-metric=rule]")).to_have_text(first[0]["rule"])
    assert (SITE / "live.json").is_file()
