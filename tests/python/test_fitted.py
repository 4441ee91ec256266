"""What is fitted: patterns keep their names, find the behaviours that were simulated, and drop risk
knows nothing of the future. SQL assigns and scores as numpy does.
"""

import csv
import shutil

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, build_step, load, run_dbt
from sklearn.metrics import adjusted_rand_score, brier_score_loss, roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

DEMO = ROOT / "warehouse.duckdb"
TRUTH = ROOT / "landing" / "truth"
COUNTS = range(5, 11)
WORDS = {
    "stages": {1: "Search", 2: "Seat"},
    "conversion": "Booked",
    "other_funnels": {"login": "Login"},
}
FEATURES = pd.DataFrame(
    {
        "feature_number": range(1, 6),
        "feature_name": ["progress", "is_converted", "is_bounce", "log_duration", "ends_in:login"],
        "weight": 1.0,
        "is_flag": [False, True, True, False, True],
    }
)


patterns = load(ROOT / "models" / "fitted" / "fitted_patterns.py")
risk = load(ROOT / "models" / "fitted" / "fitted_drop_risk.py")


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(1):
        yield


def sessions_of(rng, count, progress, converted=0, bounced=0, seconds=100, login=0):
    """Sessions that are alike: progress, converted, bounced, log duration, ends in login."""
    duration = np.log1p(seconds * rng.lognormal(0, 0.2, count))
    columns = [np.full(count, value) for value in (progress, converted, bounced)]
    return np.column_stack([*columns, duration, np.full(count, login)]).astype(float)


def five_kinds(rng, count=200):
    return [
        sessions_of(rng, count, 1, seconds=60),
        sessions_of(rng, count, 1, seconds=6000),
        sessions_of(rng, count, 2, converted=1, seconds=600),
        sessions_of(rng, count, 0, bounced=1, seconds=3),
        sessions_of(rng, count, 0, login=1, seconds=100),
    ]


def fit(parts, earlier=None, counts=(5,)):
    raw = np.concatenate(parts)
    earlier = patterns.known_patterns(earlier if earlier is not None else no_rows())
    return patterns.as_table(patterns.fit_patterns(raw, FEATURES, counts, earlier, WORDS))


def no_rows():
    return pd.DataFrame(columns=list(patterns.COLUMNS)).astype(patterns.COLUMNS)


def named(rows):
    """{name: (id, change)} of the patterns of a fit."""
    known = rows[rows["pattern_id"].notna()].drop_duplicates("pattern_id")
    return {row.pattern_name: (row.pattern_id, row.change) for row in known.itertuples()}


def test_patterns_are_named_after_what_marks_them():
    assert named(fit(five_kinds(np.random.default_rng(1)))).keys() == {
        "Quick search drop-offs", "Long search drop-offs", "Booked", "Bounces", "Login drop-offs",
    }  # fmt: skip


def test_names_that_would_be_alike_are_told_apart_by_duration_and_then_by_number():
    assert patterns.distinct_names(["A", "B", "A", "A"], [3, 1, 1, 2], {"Long a"}) == [
        "Long a 2", "B", "Quick a", "Unhurried a",
    ]  # fmt: skip


def test_a_new_fit_keeps_the_ids_and_names_of_patterns_that_are_still_there():
    first = fit(five_kinds(np.random.default_rng(1)))
    # other sessions, of other sizes and in another order
    parts = five_kinds(np.random.default_rng(2))
    second = fit([part[: 60 + 30 * i] for i, part in enumerate(reversed(parts))], first)
    assert {name: key for name, (key, _) in named(second).items()} == {
        name: key for name, (key, _) in named(first).items()
    }
    assert {change for _, change in named(second).values()} == {"kept"}


def test_a_pattern_that_vanished_is_reported_and_its_id_never_means_another():
    first = fit(five_kinds(np.random.default_rng(1)))
    login = named(first)["Login drop-offs"][0]
    parts = five_kinds(np.random.default_rng(2))
    parts[4] = sessions_of(np.random.default_rng(3), 200, 2, seconds=600)  # left at the seats
    second = fit(parts, first)
    assert named(second)["Login drop-offs"] == (login, "vanished")
    assert named(second)["Seat drop-offs"] == ("P6", "new")
    assert [change for _, change in named(second).values()].count("kept") == 4
    # and when it comes back, it is known
    third = fit(five_kinds(np.random.default_rng(4)), second)
    assert named(third)["Login drop-offs"] == (login, "kept")
    assert named(third)["Seat drop-offs"] == ("P6", "vanished")


