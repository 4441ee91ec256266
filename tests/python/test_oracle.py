"""The oracle against cases computed by hand, and against what must hold on any history."""

import gzip
import itertools
import json
import math
import random
from datetime import date, datetime, timedelta

import histories
import oracle
import pyarrow
import pyarrow.parquet
import pytest
import scipy.stats
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

NOON = datetime(2026, 1, 12, 12)
LATER = "2026-02-16 12:00:00"

EVENT_TYPES = """event_name,role,label
Journey Started,starter,
Session Started,starter,
App Installed,starter,
User Login,starter,
bus_search,step,
select_seat,step,
booking_confirmation,step,
payment_success,step,
ticket_view,step,
otp,step,
login,step,
DeviceInfo,telemetry,
Push Failure,ambient,
sms_failed,ambient,SMS failure
Wallet,ambient,alert
Purse,ambient,alert
"""
FUNNELS = """funnel,is_primary,order_mode,conversion_window_seconds,starters
booking,true,ordered,,(all)
login,false,ordered,,Session Started|User Login
"""
FUNNEL_STAGES = """funnel,phase,stage_order,stage,label,event_name,outcome,result_label
booking,Search,1,search,Search,bus_search,,
booking,Search,1,search,Search,a_search,,
booking,Selection,2,seat,Seat selection,select_seat,,
booking,Booking,3,paid,Payment success,payment_success,conversion,Booking complete
booking,Booking,4,ticket,Ticket view,ticket_view,completion,
login,Login,1,otp,One-time password,otp,,
login,Login,2,login,Login,login,conversion,Logged in
"""


@pytest.fixture
def settings_folder(tmp_path):
    folder = tmp_path / "settings"
    folder.mkdir()
    (folder / "event_types.csv").write_text(EVENT_TYPES)
    (folder / "funnels.csv").write_text(FUNNELS)
    (folder / "funnel_stages.csv").write_text(FUNNEL_STAGES)
    return folder


@pytest.fixture
def marts(tmp_path, settings_folder):
    """Give the marts of events that are (seconds after noon, name), or rows as dicts, of user u."""

    def build(events, **given_vars):
        folder = tmp_path / "events"
        folder.mkdir()
        rows = []
        for number, event in enumerate(events):
            if isinstance(event, tuple):
                event = {"event_time": at(event[0]), "event_name": event[1]}
            rows.append({"event_id": f"{number:03}", "user_id": "u", **event})
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "a.ndjson").write_text(lines)
        given_vars = {"build_clock": LATER, "as_of": LATER, **given_vars}
        return oracle.marts(f"{folder}/*", settings_folder, given_vars)

    return build


def at(seconds):
    return (NOON + timedelta(seconds=seconds)).isoformat() + "Z"


def opened_by(built):
    """The event ids, as numbers, that opened the sessions."""
    return [int(session["session_id"][1]) for session in built["fct_sessions"]]


def only_session(built):
    (session,) = built["fct_sessions"]
    return session


def reasons(built):
    return [row["reason"] for row in built["rejected"]]


# --- which event opens a session -----------------------------------------------------------------


def test_app_installed_two_seconds_after_session_started_is_one_session(marts):
    built = marts([(0, "Session Started"), (2, "App Installed"), (16, "otp"), (18, "User Login")])
    assert opened_by(built) == [0, 3]
    first = built["fct_sessions"][0]
    assert first["starter_path"] == "Session Started → App Installed"
    assert (first["lead_starter"], first["count_starters"]) == ("Session Started", 2)


@pytest.mark.parametrize(("seconds", "opened"), [(60, [0]), (60.000001, [0, 1]), (61, [0, 1])])
def test_a_starter_61_seconds_later_opens_a_session(marts, seconds, opened):
    assert opened_by(marts([(0, "Session Started"), (seconds, "App Installed")])) == opened


def test_a_chain_of_starters_joins_from_each_to_the_next(marts):
    chain = [(0, "Session Started"), (50, "App Installed"), (100, "Session Started")]
    built = marts(chain)
    assert opened_by(built) == [0]
    assert only_session(built)["count_starters"] == 2


def test_a_step_between_keeps_a_starter_from_joining(marts):
    steps = [(0, "Session Started"), (1, "bus_search"), (2, "App Installed")]
    assert opened_by(marts(steps)) == [0, 2]


def test_telemetry_between_does_not_count(marts):
    steps = [(0, "Session Started"), (1, "DeviceInfo"), (2, "App Installed")]
    assert opened_by(marts(steps)) == [0]


@pytest.mark.parametrize(("seconds", "opened"), [(0, [0]), (0.000001, [0, 1])])
def test_a_join_window_of_0_joins_only_equal_times(marts, seconds, opened):
    events = [(0, "Session Started"), (seconds, "App Installed")]
    assert opened_by(marts(events, starter_join_seconds=0)) == opened


def test_without_a_join_window_even_equal_times_do_not_join(marts):
    events = [(0, "DeviceInfo"), (0, "Session Started"), (0, "App Installed")]
    assert opened_by(marts(events, starter_join_seconds=None)) == [0, 1, 2]


def test_a_users_first_step_opens_an_unmarked_session_that_no_starter_joins(marts):
    built = marts([(0, "bus_search"), (1, "Session Started"), (99999, "bus_search")])
    assert opened_by(built) == [0, 1]
    assert built["fct_sessions"][0]["starter_path"] is None


def test_leading_telemetry_60_seconds_back_belongs_and_61_does_not(marts):
    built = marts([(0, "DeviceInfo"), (1, "DeviceInfo"), (61, "Session Started"), (62, "otp")])
    assert opened_by(built) == [0, 2]
    assert [session["count_events"] for session in built["fct_sessions"]] == [1, 3]
    assert built["fct_sessions"][1]["session_started_at"] == NOON + timedelta(seconds=1)
    assert built["fct_sessions"][1]["lead_starter"] == "Session Started"
    assert built["fct_sessions"][0]["lead_starter"] is None


def test_telemetry_alone_is_together_one_unmarked_session(marts):
    built = marts([(0, "DeviceInfo"), (500000, "DeviceInfo")])
    assert opened_by(built) == [0]
    assert only_session(built)["path"] == "(none)"


@pytest.mark.parametrize(("seconds", "opened"), [(1800, [0]), (1800.000001, [0, 1])])
def test_strictly_more_than_the_timeout_opens_a_session(marts, seconds, opened):
    events = [(0, "bus_search"), (seconds, "bus_search")]
    assert opened_by(marts(events, session_timeout_minutes=30)) == opened


def test_without_a_timeout_silence_opens_nothing(marts):
    assert opened_by(marts([(0, "bus_search"), (10_000_000, "bus_search")])) == [0]


def test_a_timeout_beats_a_join(marts):
    events = [(0, "Session Started"), (61, "App Installed")]
    vars_of_both = {"session_timeout_minutes": 1, "starter_join_seconds": 300}
    assert opened_by(marts(events, **vars_of_both)) == [0, 1]


def test_a_timeout_beats_leading_telemetry(marts):
    events = [(0, "DeviceInfo"), (61, "DeviceInfo"), (62, "Session Started")]
    vars_of_both = {"session_timeout_minutes": 1, "starter_join_seconds": 300}
    assert opened_by(marts(events, **vars_of_both)) == [0, 2]


def test_telemetry_that_a_timeout_sets_apart_does_not_pass_a_starter_on(marts):
    events = [(0, "Session Started"), (61, "DeviceInfo"), (62, "App Installed")]
    vars_of_both = {"session_timeout_minutes": 1, "starter_join_seconds": 300}
    assert opened_by(marts(events, **vars_of_both)) == [0, 1, 2]


def test_ambient_events_are_in_no_session_and_bridge_no_silence(marts):
    events = [(0, "bus_search"), (900, "Push Failure"), (1801, "bus_search")]
    built = marts(events, session_timeout_minutes=30)
    assert opened_by(built) == [0, 2]
    assert [event["event_id"] for event in built["fct_session_events"]] == ["000", "002"]


def test_ties_in_time_are_walked_in_the_byte_order_of_the_event_id(marts):
    ids = ["a", "B", "\uffee", "😀", "10", "9"]
    events = [
        {"event_time": at(0), "event_name": name, "event_id": event_id}
        for event_id, name in zip(ids, ["e", "d", "f", "g", "b", "c"], strict=True)
    ]
    assert only_session(marts(events))["path"] == "b → c → d → e → f → g"


def test_a_session_is_not_cut_at_midnight_and_dated_by_its_start(marts):
    events = [(12 * 3600 - 1, "bus_search"), (12 * 3600 + 1, "bus_search")]
    assert only_session(marts(events))["session_date"] == date(2026, 1, 12)


