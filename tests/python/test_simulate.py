"""The figures of the bus app, by a plain loop over its files that knows only the definitions."""

import hashlib
import importlib.util
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "landing" / "simulate.py"
JOURNEY, SESSION, INSTALL = "Journey Started", "Session Started", "App Installed"
LOGIN, PUSH = "User Login", "Push Click"
SPEC_USER = "76a7b5c7-90ca-4875-b998-77f50776b042"
JOIN, TOLERANCE, LATE = timedelta(seconds=60), timedelta(seconds=300), timedelta(seconds=3600)
OPEN, BOUNCE = timedelta(minutes=30), timedelta(seconds=10)
OLDEST = datetime(2000, 1, 1)

SPEC = importlib.util.spec_from_file_location("simulate", SCRIPT)
simulate = sys.modules["simulate"] = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(simulate)

ROLES = pd.read_csv(ROOT / "seeds" / "event_types.csv").set_index("event_name")["role"].to_dict()
STAGES = pd.read_csv(ROOT / "seeds" / "funnel_stages.csv")
ORDERS = STAGES[STAGES.funnel == "booking"].set_index("stage")["stage_order"].to_dict()
BOOKING = STAGES[STAGES.funnel == "booking"].set_index("event_name")["stage_order"].to_dict()
SEATS, BADGES = "limited_seats_notice", "trust_badges"
INTERVENTIONS = {SEATS: "select_seat", BADGES: "payment_page"}
LIKELY_EXITS = {"DeviceInfo", "_user", "payment_success", "ticket_view"}


@dataclass
class Session:
    """One session as the loop finds it."""

    user: str
    starters: list
    events: list  # (event_time, event_id, event_name)
    later: "list[Session]"  # all sessions of the user, in order
    stage: int = 0
    outcome: str = ""

    @property
    def start(self):
        return self.events[0][0]

    @property
    def duration(self):
        return self.events[-1][0] - self.events[0][0]

    @property
    def end_event(self):
        return self.events[-1][2]

    @property
    def bounced(self):
        return self.outcome == "dropped" and self.duration < BOUNCE


@dataclass
class Assignment:
    """One row of the ledger that holds, and the session that was going on."""

    intervention: str
    stage: str
    arm: str
    at: datetime
    received: datetime
    session: Session


@dataclass
class Landed:
    """What one run of the simulator landed, staged and sessionized."""

    folder: Path
    rows: pd.DataFrame
    rejected: Counter
    staged: list  # tuples event_id, user_id, event_name, event_time, received_at
    sessions: list
    as_of: datetime

    def with_starter(self, starter):
        return [s for s in self.sessions if starter in s.starters]

    def closed(self, starter=None):
        sessions = self.with_starter(starter) if starter else self.sessions
        return [s for s in sessions if s.outcome != "open"]


def run(folder, *arguments):
    folders = ["--out", str(folder / "events"), "--truth", str(folder / "truth")]
    simulate.main([*folders, *arguments])


def read_rows(folder):
    files = sorted((folder / "events").glob("*.parquet"))
    return pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)


def is_missing(text):
    return not isinstance(text, str) or not text.strip()


def stage_rows(rows):
    """Reject by the first reason that applies, then keep the copy received first."""
    rejected, kept = Counter(), {}
    columns = [rows[c].tolist() for c in ("event_id", "user_id", "event_name")]
    columns += [pd.DatetimeIndex(rows[c]).to_pydatetime() for c in ("event_time", "received_at")]
    for row in zip(*columns, strict=True):
        event_id, user_id, name, at, received = row
        if is_missing(event_id):
            rejected["missing_event_id"] += 1
        elif is_missing(user_id):
            rejected["missing_user_id"] += 1
        elif is_missing(name):
            rejected["missing_event_name"] += 1
        elif at is pd.NaT or at < OLDEST:
            rejected["bad_event_time"] += 1
        elif at > received + TOLERANCE:
            rejected["time_in_future"] += 1
        elif event_id in kept:
            rejected["duplicate_event_id"] += 1
            kept[event_id] = min(kept[event_id], row, key=lambda copy: copy[4])
        else:
            kept[event_id] = row
    return rejected, list(kept.values())


