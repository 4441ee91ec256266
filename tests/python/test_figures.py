"""The demo warehouse shows the user's own figures, counted by the models alone."""

import duckdb
import pytest
from conftest import ROOT

SPEC_USER = "76a7b5c7-90ca-4875-b998-77f50776b042"


@pytest.fixture(scope="module")
def rows():
    warehouse = ROOT / "warehouse.duckdb"
    if not warehouse.exists():
        pytest.fail("The demo is not built; run `make build`.")
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        yield lambda query: connection.execute(query).fetchall()


def test_starters_and_sessions_are_exact(rows):
    assert dict(rows("select starter_event_name, count_sessions from marts.fct_session_types")) == {
        "Journey Started": 27_380,
        "Session Started": 11_736,
        "App Installed": 3_951,
        "User Login": 4_080,
        "Push Click": 93,
    }
    assert rows("select count(*), sum(count_starters) from marts.fct_sessions") == [
        (37_058, 47_240)
    ]


def test_the_journey_started_funnel_has_the_nine_shares(rows):
    shares = rows("""
        select share_of_sessions * 100
        from marts.fct_funnel_stages
        where funnel = 'booking' and starter_event_name = 'Journey Started' and segment = '(all)'
        order by stage_order
    """)
    wanted = [96.8, 88.4, 80.7, 45.3, 30.3, 20.5, 11.7, 7.7, 7.1]
    assert [share for (share,) in shares] == pytest.approx(wanted, abs=1)


def test_the_spec_marks_the_drop_offs_it_marks(rows):
    flagged = rows("""
        select stage
        from marts.fct_funnel_stages
        where funnel = 'booking' and starter_event_name = 'Journey Started' and segment = '(all)'
            and is_drop_off
        order by stage_order
    """)
    assert [stage for (stage,) in flagged] == [
        "select_bus",
        "select_seat",
        "view_booking",
        "payment_page",
    ]


def test_overview_cards(rows):
    ((events, minutes, bounce, count_open),) = rows("""
        select
            sum(count_events_not_open) / sum(count_sessions - count_open),
            sum(duration_seconds_not_open) / 60 / sum(count_sessions - count_open),
            100 * sum(count_bounces) / sum(count_sessions - count_open),
            sum(count_open)
        from marts.fct_overview_daily
    """)
    assert events == pytest.approx(16.3, rel=0.05)
    assert minutes == pytest.approx(18.6, rel=0.05)
    assert bounce == pytest.approx(15.2, abs=1)
    assert count_open >= 3


def test_end_events_are_the_five_of_the_spec(rows):
    found = rows("""
        select event_name, share_of_sessions * 100, severity, is_likely_exit
        from marts.fct_end_events
        where starter_event_name = '(all)'
        order by count_ended desc
        limit 5
    """)
    assert {name: (severity, likely) for name, _, severity, likely in found} == {
        "login": ("HIGH", False),
        "DeviceInfo": ("NORMAL", True),
        "select_seat": ("HIGH", False),
        "_user": ("NORMAL", True),
        "_bus-search_v2_layout": ("NORMAL", False),
    }
    assert [share for _, share, *_ in found] == pytest.approx([10.8, 10.5, 9.1, 8.3, 4.0], abs=1)


def test_starters_compare_as_in_the_spec(rows):
    found = rows("""
        select
            starter_event_name,
            sum(count_events_not_open) / sum(count_sessions - count_open),
            sum(duration_seconds_not_open) / 60 / sum(count_sessions - count_open),
            100 * sum(count_converted) / sum(count_sessions - count_open),
            100 * sum(count_bounces) / sum(count_sessions - count_open)
        from marts.fct_sessions_daily
        where starter_event_name in ('Session Started', 'Journey Started')
        group by starter_event_name
    """)
    figures = {name: values for name, *values in found}
    assert figures["Session Started"] == pytest.approx([22.3, 24.5, 8.2, 12.1], rel=0.05)
    assert figures["Journey Started"] == pytest.approx([14.8, 15.2, 7.1, 16.8], rel=0.05)


def test_the_spec_user_has_the_timeline_of_the_spec(rows):
    assert rows(f"""
        select
            strftime(session_started_at, '%b %d %H:%M:%S'), starter_path, duration_seconds,
            count_events, result
        from marts.fct_sessions
        where user_id = '{SPEC_USER}' and session_date <= date '2026-01-12'
        order by session_started_at
    """) == [
        ("Jan 12 14:19:17", "Session Started → App Installed", 14, 45, "Logged in"),
        ("Jan 12 14:19:33", "User Login", 51 * 60 + 12, 78, "Booking complete"),
        ("Jan 12 15:43:00", "Journey Started", 2 * 60 + 8, 15, "Dropped at Seat selection"),
    ]
    assert rows(f"""
        select count(*)
        from staging.stg_app__events
        where user_id = '{SPEC_USER}' and event_name = 'Push Failure'
            and event_at >= '2026-01-13' and event_at < '2026-01-18'
    """) == [(5,)]


def test_the_models_find_the_sessions_of_the_truth(rows):
    """Every session of the simulator's truth file is one of the models', event by event."""
    truth = ROOT / "landing" / "truth" / "events.parquet"
    assert rows(f"""
        select
            count(*),
            count(distinct session_id),
            count(distinct true_session),
            count(distinct (session_id, true_session))
        from marts.fct_session_events
        inner join '{truth}' using (event_id)
    """) == [(rows("select count(*) from marts.fct_session_events")[0][0], 37_058, 37_058, 37_058)]