def test_the_date_is_in_the_reporting_timezone(marts):
    events = [(6.5 * 3600, "bus_search")]
    built = marts(events, reporting_timezone="Asia/Kolkata")
    assert only_session(built)["session_date"] == date(2026, 1, 13)


def test_equal_neighbours_of_a_path_collapse_with_a_count(marts):
    names = ["Journey Started", "bus_search", *["select_seat"] * 2, "DeviceInfo", "select_seat"]
    built = marts(list(enumerate(names)))
    session = only_session(built)
    assert session["path"] == "Journey Started → bus_search → select_seat (3x)"
    assert (session["count_events"], session["count_steps"]) == (6, 4)
    assert [step["count_repeats"] for step in built["fct_session_steps"]] == [1, 1, 3]


def test_the_context_of_a_session_is_the_first_that_is_not_null(marts):
    events = [
        {"event_time": at(0), "event_name": "bus_search"},
        {"event_time": at(1), "event_name": "bus_search", "platform": "ios"},
        {"event_time": at(2), "event_name": "bus_search", "platform": "web", "city": "Pune"},
    ]
    session = only_session(marts(events))
    assert (session["platform"], session["city"], session["app_version"]) == ("ios", "Pune", None)


# --- outcome, result, bounce ---------------------------------------------------------------------


@pytest.mark.parametrize(("minutes", "outcome"), [(30, "open"), (30.001, "dropped")])
def test_a_last_session_is_open_for_30_minutes(marts, minutes, outcome):
    as_of = (NOON + timedelta(minutes=minutes)).isoformat()
    assert only_session(marts([(0, "bus_search")], as_of=as_of))["outcome"] == outcome


def test_a_session_with_a_later_one_is_not_open(marts):
    built = marts([(0, "Session Started"), (61, "Session Started")], as_of=at(62))
    assert [session["outcome"] for session in built["fct_sessions"]] == ["dropped", "open"]
    assert built["fct_sessions"][1]["result"] == "Still active"


def test_as_of_is_the_newest_valid_received_at_and_never_an_event_time_in_its_place(marts):
    events = [
        {"event_time": at(0), "event_name": "bus_search", "received_at": at(5)},
        {"event_time": at(9999), "event_name": "bus_search", "received_at": "soon"},
    ]
    assert only_session(marts(events, as_of=None))["outcome"] == "open"
    rules = oracle.rules_of({})
    staged = [{"event_time": NOON, "received_at": NOON, "has_valid_received_at": False}]
    assert oracle.as_of(staged, rules) == NOON


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["Journey Started"], ("Left before Search", None, "a_search")),
        (["bus_search"], ("Dropped at Search", "search", "select_seat")),
        (["bus_search", "select_seat"], ("Dropped at Seat selection", "seat", "payment_success")),
        (["select_seat", "bus_search"], ("Dropped at Search", "search", "select_seat")),
        (
            ["bus_search", "select_seat", "payment_success"],
            ("Booking complete", "paid", "ticket_view"),
        ),
        (
            ["a_search", "select_seat", "payment_success", "ticket_view"],
            ("Ticket view", "ticket", None),
        ),
        (["User Login", "otp"], ("Dropped at One-time password", "otp", "login")),
        (["User Login", "otp", "login"], ("Logged in", "login", None)),
        (["Journey Started", "otp", "login"], ("Left before Search", None, "a_search")),
        (
            ["User Login", "otp", "login", "bus_search"],
            ("Dropped at Search", "search", "select_seat"),
        ),
    ],
)
def test_what_a_person_reads_of_a_session(marts, names, expected):
    session = only_session(marts(list(enumerate(names))))
    assert (
        session["result"],
        session["furthest_stage"],
        session["expected_event_name"],
    ) == expected


def test_a_completion_without_a_conversion_is_a_drop_there():
    completion = {"label": "Ticket view", "result_label": "Booked", "outcome": "completion"}
    primary, other = {"is_primary": True}, {"is_primary": False}
    assert oracle.result_of("dropped", primary, completion, None) == "Dropped at Ticket view"
    assert oracle.result_of("dropped", other, completion, None) == "Booked"


def test_the_conversion_of_another_funnel_converts_nothing(marts):
    session = only_session(marts([(0, "User Login"), (1, "otp"), (2, "login")]))
    assert (session["outcome"], session["converted_at"]) == ("dropped", None)


def test_converted_at_is_when_the_conversion_stage_is_reached(marts):
    names = ["bus_search", "select_seat", "payment_success", "payment_success", "ticket_view"]
    session = only_session(marts(list(enumerate(names)), as_of=at(5)))
    assert session["converted_at"] == NOON + timedelta(seconds=2)
    assert (session["outcome"], session["is_completed"]) == ("converted", True)


@pytest.mark.parametrize(("seconds", "bounced"), [(9.999999, True), (10, False)])
def test_a_bounce_is_shorter_than_10_seconds(marts, seconds, bounced):
    assert only_session(marts([(0, "bus_search"), (seconds, "otp")]))["is_bounce"] is bounced


def test_with_bounce_max_steps_a_bounce_has_at_most_that_many_steps(marts):
    built = marts(
        [(0, "Session Started"), (1, "otp"), (99, "Session Started"), (100, "otp"), (101, "otp")],
        bounce_max_steps=1,
    )
    assert [session["is_bounce"] for session in built["fct_sessions"]] == [True, False]


def test_an_open_session_is_no_bounce(marts):
    assert only_session(marts([(0, "bus_search")], as_of=at(1)))["is_bounce"] is False


# --- funnels -------------------------------------------------------------------------------------


def walk(mode, window, *hits):
    """The seconds at which the stages of a three-stage funnel (a, b, c) were reached."""
    stages = [
        {"stage_order": order, "event_names": [name], "outcome": None}
        for order, name in enumerate("abc", start=1)
    ]
    funnel = {"stages": stages, "order_mode": mode, "window_seconds": window}
    events = [
        {"event_name": name, "event_time": NOON + timedelta(seconds=second)}
        for second, name in hits
    ]
    return [(moment - NOON).total_seconds() for moment in oracle.walk_funnel(funnel, events)]


def test_an_ordered_stage_is_the_first_event_after_the_stage_before():
    hits = [(0, "b"), (1, "a"), (2, "x"), (3, "a"), (4, "b"), (5, "b"), (6, "c")]
    assert walk("ordered", None, *hits) == [1, 4, 6]


def test_events_at_one_time_are_in_order_too():
    assert walk("ordered", None, (0, "a"), (0, "b"), (0, "c")) == [0, 0, 0]
    assert walk("ordered", None, (0, "b"), (0, "a"), (0, "c")) == [0]


def test_without_the_first_stage_no_stage_is_reached():
    assert walk("ordered", None, (0, "b"), (1, "c")) == []
    assert walk("any_order", None, (0, "b"), (1, "c")) == []


def test_any_order_reaches_a_stage_when_all_up_to_it_occurred():
    assert walk("any_order", None, (0, "c"), (1, "a"), (2, "b")) == [1, 2, 2]
    assert walk("any_order", None, (0, "c"), (1, "a"), (2, "a")) == [1]


def test_the_last_second_of_a_window_is_in_it():
    assert walk("ordered", 60, (0, "a"), (60, "b"), (61, "c")) == [0, 60]
    assert walk("any_order", 60, (0, "b"), (60, "a"), (61, "c")) == [60, 60]


def test_the_furthest_chain_counts_whichever_first_event_it_starts_from():
    hits = [(0, "a"), (10, "b"), (100, "a"), (110, "b"), (120, "c")]
    assert walk("ordered", 60, *hits) == [100, 110, 120]
    assert walk("any_order", 60, *hits) == [100, 110, 120]


def test_the_earliest_of_two_chains_as_long_counts():
    hits = [(0, "a"), (10, "b"), (100, "a"), (110, "b")]
    assert walk("ordered", 60, *hits) == [0, 10]
    assert walk("any_order", 60, *hits) == [0, 10]


def test_a_span_may_start_at_any_stage():
    assert walk("any_order", 60, (0, "a"), (90, "c"), (100, "b"), (140, "a")) == [140, 140, 140]