def sessionize(staged):
    """Walk each user's events in order; a starter opens a session unless it joins the open one."""
    by_user = defaultdict(list)
    for event_id, user, name, at, _ in staged:
        if ROLES.get(name, "step") != "ambient":
            by_user[user].append((at, event_id, name))
    sessions = []
    for user, events in by_user.items():
        mine, nearest = [], None  # nearest earlier starter or step: (time, whether a starter)
        for event in sorted(events):
            at, _, name = event
            role = ROLES.get(name, "step")
            joins = nearest is not None and nearest[1] and at - nearest[0] <= JOIN
            opens = role != "telemetry" and nearest is None
            if not mine or opens or (role == "starter" and not joins):
                assert role == "starter", f"unmarked session of {user}"
                mine.append(Session(user, [], [], mine))
            if role == "starter" and name not in mine[-1].starters:
                mine[-1].starters.append(name)
            mine[-1].events.append(event)
            if role != "telemetry":
                nearest = (at, role == "starter")
        sessions += mine
    return sessions


def furthest_stage(session):
    stage = 0
    for _, _, name in session.events:
        stage += BOOKING.get(name) == stage + 1
    return stage


def reaching_event(session, order):
    """The number of the event that reaches the stage."""
    stage = 0
    for number, (_, _, name) in enumerate(session.events):
        stage += BOOKING.get(name) == stage + 1
        if stage == order:
            return number
    raise AssertionError(f"stage {order} is not reached")


def measure(folder):
    rows = read_rows(folder)
    rejected, staged = stage_rows(rows)
    sessions, as_of = sessionize(staged), max(row[4] for row in staged)
    for session in sessions:
        session.stage = furthest_stage(session)
        is_last = session is session.later[-1]
        active = is_last and as_of - session.events[-1][0] <= OPEN
        session.outcome = "converted" if session.stage >= 8 else "open" if active else "dropped"
    return Landed(folder, rows, rejected, staged, sessions, as_of)


def read_ledger(folder):
    files = sorted((folder / "interventions").glob("*.parquet"))
    return pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)


def stage_assignments(rows):
    """Reject by the first reason that applies, then keep the copy received first."""
    rejected, kept = Counter(), {}
    for row in rows.itertuples():
        if is_missing(row.assignment_id):
            rejected["missing_assignment_id"] += 1
        elif is_missing(row.intervention):
            rejected["missing_intervention"] += 1
        elif is_missing(row.user_id):
            rejected["missing_user_id"] += 1
        elif row.arm not in ("treated", "control"):
            rejected["bad_arm"] += 1
        elif row.assigned_at < OLDEST:
            rejected["bad_assigned_at"] += 1
        elif row.assigned_at > row.received_at + TOLERANCE:
            rejected["assigned_in_future"] += 1
        elif row.assignment_id in kept:
            rejected["duplicate_assignment_id"] += 1
            kept[row.assignment_id] = min(kept[row.assignment_id], row, key=lambda r: r.received_at)
        else:
            kept[row.assignment_id] = row
    return rejected, list(kept.values())


def assigned(landed):
    """Each assignment with the user's latest session that started by then."""
    by_user = {session.user: session.later for session in landed.sessions}
    assignments = []
    for row in stage_assignments(read_ledger(landed.folder))[1]:
        at, received = row.assigned_at.to_pydatetime(), row.received_at.to_pydatetime()
        session = max((s for s in by_user[row.user_id] if s.start <= at), key=lambda s: s.start)
        assignments.append(Assignment(row.intervention, row.stage, row.arm, at, received, session))
    return assignments


def effects_in_truth(landed):
    """What the truth of the sessions says about each intervention, in the words of its own file."""
    files = sorted((landed.folder / "truth").glob("sessions*.parquet"))
    facts = pd.concat([pd.read_parquet(file) for file in files]).set_index(
        ["user_id", "session_number"]
    )
    changed_by, stage = facts["changed_by"].to_dict(), facts["furthest_stage"].to_dict()
    counts = {name: Counter() for name in INTERVENTIONS}
    for each in assigned(landed):
        key = each.session.user, each.session.later.index(each.session) + 1
        count = counts[each.intervention]
        count[f"count_{each.arm}"] += 1
        count[f"converted_{each.arm}"] += stage[key] >= 8
        count[f"changed_{each.arm}"] += changed_by[key] == each.intervention
    for count in counts.values():
        changed = count.pop("changed_treated"), count.pop("changed_control")
        assert changed[0] == changed[1]
        halves = zip(changed, (count["count_treated"], count["count_control"]), strict=True)
        count["true_effect"] = sum(changed / of for changed, of in halves)
    return {name: dict(count) for name, count in counts.items()}