def test_an_outlier_makes_no_pattern_of_its_own():
    parts = five_kinds(np.random.default_rng(1))
    parts[0][0, 3] = np.log1p(1e12)
    rows = fit(parts)
    chosen = rows[rows["is_chosen"]].drop_duplicates("pattern_id")
    assert chosen["count_in_sample"].min() > 150


def test_sessions_too_few_or_too_alike_are_one_pattern_until_there_are_more():
    rng = np.random.default_rng(1)
    assert named(fit([sessions_of(rng, 49, 1)])) == {"All sessions": ("P1", "new")}
    alike = np.zeros((500, 5))
    assert named(fit([alike], counts=COUNTS)) == {"All sessions": ("P1", "new")}
    whole = fit([sessions_of(rng, 49, 1)])
    assert {key for key, _ in named(fit(five_kinds(rng), whole)).values()} == {
        "P1", "P2", "P3", "P4", "P5",
    }  # fmt: skip


def test_the_number_of_patterns_is_that_of_the_kinds_and_the_order_of_sessions_is_no_matter():
    parts = five_kinds(np.random.default_rng(1))
    rows = fit(parts, counts=range(3, 9))
    (count,) = rows.loc[rows["is_chosen"], "count_patterns"].unique()
    assert count == 5
    pd.testing.assert_frame_equal(rows, fit(parts, counts=range(3, 9)))