def test_funnel_rows_by_hand(marts):
    built = marts(
        [
            {"user_id": user, "event_time": at(second), "event_name": name}
            for user, second, name in [
                ("a", 0, "Journey Started"),
                ("a", 1, "bus_search"),
                ("b", 0, "Session Started"),
                ("b", 1, "bus_search"),
                ("b", 2, "select_seat"),
                ("b", 3, "payment_success"),
                ("c", 0, "bus_search"),
                ("d", 50000, "Session Started"),
                ("d", 50001, "bus_search"),
            ]
        ],
        as_of=at(50002),
    )
    rows = {
        (row["funnel"], row["starter_event_name"], row["stage"]): row
        for row in built["fct_funnel_stages"]
    }
    assert {starter for funnel, starter, _ in rows if funnel == "login"} == {
        "(all)",
        "Session Started",
    }
    search, seat = rows["booking", "(all)", "search"], rows["booking", "(all)", "seat"]
    assert (search["count_sessions"], search["count_dropped"], search["count_open"]) == (4, 2, 1)
    assert (seat["share_of_sessions"], seat["step_conversion_rate"]) == (0.25, 0.25)
    assert [seat["is_drop_off"], search["is_drop_off"]] == [True, False]
    assert rows["booking", "Session Started", "paid"]["step_conversion_rate"] == 1
    assert rows["login", "(all)", "otp"]["count_sessions"] == 0
    assert rows["login", "(all)", "login"]["step_conversion_rate"] is None
    daily = [row for row in built["fct_funnel_daily"] if row["starter_event_name"] == "(all)"]
    booked = [row for row in daily if (row["funnel"], row["stage"]) == ("booking", "seat")]
    assert [(row["count_sessions"], row["count_reached"]) for row in booked] == [(3, 1), (1, 0)]
    assert {row["platform"] for row in daily} == {"(unknown)"}


@pytest.mark.parametrize(("rate", "flagged"), [(0.75, False), (0.7499, True), (None, False)])
def test_a_drop_off_is_below_three_quarters(rate, flagged):
    rules = oracle.rules_of({})
    assert oracle.is_drop_off(rate, {"outcome": None}, rules) is flagged
    assert oracle.is_drop_off(rate, {"outcome": "conversion"}, rules) is False


def test_end_events_leave_open_sessions_out_and_flag_9_in_100(marts):
    rows = [(second * 100, "Session Started") for second in range(100)]
    for number in range(9):
        rows.append((number * 100 + 1, "select_seat"))
    for number in range(9, 17):
        rows.append((number * 100 + 1, "otp"))
    for number in range(17, 37):
        rows.append((number * 100 + 1, "DeviceInfo"))
    built = marts([*rows, (10_000, "Session Started"), (10_001, "otp")], as_of=at(10_002))
    rows = {
        row["event_name"]: row
        for row in built["fct_end_events"]
        if row["starter_event_name"] == "(all)"
    }
    assert {name: row["count_ended"] for name, row in rows.items()} == {
        "select_seat": 9,
        "otp": 8,
        "DeviceInfo": 20,
        "Session Started": 63,
    }
    assert [rows[name]["severity"] for name in ("select_seat", "otp")] == ["HIGH", "NORMAL"]
    assert (rows["DeviceInfo"]["is_likely_exit"], rows["DeviceInfo"]["severity"]) == (
        True,
        "NORMAL",
    )
    assert (rows["Session Started"]["count_reached"], rows["Session Started"]["exit_rate"]) == (
        100,
        0.63,
    )


def test_overview_and_types_by_hand(marts):
    built = marts(
        [
            (0, "bus_search"),
            (100, "Session Started"),
            (102, "App Installed"),
            (200, "App Installed"),
        ],
        as_of=at(200),
    )
    rows = {row["lead_starter"]: row for row in built["fct_overview_daily"]}
    assert rows["(unmarked)"]["count_system_marked"] == 0
    assert rows["Session Started"]["count_system_marked"] == 2
    assert rows["Session Started"]["total_duration_seconds"] == 2
    assert rows["App Installed"]["count_open"] == 1
    assert (
        rows["App Installed"]["count_events"],
        rows["App Installed"]["count_events_closed"],
    ) == (1, 0)
    types = {row["starter_event_name"]: row for row in built["fct_session_types"]}
    assert types["App Installed"]["count_sessions"] == 2
    assert types["App Installed"]["share_of_marked"] == 2 / 3


# --- paths by position ---------------------------------------------------------------------------


def edges(built, starter="(all)"):
    """{(step number, source, target): sessions} of a starter."""
    return {
        (row["step_number"], row["source_event"], row["target_event"]): row["count_sessions"]
        for row in built["fct_journey_edges"]
        if row["starter_event_name"] == starter
    }


def test_a_path_is_left_element_by_element_up_to_its_end(marts):
    names = ["Journey Started", "DeviceInfo", "bus_search", "select_seat", "DeviceInfo"]
    built = marts(list(enumerate([*names, "select_seat", "bus_search"])))
    assert edges(built) == {
        (1, "Journey Started", "bus_search"): 1,
        (2, "bus_search", "select_seat"): 1,
        (3, "select_seat", "bus_search"): 1,
        (4, "bus_search", "(dropped)"): 1,
    }


@pytest.mark.parametrize(
    ("names", "as_of", "end"),
    [
        (["bus_search"], LATER, "(dropped)"),
        (["bus_search"], at(0), "(open)"),
        (["bus_search", "select_seat", "payment_success"], at(2), "(converted)"),
    ],
)
def test_the_end_of_a_path_says_how_the_session_ended(marts, names, as_of, end):
    built = marts(list(enumerate(names)), as_of=as_of)
    *_, last = [row for row in built["fct_journey_edges"] if row["starter_event_name"] == "(all)"]
    assert (last["source_event"], last["source_kind"]) == (names[-1], "event")
    assert (last["target_event"], last["target_kind"]) == (end, "end")


@pytest.mark.parametrize(
    ("count", "given_vars", "last"),
    [
        (20, {}, (20, "otp", "(dropped)")),
        (21, {}, (20, "otp", "(longer)")),
        (22, {}, (20, "otp", "(longer)")),
        (3, {"journey_max_steps": 3}, (3, "bus_search", "(dropped)")),
        (4, {"journey_max_steps": 3}, (3, "bus_search", "(longer)")),
        (1, {"journey_max_steps": 1}, (1, "bus_search", "(dropped)")),
        (2, {"journey_max_steps": 1}, (1, "bus_search", "(longer)")),
    ],
)
def test_a_path_of_more_than_20_elements_goes_to_longer_from_its_20th(
    marts, count, given_vars, last
):
    names = ["otp" if number % 2 else "bus_search" for number in range(count)]
    built = marts(list(enumerate(names)), **given_vars)
    assert list(edges(built))[-1] == last
    assert len(edges(built)) == last[0]


def test_a_path_that_is_longer_for_its_repeats_alone_is_not_longer(marts):
    built = marts([(second, "otp") for second in range(99)], journey_max_steps=1)
    assert edges(built) == {(1, "otp", "(dropped)"): 1}


def test_an_empty_path_is_none(marts):
    (edge,) = [
        row
        for row in marts([(0, "DeviceInfo"), (1, "DeviceInfo")])["fct_journey_edges"]
        if row["starter_event_name"] == "(unmarked)"
    ]
    assert (edge["step_number"], edge["source_event"], edge["source_kind"]) == (1, "(none)", "none")
    assert (edge["target_event"], edge["target_kind"]) == ("(dropped)", "end")


def test_kinds_tell_an_event_from_an_end_that_bears_the_same_name(marts):
    built = marts(
        [
            {"user_id": user, "event_time": at(second), "event_name": name}
            for user, second, name in [
                ("a", 0, "(none)"),
                ("a", 1, "(dropped)"),
                ("b", 0, "(none)"),
                ("c", 0, "DeviceInfo"),
            ]
        ]
    )
    found = [
        tuple(row.values())[1:]
        for row in built["fct_journey_edges"]
        if row["starter_event_name"] == "(all)"
    ]
    assert sorted(found) == [
        (1, "(none)", "event", "(dropped)", "end", 1),
        (1, "(none)", "event", "(dropped)", "event", 1),
        (1, "(none)", "none", "(dropped)", "end", 1),
        (2, "(dropped)", "event", "(dropped)", "end", 1),
    ]


def test_edges_are_counted_for_all_each_starter_and_the_unmarked(marts):
    built = marts(
        [
            (0, "bus_search"),
            (100, "Session Started"),
            (102, "App Installed"),
            (200, "Session Started"),
        ]
    )
    first = (1, "Session Started", "(dropped)")
    second = (1, "Session Started", "App Installed")
    assert {starter: edges(built, starter) for starter in edge_starters(built)} == {
        "(all)": {
            (1, "bus_search", "(dropped)"): 1,
            second: 1,
            (2, "App Installed", "(dropped)"): 1,
            first: 1,
        },
        "(unmarked)": {(1, "bus_search", "(dropped)"): 1},
        "Session Started": {second: 1, (2, "App Installed", "(dropped)"): 1, first: 1},
        "App Installed": {second: 1, (2, "App Installed", "(dropped)"): 1},
    }


def edge_starters(built):
    return {row["starter_event_name"] for row in built["fct_journey_edges"]}


# --- retention -----------------------------------------------------------------------------------

DAY = 86400