def written_effects(landed):
    return pd.read_parquet(landed.folder / "truth" / "interventions.parquet")


def realised(row):
    """The difference between the arms, and its standard error."""
    rates = row.converted_treated / row.count_treated, row.converted_control / row.count_control
    counts = row.count_treated, row.count_control
    variance = sum(rate * (1 - rate) / n for rate, n in zip(rates, counts, strict=True))
    return rates[0] - rates[1], variance**0.5


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("app")
    run(folder)
    return measure(folder)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    run(folder, "--scale", "0.05")
    return measure(folder)


def share(sessions, holds):
    sessions = list(sessions)
    return 100 * sum(map(holds, sessions)) / len(sessions)


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def top_drop_off(sessions):
    ends = Counter(s.end_event for s in sessions if s.outcome == "dropped")
    return max(ends, key=lambda name: (name not in LIKELY_EXITS) * ends[name])


def comparison(app, starter):
    closed = app.closed(starter)
    return {
        "events": mean(len(s.events) for s in closed),
        "minutes": mean(s.duration.total_seconds() for s in closed) / 60,
        "conversion": share(closed, lambda s: s.outcome == "converted"),
        "bounce": share(closed, lambda s: s.bounced),
    }


FUNNEL_SHARES = (96.8, 88.4, 80.7, 45.3, 30.3, 20.5, 11.7, 7.7, 7.1)
END_SHARES = {
    "login": 10.8,
    "DeviceInfo": 10.5,
    "select_seat": 9.1,
    "_user": 8.3,
    "_bus-search_v2_layout": 4.0,
}
COMPARISON = {
    SESSION: {"events": 22.3, "minutes": 24.5, "conversion": 8.2, "bounce": 12.1},
    JOURNEY: {"events": 14.8, "minutes": 15.2, "conversion": 7.1, "bounce": 16.8},
}


def funnel_shares(app):
    sessions = app.with_starter(JOURNEY)
    return [share(sessions, lambda s, k=k: s.stage >= k) for k in range(1, 10)]


def end_shares(app):
    closed = app.closed()
    return {name: 100 * n / len(closed) for name, n in Counter(s.end_event for s in closed).items()}


def retention(app, week):
    """Installers with a session in days 7(n-1) to 7n-1 after the date of their first."""
    firsts = [s for s in app.sessions if s is s.later[0] and INSTALL in s.starters]

    def returns(first):
        days = ((s.start.date() - first.start.date()).days for s in first.later)
        return any(7 * (week - 1) <= day <= 7 * week - 1 for day in days)

    eligible = [s for s in firsts if s.start.date() + timedelta(7 * week - 1) < app.as_of.date()]
    assert len(eligible) == len(firsts)
    return share(firsts, returns)


def return_share(app, starter, low, high):
    """Sessions of the starter after which the user has another, low to high days on."""

    def returns(session):
        return any(
            s.events[0] > session.events[0]
            and low <= (s.start.date() - session.start.date()).days <= high
            for s in session.later
        )

    last = app.as_of.date() - timedelta(high)
    return share((s for s in app.with_starter(starter) if s.start.date() < last), returns)


def test_starters_and_sessions_are_exact(app):
    assert len(app.sessions) == 37_058
    assert {s: len(app.with_starter(s)) for s in (JOURNEY, SESSION, INSTALL, LOGIN, PUSH)} == {
        JOURNEY: 27_380,
        SESSION: 11_736,
        INSTALL: 3_951,
        LOGIN: 4_080,
        PUSH: 93,
    }
    assert sum(len(s.starters) for s in app.sessions) == 47_240


def test_bursts_are_exact(app):
    assert Counter(tuple(s.starters) for s in app.sessions) == {
        (SESSION, INSTALL): 3_951,
        (SESSION, JOURNEY): 6_231,
        (SESSION,): 1_554,
        (JOURNEY,): 21_149,
        (LOGIN,): 4_080,
        (PUSH,): 93,
    }


def test_journey_funnel_is_within_one_point(app):
    assert funnel_shares(app) == pytest.approx(FUNNEL_SHARES, abs=0.4)


