"""What data health tells: bots, changed sessions, files; a day at a time as all at once."""

import json
import shutil
from datetime import datetime, timedelta

import pytest
from conftest import run_dbt
from warehouses import build_in_place, differences, fitted_alone

VARS = {"bot_events_per_hour": 20, "exclude_bots": True}
CLOCKS = [f"2026-02-0{day} 00:00:00" for day in range(1, 9)]
START = datetime(2026, 1, 12, 10)


def events(user, count, *, start=START, every=60, received=2, opens=True):
    """So many events of a user, one in so many seconds, each received some seconds later."""
    rows = []
    for number in range(count):
        time = start + timedelta(seconds=every * number)
        rows.append(
            {
                "event_id": f"{user} {start} {number}",
                "user_id": user,
                "event_name": "Journey Started" if opens and number % 10 == 0 else "bus_search",
                "event_time": str(time),
                "received_at": str(time + timedelta(seconds=received)),
            }
        )
    return rows


@pytest.fixture
def app(tmp_path):
    """A function that builds a warehouse of what lies in a folder, by a clock."""
    (tmp_path / "events").mkdir()
    app = {"events": tmp_path / "events"}
    place = tmp_path / "place.duckdb"
    parsed = run_dbt(place, "parse", dbt_vars=VARS, **app)

    def build(name, clock):
        return build_in_place(
            place,
            tmp_path / f"{name}.duckdb",
            dbt_vars=VARS | {"build_clock": clock},
            manifest=parsed.result,
            **app,
        )

    build.folder = tmp_path
    return build


def land(app, name, rows):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (app.folder / "events" / name).write_text(text)


def sessions_of(build):
    """{user: sessions}."""
    query = "select user_id, count_sessions from marts.dim_users order by 1"
    return {row["user_id"]: row["count_sessions"] for row in build.rows(query)}


@pytest.mark.slow
def test_bots_come_and_go_and_closed_sessions_change(app):
    """Somebody turns out to be a bot, and then not; late rows change what was over."""
    land(app, "a.ndjson", [*events("bot", 15, every=30), *events("ann", 15), *events("bob", 5)])
    later = {"start": START + timedelta(days=3)}
    land(app, "b.ndjson", events("cat", 4, **later))
    first = app("w", CLOCKS[0])
    assert sessions_of(first) == {"ann": 2, "bob": 1, "bot": 2, "cat": 1}
    assert first.rows("from marts.fct_session_changes") == []

    steps = [
        # a bot by what came later in the same hour
        ("c.ndjson", events("bot", 15, start=START + timedelta(minutes=20), every=30)),
        # late, so that a session of bob's ends later; and on his clock before it was received
        (
            "d.ndjson",
            [
                *events("bob", 3, start=START + timedelta(minutes=5), received=-30, opens=False),
                {"event_id": "x", "user_id": "ann"},
                {"event_id": "y"},
            ],
        ),
        # no bot after all
        ("c.ndjson", None),
    ]
    told = []
    for clock, (name, rows) in zip(CLOCKS[1:], steps, strict=False):
        if rows is None:
            (app.folder / "events" / name).unlink()
        else:
            land(app, name, rows)
        build = app("w", clock)
        bots = build.rows("select user_id, busiest_hour_events from marts.fct_likely_bots")
        told.append((sessions_of(build)["bot"], bots))
        fitted_alone(build.warehouse, anew := app.folder / "anew.duckdb")
        app("anew", clock)
        assert not differences(build.warehouse, anew), name
    is_bot = (0, [{"user_id": "bot", "busiest_hour_events": 30}])
    assert told == [is_bot] * 2 + [(2, [])]

    changes = build.rows(
        "select count_changed, count_gone from marts.fct_session_changes order by built_at"
    )
    assert [tuple(row.values()) for row in changes] == [(0, 2), (1, 0), (0, 0)]
    files = build.rows(
        "select reject_reason, count_rows, first_row_number from marts.fct_rejected_files order by 1"
    )
    assert [tuple(row.values()) for row in files] == [
        ("missing_event_name", 1, 4),
        ("missing_user_id", 1, 5),
    ]
    [ahead] = build.rows(
        "select sum(count_ahead) as count, max(max_ahead_seconds) as most from marts.fct_data_health"
    )
    assert (ahead["count"], ahead["most"]) == (3, 30)
    shutil.rmtree(app.folder / "events")