def of_users(*visits):
    """Events of (user, days after Monday noon, name)."""
    return [
        {"user_id": user, "event_time": at(days * DAY), "event_name": name}
        for user, days, name in visits
    ]


def cells(built, starter="(all)"):
    """{(cohort week, week number): (cohort, eligible, retained, rate)} of a starter."""
    return {
        (row["cohort_week"], row["week_number"]): (
            row["count_cohort"],
            row["count_eligible"],
            row["count_retained"],
            row["retention_rate"],
        )
        for row in built["fct_retention_weekly"]
        if row["starter_event_name"] == starter
    }


@pytest.mark.parametrize(
    ("days", "monday"),
    [
        (0, date(2026, 1, 12)),
        (-1, date(2026, 1, 5)),
        (6, date(2026, 1, 12)),
        (6.6, date(2026, 1, 19)),
        (7, date(2026, 1, 19)),
    ],
)
def test_a_cohort_is_the_monday_of_the_date_of_the_first_session(marts, days, monday):
    built = marts(of_users(("a", days, "Journey Started"), ("a", days + 9, "Journey Started")))
    assert {cohort_week for cohort_week, _ in cells(built)} == {monday}


def test_the_date_of_a_cohort_is_in_the_reporting_timezone(marts):
    built = marts(of_users(("a", 6.3, "bus_search")), reporting_timezone="Asia/Kolkata")
    assert {cohort_week for cohort_week, _ in cells(built)} == {date(2026, 1, 19)}


@pytest.mark.parametrize(
    ("days", "weeks"), [(0, [1]), (6, [1]), (7, [1, 2]), (13, [1, 2]), (14, [1, 3]), (90, [1])]
)
def test_week_n_is_days_7_n_minus_1_to_7_n_minus_1_after_the_first(marts, days, weeks):
    built = marts(
        of_users(("a", 2, "Journey Started"), ("a", 2 + days + 0.4, "Journey Started")),
        build_clock="2027-01-01 00:00:00",
        as_of="2027-01-01 00:00:00",
    )
    found = cells(built)
    assert [week for _, week in found] == list(range(1, 13))
    assert [week for (_, week), cell in found.items() if cell[2]] == weeks
    assert [cell[3] for cell in found.values()] == [
        1 if week in weeks else 0 for week in range(1, 13)
    ]


def test_events_of_one_long_session_retain_nobody(marts):
    built = marts(of_users(("a", 0, "Journey Started"), ("a", 8, "bus_search")))
    assert cells(built)[date(2026, 1, 12), 2] == (1, 1, 0, 0)


@pytest.mark.parametrize(
    ("as_of", "eligible"),
    [
        ("2026-01-19 23:59:59", 0),
        ("2026-01-20 00:00:00", 1),
        ("2026-01-26 23:59:59", 1),
        ("2026-01-27 00:00:00", 2),
    ],
)
def test_a_week_is_eligible_when_it_lies_wholly_before_the_date_of_as_of(marts, as_of, eligible):
    built = marts(of_users(("a", 1, "Journey Started")), as_of=as_of)
    assert [cell[1] for cell in cells(built).values()] == [1] * eligible + [0] * (12 - eligible)


def test_the_date_of_as_of_is_in_the_reporting_timezone(marts):
    visits = of_users(("a", 0, "Journey Started"))
    built = marts(visits, as_of="2026-01-18 18:30:00", reporting_timezone="Asia/Kolkata")
    assert cells(built)[date(2026, 1, 12), 1] == (1, 1, 1, 1)


def test_a_cell_is_mature_when_all_its_users_are_eligible(marts):
    visits = of_users(
        ("a", 0, "Journey Started"),
        ("a", 8, "Journey Started"),
        ("b", 3, "Journey Started"),
        ("b", 10.4, "Journey Started"),
        ("c", 0, "Journey Started"),
    )
    built = marts(visits, as_of="2026-01-26 12:00:00", retention_weeks=3)
    assert cells(built) == {
        (date(2026, 1, 12), 1): (3, 3, 3, 1),
        (date(2026, 1, 12), 2): (3, 2, 1, None),
        (date(2026, 1, 12), 3): (3, 0, 0, None),
    }


def test_every_cohort_has_all_its_weeks(marts):
    visits = of_users(("a", 0, "Journey Started"), ("b", 7, "Journey Started"))
    built = marts(visits, retention_weeks=2)
    weeks = [(date(2026, 1, 12), 1), (date(2026, 1, 12), 2)]
    assert list(cells(built)) == [*weeks, (date(2026, 1, 19), 1), (date(2026, 1, 19), 2)]


def test_cohorts_are_for_all_and_for_each_starter_of_the_first_session(marts):
    visits = of_users(
        ("a", 0, "Session Started"),
        ("a", 0.00001, "App Installed"),
        ("a", 1, "User Login"),
        ("b", 2, "bus_search"),
        ("b", 3, "Session Started"),
    )
    built = marts(visits, retention_weeks=1)
    week = (date(2026, 1, 12), 1)
    starters = {row["starter_event_name"] for row in built["fct_retention_weekly"]}
    assert {starter: cells(built, starter) for starter in starters} == {
        "(all)": {week: (2, 2, 2, 1)},
        "Session Started": {week: (1, 1, 1, 1)},
        "App Installed": {week: (1, 1, 1, 1)},
    }


# --- return: by session --------------------------------------------------------------------------


def returns(built, starter="(all)"):
    """{bracket: (sessions, eligible, returned, rate)} of a starter."""
    return {
        row["bracket"]: (
            row["count_sessions"],
            row["count_eligible"],
            row["count_returned"],
            row["return_rate"],
        )
        for row in built["fct_return_by_starter"]
        if row["starter_event_name"] == starter
    }


@pytest.mark.parametrize(
    ("days", "bracket"),
    [
        (0.49, "same_day"),  # 23:45
        (0.5, "next_day"),  # 00:00 of the next day
        (1.49, "next_day"),
        (1.5, "days_2_7"),
        (7.49, "days_2_7"),
        (7.5, "days_8_14"),
        (14.49, "days_8_14"),
        (14.5, None),
    ],
)
def test_a_return_is_in_the_bracket_of_its_date(marts, days, bracket):
    built = marts(of_users(("a", 0, "Session Started"), ("a", days, "User Login")))
    assert returns(built, "Session Started") == {
        name: (1, 1, 1, 1) if name == bracket else (1, 1, 0, 0) for name in oracle.BRACKETS
    }


@pytest.mark.parametrize(
    ("as_of", "eligible"),
    [
        ("2026-01-12 23:59:59", []),
        ("2026-01-13 00:00:00", ["same_day"]),
        ("2026-01-13 23:59:59", ["same_day"]),
        ("2026-01-14 00:00:00", ["same_day", "next_day"]),
        ("2026-01-19 23:59:59", ["same_day", "next_day"]),
        ("2026-01-20 00:00:00", ["same_day", "next_day", "days_2_7"]),
        ("2026-01-26 23:59:59", ["same_day", "next_day", "days_2_7"]),
        ("2026-01-27 00:00:00", ["same_day", "next_day", "days_2_7", "days_8_14"]),
    ],
)
def test_a_bracket_is_eligible_when_it_lies_wholly_before_the_date_of_as_of(marts, as_of, eligible):
    built = marts(of_users(("a", 0, "Session Started")), as_of=as_of)
    assert returns(built) == {
        name: (1, 1, 0, 0) if name in eligible else (1, 0, 0, None) for name in oracle.BRACKETS
    }


def test_a_return_in_a_bracket_that_is_not_over_is_not_counted(marts):
    visits = of_users(("a", 0, "Session Started"), ("a", 2, "Session Started"))
    found = returns(marts(visits, as_of="2026-01-14 12:20:00"))
    # the second session is open and counts too; of the first only the same and next day are over
    assert found == {
        "same_day": (2, 1, 0, 0),
        "next_day": (2, 1, 0, 0),
        "days_2_7": (2, 0, 0, None),
        "days_8_14": (2, 0, 0, None),
    }


def test_only_a_later_session_of_the_same_user_is_a_return(marts):
    built = marts(
        of_users(
            ("a", 0, "Session Started"),
            ("a", 0.1, "User Login"),
            ("a", 0.2, "User Login"),
            ("b", 0.1, "Session Started"),
        )
    )
    # a's first has two later ones and counts once, a's second has one, a's third and b's none
    assert returns(built)["same_day"] == (4, 4, 2, 0.5)
    assert returns(built, "Session Started")["same_day"] == (2, 2, 1, 0.5)
    assert returns(built, "User Login")["same_day"] == (2, 2, 1, 0.5)


def test_later_is_by_the_order_of_the_sessions_even_at_one_time(marts):
    built = marts([(0, "Session Started"), (0, "User Login")], starter_join_seconds=None)
    assert returns(built, "Session Started")["same_day"] == (1, 1, 1, 1)
    assert returns(built, "User Login")["same_day"] == (1, 1, 0, 0)