def test_bounce_is_within_one_point(app):
    assert share(app.closed(), lambda s: s.bounced) == pytest.approx(15.2, abs=0.3)


def test_the_five_end_events_are_the_top_five(app):
    shares = end_shares(app)
    assert sorted(shares, key=shares.get, reverse=True)[:5] == list(END_SHARES)
    assert {name: shares[name] for name in END_SHARES} == pytest.approx(END_SHARES, abs=0.3)
    assert shares["select_seat"] >= 9.0
    assert max(n for name, n in shares.items() if name not in END_SHARES) < 4.0
    assert shares["_bus-search_v2_layout"] >= 4.0


def test_events_and_minutes_are_within_five_per_cent(app):
    closed = app.closed()
    assert mean(len(s.events) for s in closed) == pytest.approx(16.3, rel=0.02)
    minutes = mean(s.duration.total_seconds() for s in closed) / 60
    assert minutes == pytest.approx(18.6, rel=0.02)


@pytest.mark.parametrize("starter", [SESSION, JOURNEY])
def test_comparison_is_within_five_per_cent(app, starter):
    assert comparison(app, starter) == pytest.approx(COMPARISON[starter], rel=0.05)


def test_session_started_is_lost_at_login_and_journey_started_at_the_seats(app):
    assert top_drop_off(app.with_starter(SESSION)) == "login"
    assert top_drop_off(app.with_starter(JOURNEY)) == "select_seat"


def test_installs_are_first_sessions_of_the_first_week(app):
    installs = app.with_starter(INSTALL)
    assert len({s.user for s in installs}) == 3_951
    assert all(s is s.later[0] for s in installs)
    days = {s.start.date() for s in installs}
    assert (min(days), max(days)) == (date(2026, 1, 12), date(2026, 1, 18))


@pytest.mark.parametrize(("week", "wanted"), [(1, 100), (2, 40), (3, 21), (4, 11)])
def test_installer_retention_is_within_three_points(app, week, wanted):
    assert retention(app, week) == pytest.approx(wanted, abs=1.5)


@pytest.mark.parametrize(
    ("low", "high", "wanted"), [(0, 0, 66), (1, 1, 31), (2, 7, 15), (8, 14, 7)]
)
def test_journey_returns_are_within_three_points(app, low, high, wanted):
    assert return_share(app, JOURNEY, low, high) == pytest.approx(wanted, abs=1.5)


def test_sessions_of_a_user_follow_each_other_well_apart(app):
    for session in app.sessions:
        for before, after in pairwise(session.later):
            assert after.start - before.events[-1][0] >= timedelta(seconds=1)
        times = [event[0] for event in session.events]
        assert all(a < b for a, b in pairwise(times))


def test_a_handful_of_sessions_is_still_open(app):
    assert datetime(2026, 2, 16, 23, 59) < app.as_of < datetime(2026, 2, 17)
    assert 3 <= sum(s.outcome == "open" for s in app.sessions) <= 30


def test_every_day_has_its_file_and_its_sessions(app):
    files = {path.stem for path in (app.folder / "events").iterdir()}
    days = {str(date(2026, 1, 12) + timedelta(n)) for n in range(36)}
    assert files == days
    per_day = Counter(str(s.start.date()) for s in app.sessions)
    assert set(per_day) == days
    assert min(per_day.values()) > 400
    for path in (app.folder / "events").iterdir():
        received = pd.read_parquet(path, columns=["received_at"])["received_at"]
        assert (received.dt.date.astype(str) == path.stem).all()


def test_dirt_has_its_rates(app):
    assert app.rejected["duplicate_event_id"] / len(app.rows) == pytest.approx(0.005, abs=0.0005)
    late = sum(row[4] - row[3] > LATE for row in app.staged) / len(app.staged)
    assert late == pytest.approx(0.01, abs=0.001)
    assert max(row[4] - row[3] for row in app.staged) < timedelta(days=3, minutes=3)
    ahead = sum(row[3] > row[4] for row in app.staged)
    assert 0 < ahead / len(app.staged) < 0.05
    names = {row[2] for row in app.staged}
    assert "promo_banner_seen" in names - set(ROLES)
    assert len(names - set(ROLES)) <= 5
    assert set(ROLES) <= names