@pytest.fixture(scope="module")
def demo():
    with duckdb.connect(str(DEMO), read_only=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def demo_sessions(demo):
    """The demo's sessions with their features, pattern, date and simulated behaviour."""
    return demo.execute(f"""
        with true_sessions as (
            select
                sessionized.session_key,
                any_value(events.true_session) as true_session
            from sessions.int_events__sessionized as sessionized
            inner join read_parquet('{TRUTH}/events*.parquet') as events
                on sessionized.event_uuid = cast(events.event_id as uuid)
            where sessionized.is_opening
            group by sessionized.session_key
        )
        select
            features.session_id, features.features, features.is_open,
            patterns.pattern_id, patterns.distance, sessions.session_date, truth.behaviour
        from fitted.int_session_features as features
        inner join fitted.int_session_patterns as patterns using (session_key)
        inner join sessions.int_sessions as sessions using (session_key)
        inner join true_sessions using (session_key)
        inner join read_parquet('{TRUTH}/sessions*.parquet') as truth using (true_session)
        order by features.session_id
    """).df()


def test_patterns_recover_the_behaviours_that_were_simulated(demo_sessions):
    truth = demo_sessions["behaviour"]
    found = adjusted_rand_score(truth, demo_sessions["pattern_id"])
    # what these features could tell at best, of a model that is shown the truth
    tree = DecisionTreeClassifier(min_samples_leaf=20, random_state=0)
    features = np.array(demo_sessions["features"].tolist())
    best = adjusted_rand_score(truth, cross_val_predict(tree, features, truth, cv=5))
    print(f"adjusted Rand index of the patterns {found:.3f}, of a tree that knows {best:.3f}")
    assert found >= 0.8


def nearest(features, rows):
    """(pattern ids, distances) of sessions, from the table of a fit."""
    chosen = rows[rows["is_chosen"].astype(bool)].sort_values(["pattern_id", "feature_number"])
    ids = chosen["pattern_id"].unique()
    scales = chosen[chosen["pattern_id"] == ids[0]]
    held = np.clip(features, *(scales[name].to_numpy(float) for name in ("low", "high")))
    scale = scales["scale"].to_numpy(float)
    factor = np.where(
        scale > 0, scales["weight"].to_numpy(float) / np.where(scale > 0, scale, 1), 0
    )
    points = (held - scales["center"].to_numpy(float)) * factor
    centroids = chosen["value"].to_numpy(float).reshape(len(ids), -1)
    distances = np.sqrt(((points[:, None] - centroids[None]) ** 2).sum(axis=2))
    return ids[distances.argmin(axis=1)], distances.min(axis=1)


def test_sql_assigns_each_session_to_the_nearest_centroid(demo, demo_sessions):
    rows = demo.execute("from fitted.fitted_patterns").df()
    ids, distances = nearest(np.array(demo_sessions["features"].tolist()), rows)
    assert (ids == demo_sessions["pattern_id"]).all()
    assert distances == pytest.approx(demo_sessions["distance"].to_numpy(), abs=1e-9)


def test_one_more_day_and_a_new_fit_leave_sessions_in_their_patterns(demo, demo_sessions):
    """The last day left out, then fitted anew with it."""
    own = demo.execute("from fitted.int_pattern_features order by feature_number").df()
    own = own[["feature_number", "feature_name", "weight", "is_flag"]]
    ended = demo_sessions[~demo_sessions["is_open"]]
    before = ended[ended["session_date"] < ended["session_date"].max()]
    words = {
        "stages": {order: f"stage {order}" for order in range(1, 10)},
        "conversion": "Booked",
        "other_funnels": {"login": "Login"},
    }
    features = np.array(demo_sessions["features"].tolist())
    fits, earlier = [], no_rows()
    for known in (before, ended):
        raw = np.array(known["features"].head(10_000).tolist())
        earlier = patterns.known_patterns(earlier)
        earlier = patterns.as_table(patterns.fit_patterns(raw, own, COUNTS, earlier, words))
        fits.append(nearest(features, earlier)[0])
    share = (fits[0] == fits[1]).mean()
    print(f"{share:.2%} of the sessions are in the pattern that they were in")
    assert share >= 0.95


def test_sql_scores_as_the_table_of_coefficients_says(demo):
    moments = demo.execute("""
        select moments.*, risks.drop_risk
        from fitted.int_stage_moments as moments
        inner join fitted.int_stage_risks as risks using (session_key, stage_order)
        order by session_key, stage_order
    """).df()
    terms = demo.execute("from fitted.fitted_drop_risk").df()
    for stage, mine in moments.groupby("stage_order"):
        score = np.zeros(len(mine))
        for term in terms[terms["stage_order"] == stage].itertuples():
            if term.term == "intercept":
                score += term.coefficient
            elif term.term == "category":
                score += term.coefficient * (mine[term.feature_name] == term.feature_value)
            elif term.scale > 0:
                held = mine[term.feature_name].clip(term.low, term.high)
                scaled = (held - term.center) / term.scale
                score += term.coefficient * (scaled if term.term == "number" else scaled**2)
        expected = 1 / (1 + np.exp(-score))
        assert mine["drop_risk"].to_numpy() == pytest.approx(expected.to_numpy(), abs=1.1e-6)


def test_the_backtest_is_scikit_learns_and_beats_the_base_rate_on_the_demo(demo):
    scored = demo.execute("""
        select stage_order, drop_risk, is_dropped, outcomes.session_started_at >= trained_until as is_later
        from fitted.int_stage_outcomes as outcomes
        inner join fitted.int_stage_risks as risks using (session_key, stage_order)
        inner join (
            select stage_order, trained_until from fitted.fitted_drop_risk where term = 'intercept'
        ) using (stage_order)
    """).df()
    measured = demo.execute("""
        select distinct
            stage_order, stage, count_tested, auc, brier, brier_of_base_rate, beats_base_rate,
            boosted_auc, boosted_brier, base_rate
        from marts.fct_drop_risk_backtest order by stage_order
    """).df()
    # the start of the session, and the stages before the conversion
    assert len(measured) == 8
    print(measured.round(4).to_string())
    for row in measured.itertuples():
        later = scored[(scored["stage_order"] == row.stage_order) & scored["is_later"]]
        assert row.count_tested == len(later)
        truth, predicted = later["is_dropped"], later["drop_risk"]
        assert row.auc == pytest.approx(roc_auc_score(truth, predicted), abs=1e-9)
        assert row.brier == pytest.approx(brier_score_loss(truth, predicted), abs=1e-9)
        base = np.full(len(later), row.base_rate)
        assert row.brier_of_base_rate == pytest.approx(brier_score_loss(truth, base), abs=1e-9)
        assert row.beats_base_rate
    bins = demo.execute("from marts.fct_drop_risk_backtest").df()
    error = (bins["mean_predicted"] - bins["observed_rate"]).abs()
    assert (error * bins["count_sessions"]).sum() / bins["count_sessions"].sum() < 0.03


def test_a_stage_with_little_to_learn_from_has_its_own_rate_and_nothing_else():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"is_dropped": rng.random(49) < 0.8, "log_events": rng.random(49)})
    frame["is_dropped"] = frame["is_dropped"].astype(int)
    (row,) = risk.fit_stage(frame, frame.head(0), ["log_events"], []).to_dict("records")
    expected = (frame["is_dropped"].sum() + 1) / 51
    assert row["term"] == "intercept"
    assert 1 / (1 + np.exp(-row["coefficient"])) == pytest.approx(expected)
    # all ended alike: nothing is certain all the same
    frame = pd.DataFrame({"is_dropped": 1, "log_events": rng.random(500)})
    (row,) = risk.fit_stage(frame, frame.head(0), ["log_events"], []).to_dict("records")
    assert 1 / (1 + np.exp(-row["coefficient"])) == pytest.approx(501 / 502)