def test_the_dates_of_a_return_are_those_of_the_starts_in_the_reporting_timezone(marts):
    # in Kolkata 17:30 of the 12th, and 00:06 of the 13th; as_of is the 14th there, the 13th in UTC
    visits = of_users(
        ("a", 0, "Session Started"), ("a", 0.275, "User Login"), ("b", 0, "Session Started")
    )
    built = marts(visits, reporting_timezone="Asia/Kolkata", as_of="2026-01-13 18:30:00")
    assert returns(built, "Session Started") == {
        "same_day": (2, 2, 0, 0),
        "next_day": (2, 2, 1, 0.5),
        "days_2_7": (2, 0, 0, None),
        "days_8_14": (2, 0, 0, None),
    }
    assert returns(built, "User Login")["next_day"] == (1, 0, 0, None)


def test_a_session_of_two_starters_is_in_both_and_an_unmarked_one_in_all_alone(marts):
    built = marts(
        of_users(
            ("a", 0, "bus_search"), ("a", 1, "Session Started"), ("a", 1.00001, "App Installed")
        )
    )
    assert {row["starter_event_name"] for row in built["fct_return_by_starter"]} == {
        "(all)",
        "Session Started",
        "App Installed",
    }
    assert returns(built)["next_day"] == (2, 2, 1, 0.5)
    for starter in ("Session Started", "App Installed"):
        assert returns(built, starter)["next_day"] == (1, 1, 0, 0)


def test_where_there_are_no_sessions_there_are_no_returns_lines_or_comparisons(marts):
    built = marts([(0, "Push Failure")])
    for name in ("fct_return_by_starter", "fct_user_timeline", "fct_type_comparisons"):
        assert built[name] == []


# --- timeline ------------------------------------------------------------------------------------


def gaps(built, user="a"):
    """(row number, first day, last day, what happened) of each gap of a user."""
    return [
        (row["row_number"], row["started_at"], row["ended_at"], row["ambient_summary"])
        for row in built["fct_user_timeline"]
        if (row["user_id"], row["row_kind"]) == (user, "gap")
    ]


def january(day):
    return datetime(2026, 1, day)


def test_a_timeline_by_hand(marts):
    built = marts(
        of_users(
            ("a", 0, "Session Started"),
            ("a", 0.001, "bus_search"),
            ("a", 0.25, "User Login"),
            ("a", 2, "Push Failure"),
            ("a", 4, "Session Started"),
        ),
        as_of="2026-01-17 12:00:00",
    )
    lines = [tuple(row.values()) for row in built["fct_user_timeline"]]
    noon, evening, fifth = NOON, NOON + timedelta(hours=6), NOON + timedelta(days=4)
    search = NOON + timedelta(seconds=86.4)
    left, dropped = "Left before Search", "Dropped at Search"
    ids = [session["session_id"] for session in built["fct_sessions"]]
    nothing = (None,) * 6
    assert list(built["fct_user_timeline"][0]) == [
        "user_id",
        "row_number",
        "row_kind",
        "started_at",
        "ended_at",
        "session_id",
        "starter_path",
        "outcome",
        "result",
        "count_events",
        "duration_seconds",
        "ambient_summary",
    ]
    first = (noon, search, ids[0], "Session Started", "dropped", dropped, 2, 86.4, None)
    second = (evening, evening, ids[1], "User Login", "dropped", left, 1, 0, None)
    third = (fifth, fifth, ids[2], "Session Started", "dropped", left, 1, 0, None)
    assert lines == [
        ("a", 1, "session", *first),
        ("a", 2, "session", *second),
        ("a", 3, "gap", january(13), january(15), *nothing, "1 Push Failure"),
        ("a", 4, "session", *third),
    ]


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (0.4, []),
        (1.49, []),  # 23:45 of the next day
        (1.5, [(2, january(13), january(13), None)]),
        (3, [(2, january(13), january(14), None)]),
    ],
)
def test_a_gap_is_whole_days_between_two_sessions(marts, days, expected):
    visits = of_users(("a", 0, "Session Started"), ("a", days, "Session Started"))
    as_of = (NOON + timedelta(days=days, hours=1)).isoformat()
    assert gaps(marts(visits, as_of=as_of)) == expected


def test_a_day_that_a_session_covers_in_part_is_not_without_one(marts):
    visits = of_users(
        ("a", 0, "Session Started"),
        ("a", 2.5, "bus_search"),  # the first session ends at 00:00 of the 15th
        ("a", 4, "Session Started"),
    )
    built = marts(visits, as_of="2026-01-16 13:00:00")
    assert gaps(built) == []
    assert len(built["fct_user_timeline"]) == 2


@pytest.mark.parametrize(
    ("as_of", "last"),
    [
        ("2026-01-12 23:59:59", None),
        ("2026-01-13 23:59:59", None),
        ("2026-01-14 00:00:00", january(13)),
        ("2026-01-14 23:59:59", january(13)),
        ("2026-01-15 00:00:00", january(14)),
    ],
)
def test_the_last_gap_goes_up_to_the_day_before_as_of(marts, as_of, last):
    built = marts(of_users(("a", 0, "Session Started")), as_of=as_of)
    assert gaps(built) == ([(2, january(13), last, None)] if last else [])


def test_a_gap_tells_what_happened_without_the_person(marts):
    built = marts(
        of_users(
            ("a", 0, "Session Started"),
            ("a", 0.49, "Push Failure"),  # on the day of the session: in no gap
            ("a", 0.5, "sms_failed"),  # 00:00 of the gap's first day
            *[("a", 1 + number / 10, "Push Failure") for number in range(5)],
            ("a", 3.49, "Wallet"),  # 23:45 of its last
            ("a", 3.5, "Push Failure"),
            ("a", 4, "Session Started"),
            ("b", 2, "Push Failure"),  # a user without a session
            ("c", 4, "Session Started"),
            ("c", 2, "Push Failure"),  # before the first session: in no gap
        ),
        as_of="2026-01-18 12:00:00",
    )
    told = "5 Push Failures, 1 SMS failure, 1 alert"  # S comes before a as bytes
    assert gaps(built) == [
        (2, january(13), january(15), told),
        (4, january(17), january(17), None),
    ]
    assert gaps(built, "b") == []
    assert gaps(built, "c") == [(2, january(17), january(17), None)]
    assert {row["user_id"] for row in built["fct_user_timeline"]} == {"a", "c"}


def test_names_of_one_label_are_counted_together_and_more_comes_first(marts):
    built = marts(
        of_users(
            ("a", 0, "Session Started"),
            ("a", 1, "Push Failure"),
            ("a", 1, "Wallet"),
            ("a", 1, "Purse"),
        ),
        as_of="2026-01-14 12:00:00",
    )
    assert gaps(built) == [(2, january(13), january(13), "2 alerts, 1 Push Failure")]


def test_the_days_of_a_gap_are_in_the_reporting_timezone(marts):
    built = marts(
        of_users(
            ("a", 0, "Session Started"),
            ("a", 0.27, "Push Failure"),  # 23:58 of the 12th in Kolkata
            ("a", 0.28, "Push Failure"),  # 00:13 of the 13th
            ("a", 2.27, "sms_failed"),  # 23:58 of the 14th
            ("a", 2.28, "Session Started"),  # 00:13 of the 15th
        ),
        reporting_timezone="Asia/Kolkata",
        as_of="2026-01-15 12:00:00",
    )
    first, last = datetime(2026, 1, 12, 18, 30), datetime(2026, 1, 13, 18, 30)
    assert gaps(built) == [(2, first, last, "1 Push Failure, 1 SMS failure")]


@pytest.mark.parametrize(
    ("zone", "day", "midnight"),
    [
        ("UTC", date(2026, 3, 29), datetime(2026, 3, 29)),
        ("Europe/Berlin", date(2026, 3, 29), datetime(2026, 3, 28, 23)),
        ("Europe/Berlin", date(2026, 3, 30), datetime(2026, 3, 29, 22)),
        ("America/Havana", date(2026, 3, 8), datetime(2026, 3, 8, 5)),  # no 00:00: that is 01:00
        ("America/Havana", date(2026, 11, 1), datetime(2026, 11, 1, 4)),  # 00:00 twice: the first
    ],
)
def test_a_day_begins_at_the_midnight_of_its_zone(zone, day, midnight):
    assert oracle.local_midnight(day, {"reporting_timezone": zone}) == midnight


# --- comparison ----------------------------------------------------------------------------------

A, B = "Session Started", "User Login"