def test_a_copy_is_received_later_and_sometimes_on_another_day(app):
    rows = app.rows[app.rows.event_id.str.len().eq(36) & app.rows.event_id.duplicated(keep=False)]
    received = rows.sort_values("received_at").groupby("event_id")["received_at"]
    first, last = received.first(), received.last()
    assert (first < last).all()
    assert (first.dt.date != last.dt.date).any()


@pytest.mark.parametrize(
    "reason",
    [
        "missing_event_id",
        "missing_user_id",
        "missing_event_name",
        "bad_event_time",
        "time_in_future",
    ],
)
def test_each_kind_of_rejected_row_is_there_but_rare(app, reason):
    assert 3 <= app.rejected[reason] <= 30


def test_rejected_kinds_come_in_their_varieties(app):
    for column in ("event_id", "user_id", "event_name"):
        values = app.rows[column]
        assert values.isna().any()
        assert {"", "  "} <= set(values[values.str.strip() == ""])
    times = app.rows["event_time"]
    assert times.isna().any()
    assert {1970, 1999} <= set(times.dt.year.dropna())


def test_ambient_events_lie_between_sessions(app):
    spans = defaultdict(list)
    for s in app.sessions:
        spans[s.user].append((s.start, s.events[-1][0]))
    pushes = [(row[1], row[3]) for row in app.staged if row[2] == "Push Failure"]
    assert len(pushes) > 5_000
    for user, at in pushes:
        assert not any(start <= at <= end for start, end in spans[user])


def test_truth_is_what_the_loop_finds(app):
    truth = pd.read_parquet(app.folder / "truth" / "events.parquet")
    assert len(truth) == len(app.staged)
    assert truth["event_id"].is_unique
    true_session = dict(zip(truth["event_id"], truth["true_session"], strict=True))
    ambient = {row[0] for row in app.staged if row[2] == "Push Failure"}
    assert set(truth["event_id"][truth["true_session"].isna()]) == ambient
    facts = pd.read_parquet(app.folder / "truth" / "sessions.parquet").set_index("true_session")
    assert len(facts) == len(app.sessions)
    facts = facts.to_dict("index")
    for session in app.sessions:
        numbers = {true_session[event_id] for _, event_id, _ in session.events}
        assert len(numbers) == 1
        fact = facts.pop(numbers.pop())
        assert fact["user_id"] == session.user
        assert fact["starters"] == " → ".join(session.starters)
        assert fact["furthest_stage"] == session.stage
        assert session.later[fact["session_number"] - 1] is session
        in_a_moment = session.outcome != "converted" and session.duration < BOUNCE
        assert (fact["behaviour"] == "bouncer") == in_a_moment
        if fact["why_ended"] == "still active":
            assert session.outcome == "open"
    assert not facts


def test_the_sessions_of_the_window_that_reach_a_stage_are_assigned_and_no_others(app):
    assignments = assigned(app)
    assert {each.intervention: each.stage for each in assignments} == INTERVENTIONS
    window = date(2026, 1, 19), date(2026, 2, 8)
    for name, stage in INTERVENTIONS.items():
        ours = [id(each.session) for each in assignments if each.intervention == name]
        wanted = {
            id(s)
            for s in app.sessions
            if s.stage >= ORDERS[stage] and window[0] <= s.start.date() <= window[1]
        }
        assert len(ours) == len(wanted)
        assert set(ours) == wanted
    assert SPEC_USER not in {each.session.user for each in assignments}
    assert app.as_of - max(each.at for each in assignments) > timedelta(days=7)


def test_half_of_the_assigned_is_treated(app):
    counts = Counter((each.intervention, each.arm) for each in assigned(app))
    for name in INTERVENTIONS:
        assert abs(counts[name, "treated"] - counts[name, "control"]) <= 1
        assert counts[name, "treated"] > 1_000


def test_an_assignment_lies_between_the_event_that_reaches_the_stage_and_the_next(app):
    noted_at = Counter()
    for each in assigned(app):
        events = each.session.events
        number = reaching_event(each.session, ORDERS[each.stage])
        at, _, name = events[number]
        assert name == each.stage
        assert at <= each.at <= events[-1][0]
        later = events[number + 1 :]
        assert all(each.at < event[0] for event in later)
        assert each.at - at <= timedelta(milliseconds=200)
        noted_at[bool(later), each.at > at] += 1
        if each.session.stage >= 8:
            assert each.at < events[reaching_event(each.session, 8)][0]
        assert each.at <= each.received + timedelta(minutes=2)
    assert set(noted_at) == {(True, True), (False, False)}