JOURNEY = (
    "Journey Started", "home_view", "_location_elastic-town-search", "DeviceInfo", "bus_search",
    "bus_search", "bus_result", "Buslist_bus_selection", "select_seat", "select_seat",
    "booking_confirmation", "payment_page", "payment_success", "ticket_view",
)  # fmt: skip
# later than what the demo's coefficients were fitted on: earlier sessions are not scored
CUT_ON = "2026-02-14"
# what may come after the cut instead: other names, other places, sooner or later, or nothing
TAILS = (
    [],
    [("payment_page", "ios", 1), ("payment_success", "ios", 2)],
    [("_location_elastic-town-search", "web", 3), ("bus_search", "web", 4), ("bus_result", "web", 5),
     ("Buslist_bus_selection", "web", 6), ("select_seat", "web", 7)],
    [("Session Started", "ios", 1), ("Push Click", "ios", 2), ("login", "ios", 400)],
)  # fmt: skip


def write_cut_journeys(path, tails):
    """A user for each place to cut the journey at and each tail; the first event has no platform."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["event_id", "user_id", "event_name", "event_time", "platform"])
        for number, tail in enumerate(tails):
            for cut in range(1, len(JOURNEY)):
                kept = [
                    (name, "" if i == 0 else "android", 20) for i, name in enumerate(JOURNEY[:cut])
                ]
                at = pd.Timestamp(f"{CUT_ON} 10:00:00")
                for place, (name, platform, seconds) in enumerate([*kept, *tail]):
                    at += pd.Timedelta(seconds=seconds)
                    user = f"{number}-{cut}"
                    writer.writerow([f"{user}-{place:03}", user, name, at.isoformat(), platform])


@pytest.mark.slow
@pytest.mark.parametrize("window", ["", "150"])
def test_what_happens_after_the_cut_changes_no_score(tmp_path, window):
    """Scored by the demo's coefficients: the same up to the cut, whatever follows."""
    (tmp_path / "events").mkdir()
    shutil.copytree(ROOT / "seeds", tmp_path / "seeds")
    funnels = (tmp_path / "seeds" / "funnels.csv").read_text()
    (tmp_path / "seeds" / "funnels.csv").write_text(
        funnels.replace("booking,true,ordered,,", f"booking,true,ordered,{window},")
    )
    warehouse = tmp_path / "w.duckdb"
    build_step.copy_what_was_fitted(DEMO, warehouse)
    scores = []
    for tails in (TAILS, [TAILS[1]] * len(TAILS)):
        write_cut_journeys(tmp_path / "events" / "1.csv", tails)
        build = run_dbt(
            warehouse,
            "run",
            "--select",
            "+int_stage_risks",
            events=tmp_path / "events",
            seeds=tmp_path / "seeds",
        )
        assert build.success, build.output[-3000:]
        rows = build.rows(f"""
            select users.user_id, risks.stage_order, risks.reached_at, risks.drop_risk
            from fitted.int_stage_risks as risks
            inner join staging.base_app__users as users
                on risks.session_key >> 32 = users.user_number
            where risks.reached_at <= timestamp '{CUT_ON} 10:00:00'
                + interval 20 seconds * cast(split_part(users.user_id, '-', 2) as integer)
        """)
        scores.append({(row["user_id"], row["stage_order"]): row["drop_risk"] for row in rows})
    assert len(scores[0]) > 60
    assert scores[0] == scores[1]
    assert len(set(scores[0].values())) > 3