def visits_of(starter, *counts_by_user):
    """Sessions of (user, events in each of its sessions); the events of one lie at one time."""
    first = 0 if starter == A else 7
    return [
        {"user_id": user, "event_time": at((first + number) * DAY), "event_name": name}
        for user, counts in counts_by_user
        for number, count in enumerate(counts)
        for name in [starter, *["otp"] * (count - 1)]
    ]


def compared(built, metric, starter_a=A, starter_b=B):
    (row,) = [
        row
        for row in built["fct_type_comparisons"]
        if (row["starter_a"], row["starter_b"], row["metric"]) == (starter_a, starter_b, metric)
    ]
    return row


def inference(row):
    return [row[name] for name in ("difference", "difference_low", "difference_high", "p_value")]


# With one degree of freedom t reaches tan(0.475 pi) and p is 2/pi atan(se / d).
T_OF_ONE = 12.706204736


def p_of_one(score):
    return 2 / math.pi * math.atan(1 / score)


def test_two_users_a_side_are_two_clusters_not_four_sessions(marts):
    built = marts(
        [*visits_of(A, ("a", [1, 1]), ("b", [3, 3])), *visits_of(B, ("c", [4, 4]), ("d", [6, 6]))]
    )
    row = compared(built, "avg_events")
    assert (row["count_sessions_a"], row["count_sessions_b"]) == (4, 4)
    assert (row["count_users_a"], row["count_users_b"]) == (2, 2)
    assert (row["value_a"], row["value_b"]) == (2, 5)
    # residuals of users -2, 2 on both: 2/1 * 8 / 4^2 = 1 a side, together 2; pooled the same
    reach = T_OF_ONE * 2**0.5
    assert inference(row) == pytest.approx([3, 3 - reach, 3 + reach, p_of_one(3 / 2**0.5)])
    assert (row["p_value_adjusted"], row["verdict"]) == (None, None)


def test_users_on_both_sides_are_compared_with_themselves(marts):
    built = marts(
        [*visits_of(A, ("a", [1, 1]), ("b", [3, 3])), *visits_of(B, ("a", [4, 4]), ("b", [6, 6]))]
    )
    # 1 + 1 - 2 * (-2 * -2 + 2 * 2) / (4 * 4) = 1
    found = inference(compared(built, "avg_events"))
    assert found == pytest.approx([3, 3 - T_OF_ONE, 3 + T_OF_ONE, p_of_one(3)])


@pytest.mark.parametrize(("count_of_b", "variance"), [(1, 2), (2, 1), (4, 1)])
def test_a_side_that_seems_sure_does_not_count_as_surer_than_both_together(
    marts, count_of_b, variance
):
    built = marts(
        [
            *visits_of(A, ("a", [1, 1]), ("b", [3, 3])),
            *visits_of(B, ("c", [5] * count_of_b), ("d", [5] * count_of_b)),
        ]
    )
    # own: 1 + 0. Pooled, with n sessions of b: 16 / (4 + n) * (1/4 + 1/n) = 4 / n = 2, 1, 0.5
    found = inference(compared(built, "avg_events"))
    reach = T_OF_ONE * variance**0.5
    assert found == pytest.approx([3, 3 - reach, 3 + reach, p_of_one(3 / variance**0.5)])


def test_one_user_on_a_side_gives_values_and_a_difference_alone(marts):
    built = marts([*visits_of(A, ("a", [1, 2])), *visits_of(B, ("c", [4]), ("d", [6]))])
    row = compared(built, "avg_events")
    assert inference(row) == [3.5, None, None, None]
    assert inference(compared(built, "conversion_rate")) == [0, None, None, None]


def test_without_any_spread_there_is_nothing_to_test_but_equality(marts):
    built = marts([*visits_of(A, ("a", [1]), ("b", [1])), *visits_of(B, ("c", [4]), ("d", [4]))])
    assert inference(compared(built, "avg_events")) == [3, None, None, None]
    assert inference(compared(built, "avg_duration_seconds")) == [0, 0, 0, 1]


def test_a_session_of_two_starters_is_on_both_sides(marts):
    built = marts([(0, A), (1, "App Installed"), (500, B)])
    row = compared(built, "avg_events", A, "App Installed")
    assert (row["count_sessions_a"], row["count_sessions_b"], row["difference"]) == (1, 1, 0)
    assert len(built["fct_type_comparisons"]) == 6 * 5


def test_unmarked_sessions_and_one_starter_alone_are_compared_with_nothing(marts):
    assert marts([(0, "bus_search"), (500, A)])["fct_type_comparisons"] == []


def test_open_sessions_are_on_no_side(marts):
    built = marts([(0, A), (500, B)], as_of=at(501))
    row = compared(built, "conversion_rate")
    assert (row["count_sessions_a"], row["count_users_a"], row["value_a"]) == (1, 1, 0)
    assert (row["count_sessions_b"], row["count_users_b"], row["value_b"]) == (0, 0, None)
    assert inference(row) == [None] * 4
    assert compared(built, "top_drop_off")["text_b"] is None


def bookings(starter, count, prefix):
    """As many users with one session each, all of which convert."""
    names = [starter, "bus_search", "select_seat", "payment_success"]
    return [
        {"user_id": f"{prefix}{number}", "event_time": at(0), "event_name": name}
        for number in range(count)
        for name in names
    ]


def looks(starter, count, prefix):
    """As many users with one session each of one event, none of which converts."""
    return visits_of(starter, *[(f"{prefix}{number}", [1]) for number in range(count)])


# 0 of 30 against 30 of 30. A success and a failure are added: 1/32 and 31/32. Residuals of a side:
# 30 of 1/32 and two of 31/32 and 1/32, squared 992/1024; times 32/31 that is 1; over 32^2. So the
# variance is 2/32^2, d 30/32, and t is 15 sqrt 2 with 29 degrees of freedom.
P_OF_30 = 2 * scipy.stats.t.sf(15 * 2**0.5, 29)
REACH_OF_30 = 2.045229642 * 2**0.5 / 32


def test_rates_of_30_by_hand(marts):
    built = marts([*looks(A, 30, "a"), *bookings(B, 30, "b")])
    converted, bounced = compared(built, "conversion_rate"), compared(built, "bounce_rate")
    assert (converted["value_a"], converted["value_b"]) == (0, 1)
    low, high = 30 / 32 - REACH_OF_30, 30 / 32 + REACH_OF_30
    assert inference(converted) == pytest.approx([1, low, high, P_OF_30], rel=1e-6, abs=0)
    assert inference(bounced) == pytest.approx([-1, -high, -low, P_OF_30], rel=1e-6, abs=0)
    # three p-values are judged (events have no spread): two alike, and 1 of the durations
    assert converted["p_value_adjusted"] == pytest.approx(1.5 * P_OF_30, rel=1e-6, abs=0)
    assert bounced["p_value_adjusted"] == pytest.approx(1.5 * P_OF_30, rel=1e-6, abs=0)
    duration, events = compared(built, "avg_duration_seconds"), compared(built, "avg_events")
    assert (duration["p_value_adjusted"], duration["verdict"]) == (1, "no clear difference")
    assert (events["difference"], events["p_value_adjusted"], events["verdict"]) == (3, None, None)
    assert (converted["verdict"], bounced["verdict"]) == ("better", "better")
    for metric in ("conversion_rate", "bounce_rate"):
        assert compared(built, metric, B, A)["verdict"] == "worse"


def test_none_of_30_is_not_known_to_be_none(marts):
    row = compared(marts([*looks(A, 30, "a"), *looks(B, 30, "b")]), "conversion_rate")
    assert inference(row) == pytest.approx([0, -REACH_OF_30, REACH_OF_30, 1])
    assert row["verdict"] == "no clear difference"


@pytest.mark.parametrize(
    ("count_a", "count_b", "given_vars", "is_judged"),
    [
        (29, 30, {}, False),
        (30, 29, {}, False),
        (29, 29, {}, False),
        (30, 30, {}, True),
        (29, 30, {"min_comparison_sessions": 29}, True),
        (30, 31, {"min_comparison_sessions": 31}, False),
    ],
)
def test_below_30_sessions_on_a_side_there_is_no_verdict(
    marts, count_a, count_b, given_vars, is_judged
):
    built = marts([*looks(A, count_a, "a"), *bookings(B, count_b, "b")], **given_vars)
    for row in (compared(built, "conversion_rate"), compared(built, "conversion_rate", B, A)):
        assert row["p_value"] < 0.001
        assert (row["verdict"] is not None) is is_judged
        assert (row["p_value_adjusted"] is not None) is is_judged


def test_it_is_sessions_that_are_30_not_users(marts):
    halves = [(f"a{number}", [1, 1]) for number in range(15)]
    built = marts([*visits_of(A, *halves), *bookings(B, 30, "b")])
    row = compared(built, "conversion_rate")
    assert (row["count_sessions_a"], row["count_users_a"]) == (30, 15)
    assert row["verdict"] == "better"