def test_the_true_effects_are_those_of_the_sessions(app):
    written = written_effects(app).set_index("intervention")
    assert written.pop("stage").to_dict() == INTERVENTIONS
    assert written.to_dict("index") == effects_in_truth(app)
    assert written["true_effect"][SEATS] == pytest.approx(0.05, abs=0.005)
    assert written["true_effect"][BADGES] == 0


def test_the_arms_differ_by_the_true_effect_and_chance(app):
    for row in written_effects(app).itertuples():
        difference, error = realised(row)
        assert abs(difference - row.true_effect) < 3 * error
        assert row.intervention == BADGES or difference > 3 * error


def test_outcomes_change_only_at_the_seats_and_never_at_a_login(app):
    truth = pd.read_parquet(app.folder / "truth" / "sessions.parquet")
    truth = truth.set_index(["user_id", "session_number"])["changed_by"].to_dict()
    changed = [
        each
        for each in assigned(app)
        if each.intervention == SEATS
        and truth[each.session.user, each.session.later.index(each.session) + 1] == SEATS
    ]
    assert len(changed) == sum(isinstance(name, str) for name in truth.values()) > 100
    for each in changed:
        assert each.session.end_event != "login"
        assert each.session.stage in ((8, 9) if each.arm == "treated" else (5, 6))


def test_an_effect_moves_no_quota(app, tmp_path, monkeypatch):
    nothing = tuple(replace(each, share_won=0.0) for each in simulate.INTERVENTIONS)
    monkeypatch.setattr(simulate, "INTERVENTIONS", nothing)
    run(tmp_path)
    without = measure(tmp_path)
    assert written_effects(without)["true_effect"].tolist() == [0, 0]

    def quotas(landed):
        facts = ((tuple(s.starters), s.stage, s.end_event, s.bounced) for s in landed.sessions)
        return Counter(facts)

    assert quotas(without) == quotas(app)
    assert len(without.staged) == len(app.staged)


def test_the_ledger_has_its_dirt(app):
    rows = read_ledger(app.folder)
    rejected, kept = stage_assignments(rows)
    copies = rejected.pop("duplicate_assignment_id")
    assert copies / len(rows) == pytest.approx(0.005, abs=0.0005)
    assert rejected == dict.fromkeys(
        [
            "missing_assignment_id",
            "missing_intervention",
            "missing_user_id",
            "bad_arm",
            "bad_assigned_at",
            "assigned_in_future",
        ],
        3,
    )
    for column in ("assignment_id", "intervention", "user_id"):
        values = rows[column]
        assert values.isna().any()
        assert {"", "  "} <= set(values[values.str.strip() == ""])
    assert "variant b" in set(rows["arm"])
    assert set(rows["assigned_at"].dt.year) == {1970, 2026, 2027}
    assert (rows["received_at"] < pd.Timestamp("2026-02-17")).all()
    late = sum(row.received_at - row.assigned_at > LATE for row in kept) / len(kept)
    assert late == pytest.approx(0.01, abs=0.002)


def test_a_copy_of_an_assignment_differs_in_received_at_alone(app):
    rows = read_ledger(app.folder)
    rows = rows[rows["assignment_id"].str.len().eq(36)].sort_values("received_at")
    copied = rows[rows["assignment_id"].duplicated(keep=False)].groupby("assignment_id")
    assert (copied["received_at"].nunique() == 2).all()
    others = rows.columns.difference(["assignment_id", "received_at"])
    assert (copied[list(others)].nunique() <= 1).all(axis=None)


def test_the_ledger_has_the_columns_it_is_read_by(app):
    rows = read_ledger(app.folder)
    assert rows.columns.tolist() == [
        "assignment_id",
        "intervention",
        "unit",
        "user_id",
        "session_id",
        "stage",
        "arm",
        "planned_treated_share",
        "assigned_at",
        "received_at",
    ]
    assert set(rows["unit"]) == {"session"}
    assert rows["session_id"].isna().all()
    assert set(rows["planned_treated_share"]) == {0.5}
    assert rows["received_at"].is_monotonic_increasing