def test_p_values_below_30_sessions_are_not_among_those_adjusted_for(marts):
    events = [*looks(A, 30, "a"), *bookings(B, 30, "b"), *looks("App Installed", 29, "c")]
    built = marts(events)
    adjusted = compared(built, "conversion_rate")["p_value_adjusted"]
    assert adjusted == pytest.approx(1.5 * P_OF_30, rel=1e-6, abs=0)
    row = compared(built, "conversion_rate", "App Installed", B)
    assert row["p_value"] < 0.001
    assert (row["p_value_adjusted"], row["verdict"]) == (None, None)


@pytest.mark.parametrize(
    ("metric", "difference", "p_value", "expected"),
    [
        ("conversion_rate", 0.1, 0.0499, "better"),
        ("conversion_rate", -0.1, 0.0499, "worse"),
        ("bounce_rate", 0.1, 0.0499, "worse"),
        ("bounce_rate", -0.1, 0.0499, "better"),
        ("avg_events", 0.1, 0.0499, "higher"),
        ("avg_duration_seconds", -0.1, 0.0499, "lower"),
        ("conversion_rate", 0.1, 0.05, "no clear difference"),
        ("avg_events", 0.1, None, None),
    ],
)
def test_better_and_worse_are_marked_only_where_significant(metric, difference, p_value, expected):
    row = {"metric": metric, "difference": difference, "p_value_adjusted": p_value}
    assert oracle.verdict(row) == expected


def test_the_row_the_other_way_round_is_the_mirror(marts):
    built = marts(
        [*visits_of(A, ("a", [1, 1]), ("b", [3])), *visits_of(B, ("c", [4, 4, 4]), ("d", [9]))]
    )
    for metric in [*oracle.METRICS, "top_drop_off"]:
        row, mirror = compared(built, metric), compared(built, metric, B, A)
        for name in ("count_sessions", "count_users", "value", "text"):
            assert (row[f"{name}_a"], row[f"{name}_b"]) == (
                mirror[f"{name}_b"],
                mirror[f"{name}_a"],
            )
        assert row["p_value"] == mirror["p_value"]
        if metric != "top_drop_off":
            assert row["difference"] == -mirror["difference"]
            assert row["difference_low"] == -mirror["difference_high"]
            assert row["difference_high"] == -mirror["difference_low"]


def test_an_interval_is_widened_to_contain_the_difference():
    # each side 4 / 2^2 = 1, together 2, of d = 3
    side_a = {"users": {"a": 0, "b": 0}, "mean": 0, "weight": 2, "squares": 4}
    side_b = {"users": {"c": 0, "d": 0}, "mean": 3, "weight": 2, "squares": 4}
    side_a["residuals"] = side_b["residuals"] = {}
    reach = T_OF_ONE * 2**0.5
    for difference, low, high in [
        (3, 3 - reach, 3 + reach),
        (99, 3 - reach, 99),
        (-99, -99, 3 + reach),
    ]:
        found = oracle.tested(side_a, side_b, difference)
        assert found == pytest.approx((low, high, p_of_one(3 / 2**0.5)))


@pytest.mark.parametrize(
    ("last_names", "expected"),
    [
        (["otp", "select_seat", "select_seat"], "select_seat"),
        (["otp", "select_seat"], "otp"),
        (["alpha", "Zulu"], "Zulu"),  # Z comes before a as bytes
        (["DeviceInfo", "DeviceInfo", "otp"], "otp"),
        (["payment_success", "payment_success", "otp"], "otp"),  # never searched: not converted
        (["ticket_view", "ticket_view", "otp"], "otp"),
        (["DeviceInfo", "payment_success"], None),
        ([A, A, "otp"], A),
    ],
)
def test_the_top_drop_off_is_the_end_of_most_dropped_sessions_that_is_no_likely_exit(
    marts, last_names, expected
):
    events = [(10_000, B), (10_001, "bus_search")]
    for number, name in enumerate(last_names):
        events += [(number * 1000, A)] + ([(number * 1000 + 1, name)] if name != A else [])
    row = compared(marts(events), "top_drop_off")
    assert (row["text_a"], row["text_b"]) == (expected, "bus_search")
    assert (row["count_sessions_a"], row["count_sessions_b"]) == (len(last_names), 1)
    for name in ("value_a", "value_b", "p_value", "p_value_adjusted", "verdict"):
        assert row[name] is None
    assert inference(row) == [None] * 4


def test_a_converted_session_is_no_drop_off_whatever_it_ends_on(marts):
    booked = [A, "bus_search", "select_seat", "payment_success", "select_seat"]
    events = [*enumerate(booked), (1000, A), (1001, "otp"), (10_000, B)]
    row = compared(marts(events), "top_drop_off")
    assert (row["text_a"], row["text_b"]) == ("otp", B)


# --- users ---------------------------------------------------------------------------------------


def test_a_user_of_ambient_events_only_is_a_user_without_sessions(marts):
    (user,) = marts([(0, "Push Failure")])["dim_users"]
    assert user == {
        "user_id": "u",
        "first_seen_at": NOON,
        "first_starter": None,
        "count_sessions": 0,
        "is_converted": False,
    }


# --- staging -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-12T12:00:00Z", NOON),
        ("2026-01-12 12:00:00", NOON),
        ("2026-01-12T17:30:00+05:30", NOON),
        ("2026-01-12T07:00:00-0500", NOON),
        ("2026-01-12T12:00", NOON),
        ("2026-01-12", NOON.replace(hour=0)),
        ("2026-01-12T12:00:00.123456999Z", NOON + timedelta(microseconds=123456)),
        ("2026-01-12T12:00:00.5Z", NOON + timedelta(microseconds=500000)),
        ("1768219200000", NOON),
        (1768219200000, NOON),
        (1768219200000.0, NOON),
        (1768219200000.5, None),
        (True, None),
        ("epoch", None),
        ("infinity", None),
        ("2026-02-30", None),
        ("soon", None),
        ("-5", None),
        ("", None),
        (None, None),
        ("99999999999999999", oracle.END_OF_TIME),
    ],
)
def test_what_is_a_time(text, expected):
    assert oracle.parse_time(text) == expected


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"event_id": None, "user_id": ""}, "missing_event_id"),
        ({"user_id": " \t", "event_name": None}, "missing_user_id"),
        ({"event_name": "", "event_time": "soon"}, "missing_event_name"),
        ({"event_time": None}, "bad_event_time"),
        ({"event_time": "1999-12-31T23:59:59.999999Z"}, "bad_event_time"),
        ({"event_time": "2000-01-01T00:00:00Z", "received_at": None}, None),
        ({"received_at": at(-300)}, None),
        ({"received_at": at(-300.000001)}, "time_in_future"),
        ({"event_time": LATER}, None),
        ({"event_time": "2026-02-16 12:05:01"}, "time_in_future"),
        ({"event_time": "2026-02-16 12:05:01", "received_at": "2026-02-16 12:05:00"}, None),
        (
            {"event_time": "2026-02-16 12:05:01", "received_at": "2026-02-16 12:05:01"},
            "time_in_future",
        ),
        ({"user_id": " u "}, None),
        ({"user_id": 7}, None),
    ],
)
def test_one_reason_the_first_that_applies(marts, change, reason):
    built = marts([{"event_time": at(0), "event_name": "otp", **change}])
    assert reasons(built) == ([reason] if reason else [])
    assert len(built["staged"]) == (0 if reason else 1)


def test_values_are_kept_as_they_are(marts):
    (event,) = marts([{"event_time": at(0), "event_name": " otp", "user_id": 7}])["staged"]
    assert (event["event_name"], event["user_id"], event["event_role"]) == (" otp", "7", "step")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"received_at": at(5), "city": "B"}, {"received_at": at(6), "city": "A"}),
        ({"event_time": at(4)}, {"event_time": at(5)}),
        ({"user_id": "U"}, {"user_id": "u"}),
        ({"platform": "ios", "city": "Z"}, {"platform": None, "city": "A"}),
        ({"city": "A"}, {"city": "a"}),
    ],
)
def test_the_copy_received_first_stays_then_the_smallest_null_last(marts, first, second):
    whole = {"event_id": "x", "event_time": at(0), "event_name": "otp", "received_at": at(5)}
    built = marts([{**whole, **second}, {**whole, **first}])
    (kept,) = built["staged"]
    assert reasons(built) == ["duplicate_event_id"]
    shown = oracle.parse_time(first.get("event_time")) or NOON
    assert kept["event_time"] == shown
    assert all(
        kept[name] == first[name] for name in first if name not in ("event_time", "received_at")
    )


def test_a_rejected_copy_takes_no_place(marts):
    built = marts(
        [
            {"event_id": "x", "event_time": "soon", "event_name": "otp"},
            {"event_id": "x", "event_time": at(0), "event_name": "otp"},
        ]
    )
    assert (reasons(built), len(built["staged"])) == (["bad_event_time"], 1)


def test_formats_columns_and_types_may_differ(tmp_path, settings_folder):
    folder = tmp_path / "events"
    folder.mkdir()
    (folder / "a.csv").write_text(
        "id,user_id,event_name,event_time,platform\n"
        '1,7,"a, b",1768219200000,\n2,7\n\n,7,otp,2026-01-12,x\n'
    )
    (folder / "b.ndjson.gz").write_bytes(
        gzip.compress(
            b'{"id": 2, "user_id": 7, "event_name": "otp", "event_time": 1}\n[]\n \n\xff\n'
        )
    )
    table = pyarrow.table(
        {
            "id": ["3"],
            "user_id": [7],
            "event_name": ["otp"],
            "event_time": pyarrow.array([1768219200000000999]).cast(pyarrow.timestamp("ns")),
        }
    )
    pyarrow.parquet.write_table(table, folder / "c.parquet")
    given_vars = {"event_columns": '{"event_id": "id"}', "build_clock": LATER}
    built = oracle.marts(f"{folder}/*", settings_folder, given_vars)
    kept = [
        (event["event_id"], event["event_name"], event["event_time"]) for event in built["staged"]
    ]
    assert kept == [("1", "a, b", NOON), ("3", "otp", NOON)]
    assert sorted(reasons(built)) == [
        "bad_event_time",
        "missing_event_id",
        "unreadable",
        "unreadable",
        "unreadable",
    ]


def test_without_an_id_column_the_id_is_made_from_the_row_without_received_at(
    tmp_path, settings_folder
):
    folder = tmp_path / "events"
    folder.mkdir()
    (folder / "a.csv").write_text(
        "user_id,event_name,event_time,received_at\n"
        "u,otp,2026-01-12 12:00:00,2026-01-12 12:00:01\n"
        "u,otp,2026-01-12 12:00:00,2026-01-12 13:00:01\n"
        "u,login,2026-01-12 12:00:00,2026-01-12 12:00:01\n"
    )
    built = oracle.marts(f"{folder}/*", settings_folder, {"build_clock": LATER})
    assert (len(built["staged"]), reasons(built)) == (2, ["duplicate_event_id"])


def test_data_health_by_hand(marts):
    whole = {"event_time": at(0), "event_name": "otp"}
    built = marts(
        [
            {**whole, "received_at": at(3600)},
            {**whole, "received_at": at(3601), "event_name": "mystery"},
            {**whole, "received_at": at(12 * 3600), "user_id": None},
            {**whole, "event_time": "soon"},
            {**whole, "event_id": None},
        ]
    )
    rows = {row["received_date"]: row for row in built["fct_data_health"]}
    assert set(rows) == {date(2026, 1, 12), date(2026, 1, 13), None}
    first = rows[date(2026, 1, 12)]
    assert (first["count_landed"], first["count_staged"], first["count_missing_event_id"]) == (
        3,
        2,
        1,
    )
    assert (first["share_late"], first["share_unknown_events"]) == (0.5, 0.5)
    assert first["max_lag_seconds"] == 3601
    assert rows[None]["share_late"] is None
    assert rows[None]["count_bad_event_time"] == 1


# --- what holds on any history -------------------------------------------------------------------

SLOW_IS_FINE = hypothesis_settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@SLOW_IS_FINE
@given(history=histories.histories())
def test_the_whole_warehouse_checks_hold_on_any_history(tmp_path_factory, history):
    folder = tmp_path_factory.mktemp("history")
    landing_glob, settings_folder, given_vars = oracle.write_landing(history, folder)
    built = oracle.marts(landing_glob, settings_folder, given_vars)
    landed = sum(len(file["rows"]) for file in oracle.read_landing(landing_glob))
    assert landed == len(built["staged"]) + len(built["rejected"])
    assert landed == sum(row["count_landed"] for row in built["fct_data_health"])
    in_sessions = sorted(event["event_id"] for event in built["fct_session_events"])
    not_ambient = [event for event in built["staged"] if event["event_role"] != "ambient"]
    assert in_sessions == sorted(event["event_id"] for event in not_ambient)
    sessions = built["fct_sessions"]
    assert len({session["session_id"] for session in sessions}) == len(sessions)
    assert len(sessions) == sum(row["count_sessions"] for row in built["fct_overview_daily"])
    marked = sum(row["count_sessions"] for row in built["fct_session_types"])
    assert marked == len(built["fct_session_starters"])
    reached = {}
    for row in built["fct_funnel_stages"]:
        key = (row["funnel"], row["starter_event_name"])
        assert row["count_sessions"] <= reached.get(key, len(sessions))
        reached[key] = row["count_sessions"]
    assert_edges_reconcile(built)
    for row in built["fct_retention_weekly"]:
        assert row["count_retained"] <= row["count_eligible"] <= row["count_cohort"]
        assert row["week_number"] > 1 or row["count_retained"] == row["count_eligible"]
    for row in built["fct_return_by_starter"]:
        assert row["count_returned"] <= row["count_eligible"] <= row["count_sessions"]
        assert (row["return_rate"] is None) is (row["count_eligible"] == 0)
    assert_timelines_tell_every_session(built)
    assert_comparisons_mirror(built)


def assert_timelines_tell_every_session(built):
    """The session lines are the sessions; lines are numbered, in order, and no two gaps touch."""
    lines = built["fct_user_timeline"]
    told = sorted(line["session_id"] for line in lines if line["row_kind"] == "session")
    assert told == sorted(session["session_id"] for session in built["fct_sessions"])
    for of_user in oracle.grouped(lines, "user_id").values():
        assert [line["row_number"] for line in of_user] == list(range(1, len(of_user) + 1))
        assert of_user[0]["row_kind"] == "session"
        for line, later in itertools.pairwise(of_user):
            assert line["started_at"] <= line["ended_at"] <= later["started_at"]
            assert "session" in (line["row_kind"], later["row_kind"])


def assert_comparisons_mirror(built):
    """Each pair both ways, in all metrics; an interval holds its difference."""
    rows = built["fct_type_comparisons"]
    by_key = {(row["starter_a"], row["starter_b"], row["metric"]): row for row in rows}
    count_starters = len(built["fct_session_types"])
    assert len(by_key) == len(rows) == count_starters * (count_starters - 1) * 5
    for (starter_a, starter_b, metric), row in by_key.items():
        mirror = by_key[starter_b, starter_a, metric]
        assert (row["value_a"], row["text_a"]) == (mirror["value_b"], mirror["text_b"])
        assert row["p_value_adjusted"] == mirror["p_value_adjusted"]
        if row["difference_low"] is not None:
            assert row["difference_low"] <= row["difference"] <= row["difference_high"]
            assert row["difference_low"] == -mirror["difference_high"]


def assert_edges_reconcile(built):
    """Into a node at a step = out of it at the next; step 1 sums to the sessions."""
    into, out_of, at_step_1 = {}, {}, {}
    for row in built["fct_journey_edges"]:
        starter, step, count = row["starter_event_name"], row["step_number"], row["count_sessions"]
        if step == 1:
            at_step_1[starter] = at_step_1.get(starter, 0) + count
        else:
            source = (starter, step, row["source_event"], row["source_kind"])
            out_of[source] = out_of.get(source, 0) + count
        if row["target_kind"] == "event":
            target = (starter, step + 1, row["target_event"], "event")
            into[target] = into.get(target, 0) + count
    assert into == out_of
    sessions = {
        row["starter_event_name"]: row["count_sessions"] for row in built["fct_session_types"]
    }
    if built["fct_sessions"]:
        sessions["(all)"] = len(built["fct_sessions"])
    unmarked = [row for row in built["fct_sessions"] if row["lead_starter"] is None]
    if unmarked:
        sessions["(unmarked)"] = len(unmarked)
    assert at_step_1 == sessions


@SLOW_IS_FINE
@given(history=histories.histories())
def test_files_and_rows_in_another_order_give_the_same_marts(tmp_path_factory, history):
    first = oracle.marts(*oracle.write_landing(history, tmp_path_factory.mktemp("first")))
    shuffler = random.Random(0)
    for file, number in zip(history.files, reversed(range(len(history.files))), strict=True):
        shuffler.shuffle(file.rows)
        file.name = f"shuffled-{number}." + file.name.split(".", 1)[1]
    second = oracle.marts(*oracle.write_landing(history, tmp_path_factory.mktemp("second")))
    for name in first:
        if name not in ("staged", "rejected"):
            assert sorted(map(repr, first[name])) == sorted(map(repr, second[name])), name