def test_the_user_of_the_spec_has_the_timeline_of_the_spec(app):
    first, login, journey, later = (s for s in app.sessions if s.user == SPEC_USER)
    assert first.starters == [SESSION, INSTALL]
    assert first.start == datetime(2026, 1, 12, 14, 19, 17)
    assert first.events[-1][0] < datetime(2026, 1, 12, 14, 19, 33)
    assert (len(first.events), first.stage, first.outcome) == (45, 0, "dropped")
    names = [name for _, _, name in first.events]
    assert names.index("otp") < names.index("login")
    assert login.starters == [LOGIN]
    assert login.start == datetime(2026, 1, 12, 14, 19, 33)
    assert login.duration == timedelta(minutes=51, seconds=12)
    assert (len(login.events), login.stage, login.outcome) == (78, 9, "converted")
    assert journey.starters == [JOURNEY]
    assert journey.start == datetime(2026, 1, 12, 15, 43)
    assert journey.duration == timedelta(minutes=2, seconds=8)
    assert (len(journey.events), journey.stage, journey.outcome) == (15, 5, "dropped")
    assert [name for _, _, name in journey.events] == [
        JOURNEY,
        *["_location_elastic-town-search"] * 7,
        "_location_special-town-search",
        "bus_search",
        "bus_result",
        "Buslist_bus_selection",
        *["select_seat"] * 3,
    ]
    assert later.start.date() == date(2026, 1, 18)
    pushes = [row[3] for row in app.staged if row[1:3] == (SPEC_USER, "Push Failure")]
    assert len(pushes) == 5
    assert {at.date() for at in pushes} <= {date(2026, 1, day) for day in range(13, 18)}


def test_later_work_finds_the_old_version_weak_at_the_seats_and_ios_strong_at_payment(app):
    columns = app.rows["event_id"], app.rows["platform"], app.rows["app_version"]
    ids, platforms, versions = (column.tolist() for column in columns)
    platform = dict(zip(ids, platforms, strict=True))
    version = dict(zip(ids, versions, strict=True))

    def step(sessions, stage):
        return share((s for s in sessions if s.stage >= stage), lambda s: s.stage > stage)

    old, new, ios, other = [], [], [], []
    for s in app.sessions:
        (old if version[s.events[0][1]] == "5.1.0" else new).append(s)
        (ios if platform[s.events[0][1]] == "ios" else other).append(s)
        assert len({version[event[1]] for event in s.events}) == 1
    assert len(old) > 1_000
    assert step(old, 5) < step(new, 5) - 5
    assert step(ios, 7) > step(other, 7) + 3
    assert step(ios, 7) < step(other, 7) + 25


def test_a_small_run_keeps_the_shares(small):
    assert len(small.sessions) == pytest.approx(37_058 * 0.05, abs=1)
    journeys = small.with_starter(JOURNEY)
    assert len(journeys) / len(small.sessions) == pytest.approx(27_380 / 37_058, abs=0.005)
    assert funnel_shares(small) == pytest.approx(FUNNEL_SHARES, abs=1)
    assert share(small.closed(), lambda s: s.bounced) == pytest.approx(15.2, abs=1)
    shares = end_shares(small)
    assert {name: shares.get(name, 0) for name in END_SHARES} == pytest.approx(END_SHARES, abs=2)
    assert mean(len(s.events) for s in small.closed()) == pytest.approx(16.3, rel=0.05)
    assert any(s.outcome == "open" for s in small.sessions)
    assert sum(s.user == SPEC_USER for s in small.sessions) == 4


def digest(folder):
    files = sorted(path for path in folder.rglob("*.parquet"))
    content = b"".join(path.name.encode() + path.read_bytes() for path in files)
    return hashlib.sha256(content).hexdigest()


def test_the_same_seed_gives_the_same_files_and_another_seed_others(small, tmp_path):
    run(tmp_path / "same", "--scale", "0.05")
    run(tmp_path / "other", "--scale", "0.05", "--seed", "2")
    assert digest(tmp_path / "same") == digest(small.folder)
    other = read_rows(tmp_path / "other")
    shared = set(other["event_id"]) & set(small.rows["event_id"])
    assert all(map(is_missing, shared))
    sessions = sessionize(stage_rows(other)[1])
    counts = [Counter(tuple(s.starters) for s in each) for each in (sessions, small.sessions)]
    assert counts[0] == counts[1]


def test_a_larger_scale_is_blocks_of_other_users_in_several_parts_a_day(tmp_path, monkeypatch):
    monkeypatch.setattr(simulate, "LARGEST_BLOCK", 0.02)
    monkeypatch.setattr(simulate, "BLOCKS_AT_ONCE", 2)
    run(tmp_path, "--scale", "0.05")
    names = sorted(path.name for path in (tmp_path / "events").iterdir())
    assert names[:2] == ["2026-01-12-001.parquet", "2026-01-12-002.parquet"]
    assert sorted(path.name for path in (tmp_path / "truth").iterdir()) == [
        "events-001.parquet",
        "events-002.parquet",
        "interventions.parquet",
        "sessions-001.parquet",
        "sessions-002.parquet",
    ]
    truth = pd.concat(pd.read_parquet(f) for f in sorted((tmp_path / "truth").glob("s*")))
    assert len(truth) == pytest.approx(37_058 * 0.05, abs=2)
    assert truth["true_session"].tolist() == list(range(len(truth)))
    assert not truth.duplicated(["user_id", "session_number"]).any()
    landed = measure(tmp_path)
    assert Counter(" → ".join(s.starters) for s in landed.sessions) == Counter(truth["starters"])
    ledger = sorted(path.name for path in (tmp_path / "interventions").iterdir())
    assert ledger == ["assignments-001.parquet", "assignments-002.parquet"]
    effects = written_effects(landed).drop(columns="stage").set_index("intervention")
    assert effects.to_dict("index") == effects_in_truth(landed)
    assert stage_assignments(read_ledger(tmp_path))[0]["bad_arm"] == 3 * 3


def test_a_run_replaces_the_files_of_the_run_before_and_no_others(tmp_path):
    events = tmp_path / "events"
    events.mkdir()
    for name in ("2025-01-01.parquet", "2026-01-12-003.parquet", "mine.parquet", "notes.txt"):
        (events / name).write_text("kept or not")
    ledger = tmp_path / "interventions"
    ledger.mkdir()
    for name in ("assignments-002.parquet", "assignments.csv"):
        (ledger / name).write_text("kept or not")
    run(tmp_path, "--scale", "0.01")
    assert {path.name for path in ledger.iterdir()} == {"assignments.parquet", "assignments.csv"}
    names = {path.name for path in events.iterdir()}
    assert {"mine.parquet", "notes.txt"} <= names
    assert not {"2025-01-01.parquet", "2026-01-12-003.parquet"} & names
    assert not [name for name in names if name.endswith(".part")]


NO_SCALE = "simulate.py: argument --scale: '{}' is no number from 0.01 to 1000."
NO_SEED = "simulate.py: argument --seed: '{}' is no whole number from 0 on."


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--scale", "0"), NO_SCALE),
        (("--scale", "nan"), NO_SCALE),
        (("--scale", "many"), NO_SCALE),
        (("--seed", "-1"), NO_SEED),
        (("--seed", "1.5"), NO_SEED),
        (("--speed", "1"), "simulate.py: unrecognized arguments: --speed {}."),
    ],
)
def test_bad_arguments_get_one_sentence_and_exit_code_2(tmp_path, capsys, arguments, sentence):
    with pytest.raises(SystemExit) as stop:
        run(tmp_path, *arguments)
    assert stop.value.code == 2
    assert capsys.readouterr().err == sentence.format(arguments[1]) + "\n"
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_gets_one_sentence(tmp_path):
    (tmp_path / "events").write_text("a file, no folder")
    command = [sys.executable, SCRIPT, "--scale", "0.01", "--out", tmp_path / "events"]
    command += ["--truth", tmp_path / "truth"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr == f"simulate.py: cannot write {tmp_path}/events: File exists.\n"


def test_one_folder_for_both_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        simulate.main(["--out", str(tmp_path), "--truth", str(tmp_path)])
    assert "--out and --truth must be two folders" in capsys.readouterr().err
    folders = ["--out", str(tmp_path), "--truth", str(tmp_path / "truth")]
    with pytest.raises(SystemExit):
        simulate.main([*folders, "--ledger", str(tmp_path)])
    assert "--out and --ledger must be two folders" in capsys.readouterr().err


def test_the_ledger_goes_where_it_is_told(tmp_path):
    run(tmp_path, "--scale", "0.01", "--ledger", str(tmp_path / "elsewhere"))
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["assignments.parquet"]
    assert not (tmp_path / "interventions").exists()
