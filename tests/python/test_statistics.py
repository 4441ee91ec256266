"""The statistics of comparisons and effects against scipy and statsmodels, and against chance."""

import duckdb
import jinja2
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from conftest import ROOT, load
from scipy import stats

METRICS = ("avg_events", "avg_duration_seconds", "conversion_rate", "bounce_rate")


@pytest.fixture(scope="module")
def macros():
    source = (ROOT / "macros" / "statistics.sql").read_text()
    return jinja2.Environment(extensions=["jinja2.ext.do"]).from_string(source).module


def values_of(expression, **columns):
    frame = pd.DataFrame(columns)  # noqa: F841 (DuckDB reads it by its name)
    return duckdb.sql(f"select {expression} from frame").df().iloc[:, 0].to_numpy()


@pytest.mark.parametrize("df", [1, 2, 3, 5, 10, 29, 91, 1000, 100_000])
def test_p_values_are_those_of_students_t(macros, df):
    t = np.concatenate([np.linspace(0, 8, 161), -np.linspace(0, 8, 161)])
    score = macros.score_of_t("t", "df")
    corrected = macros.corrected_score("score", "df")
    frame = pd.DataFrame({"t": t, "df": df})  # noqa: F841
    found = duckdb.sql(f"""
        with scored as (select *, {score} as score from frame),
        corrected as (select * replace ({corrected} as score) from scored)
        select {macros.p_value_of_t("t", "df", "score")} from corrected
    """).df()
    assert found.iloc[:, 0].to_numpy() == pytest.approx(2 * stats.t.sf(abs(t), df), abs=3e-5)


def test_intervals_reach_as_far_as_students_t(macros):
    df = np.array([1, 2, 3, 4, 5, 10, 29, 91, 1000, 100_000])
    found = values_of(macros.t_of_95_percent("df"), df=df)
    assert found == pytest.approx(stats.t.ppf(0.975, df), rel=1.5e-3)
    assert found[4:] == pytest.approx(stats.t.ppf(0.975, df[4:]), rel=2e-4)


def test_p_values_are_adjusted_as_benjamini_and_hochberg_do(macros):
    p_value = np.array([0.001, 0.01, 0.01, 0.02, 0.04, 0.2, 0.9, 1.0])
    found = values_of(
        macros.false_discovery_rate("p_value", "rank", "8"), p_value=p_value, rank=np.arange(1, 9)
    )
    assert np.sort(found) == pytest.approx(stats.false_discovery_control(p_value))


@pytest.fixture(scope="module")
def compare(dbt):
    """fct_type_comparisons over sessions of our own: a frame of user, starter and the metrics."""
    build = dbt("compile", "--select", "fct_type_comparisons")
    assert build.success, build.output[-2000:]
    target = build.warehouse.parent / "target"
    compiled = target / "compiled" / "dropoff" / "models" / "marts" / "fct_type_comparisons.sql"
    query = compiled.read_text()
    connection = duckdb.connect()
    connection.execute("attach ':memory:' as warehouse")
    connection.execute("create schema warehouse.sessions")
    connection.execute("create schema warehouse.marts")
    connection.execute("""
        create table warehouse.marts.fct_end_events_daily (
            starter_event_name varchar, event_name varchar, is_likely_exit boolean,
            count_dropped bigint
        )""")

    def run(sessions):
        connection.execute("""
            create or replace table warehouse.sessions.int_user_starters as
            select
                user_id as user_number,
                starter as starter_event_name,
                count(*) as count_sessions,
                sum(avg_events)::bigint as count_events,
                sum(round(avg_duration_seconds * 1e6)::bigint)::bigint as duration_microseconds,
                sum(conversion_rate)::bigint as count_converted,
                sum(bounce_rate)::bigint as count_bounces
            from sessions
            group by all
        """)
        connection.execute("""
            create or replace table warehouse.marts.fct_session_types as
            select distinct starter as starter_event_name from sessions
        """)
        return connection.execute(query).df()

    return run


def draw(rng, count_users, starters, is_user_wide):
    """Sessions of people who differ, with starters that say nothing about them.

    A starter belongs to a user for good, or to each session anew. Long tails, as apps have them.
    """
    user = np.repeat(np.arange(count_users), rng.geometric(0.25, count_users))
    names = list(starters)
    weights = np.array([starters[name] for name in names]) / sum(starters.values())
    drawn = rng.choice(names, count_users if is_user_wide else len(user), p=weights)
    factor = rng.lognormal(0, 0.6, count_users)[user]
    rate = rng.beta(0.75, 9.25, count_users)[user]
    return pd.DataFrame(
        {
            "user_id": user,
            "starter": drawn[user] if is_user_wide else drawn,
            "avg_events": 1 + rng.poisson(14 * factor * rng.lognormal(0, 0.6, len(user))),
            "avg_duration_seconds": factor * rng.lognormal(6, 1.2, len(user)),
            "conversion_rate": (rng.random(len(user)) < rate).astype(int),
            "bounce_rate": (rng.random(len(user)) < 2 * rate).astype(int),
        }
    )


def test_one_session_a_user_is_the_t_test_of_scipy(compare):
    rng = np.random.default_rng(3)
    sessions = draw(rng, 3000, {"A": 1, "B": 3}, is_user_wide=True)
    sessions = sessions.drop_duplicates("user_id")
    found = compare(sessions).set_index(["starter_a", "starter_b", "metric"])
    side_a, side_b = (sessions[sessions.starter == name] for name in "AB")
    for metric in ("avg_events", "avg_duration_seconds"):
        row = found.loc[("A", "B", metric)]
        tests = [
            stats.ttest_ind(side_b[metric], side_a[metric], equal_var=equal)
            for equal in (True, False)
        ]
        error = max(row.difference / test.statistic for test in tests)
        t = stats.t.ppf(0.975, min(len(side_a), len(side_b)) - 1)
        # scipy pools with n - 2 users, here each side with its n - 1
        assert row.difference == pytest.approx(side_b[metric].mean() - side_a[metric].mean())
        assert row.difference_high - row.difference == pytest.approx(t * error, rel=2e-3)


def test_many_sessions_a_user_are_the_clusters_of_statsmodels(compare):
    rng = np.random.default_rng(4)
    sessions = draw(rng, 4000, {"A": 1, "B": 1}, is_user_wide=False)
    found = compare(sessions).set_index(["starter_a", "starter_b", "metric"])
    model_x = sm.add_constant((sessions.starter == "B").astype(float))
    for metric in METRICS:
        row = found.loc[("A", "B", metric)]
        fitted = sm.OLS(sessions[metric].astype(float), model_x).fit(
            cov_type="cluster", cov_kwds={"groups": sessions.user_id}
        )
        assert row.difference == pytest.approx(fitted.params.iloc[1])
        half = (row.difference_high - row.difference_low) / 2
        # that of each side and the pooled one are alike here; so are t and the normal
        assert half == pytest.approx(1.96 * fitted.bse.iloc[1], rel=0.03)
        assert row.p_value == pytest.approx(fitted.pvalues.iloc[1], abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("is_user_wide", [True, False])
def test_starters_that_say_nothing_are_called_different_no_more_often_than_they_may(
    compare, is_user_wide
):
    """A/A: false positives at most at the nominal rate, though sides are small and unequal."""
    rng = np.random.default_rng(5)
    tables, starters = 100, {"A": 60, "B": 25, "C": 10, "D": 4, "E": 1}
    count_called, shares, naive = 0, [], []
    for _ in range(tables):
        sessions = draw(rng, 1500, starters, is_user_wide)
        found = compare(sessions)
        found = found[(found.starter_a < found.starter_b) & found.p_value_adjusted.notna()]
        count_called += (found.verdict != "no clear difference").any()
        shares.append((found.p_value < 0.05).mean())
        side_a, side_b = (sessions[sessions.starter == name] for name in "AB")
        naive.append(
            stats.ttest_ind(side_a.avg_events, side_b.avg_events, equal_var=False).pvalue < 0.05
        )
    most = stats.binom.ppf(0.99, tables, 0.05) / tables
    assert count_called / tables <= most
    assert np.mean(shares) <= 0.05
    if is_user_wide:
        # there is something to get wrong: counting sessions as if each were a person of its own
        assert np.mean(naive) > 0.1


bench = load(ROOT / "bench" / "coverage.py")


@pytest.fixture(scope="module")
def effects_of(dbt):
    """fct_intervention_results over units of our own, as bench/coverage.py simulates them."""
    build = dbt("compile", "--select", *(name for _, name in bench.MODELS))
    assert build.success, build.output[-2000:]
    queries = bench.compiled_queries(build.warehouse.parent / "target")
    return lambda units: bench.results_of(units, queries)


@pytest.mark.parametrize("is_by_user", [True, False])
def test_effects_have_the_errors_of_a_regression_clustered_by_user(effects_of, is_by_user):
    """Difference of rates over all assigned, and users' sessions in both arms."""
    units = bench.simulated_ledger(np.random.default_rng(3), "i", 0.05, 0.5, is_by_user)
    (found,) = effects_of(units).itertuples()
    treated = units.arm == "treated"
    rates = units.is_converted[treated].mean(), units.is_converted[~treated].mean()
    assert found.count_treated == treated.sum()
    assert (found.rate_treated, found.rate_control) == pytest.approx(rates)
    fitted = sm.OLS(units.is_converted.astype(float), sm.add_constant(treated.astype(float))).fit(
        cov_type="cluster", cov_kwds={"groups": pd.factorize(units.user_id)[0]}
    )
    assert found.effect == pytest.approx(fitted.params.iloc[1])
    half = (found.effect_high - found.effect_low) / 2
    assert half == pytest.approx(1.96 * fitted.bse.iloc[1], rel=0.03)
    assert found.p_value == pytest.approx(fitted.pvalues.iloc[1], abs=0.02)
    split = stats.chisquare([treated.sum(), (~treated).sum()])
    assert found.srm_p_value == pytest.approx(split.pvalue, abs=1e-6)


def test_intervals_cover_the_true_effect_and_a_wrong_split_is_told(effects_of):
    """A quick bench/coverage.py: 40 ledgers of each kind, and bounds as wide as that few allow."""
    units, truth = bench.simulated_units(np.random.default_rng(1), 40)
    told = bench.told(effects_of(units), truth)
    assert np.average(told.covers, weights=told.ledgers) == pytest.approx(0.95, abs=0.04)
    assert (told.covers >= 0.85).all()
    warnings = told.groupby("arms").srm_warnings.mean()
    assert warnings["by session"] <= 0.02
    assert warnings["by session, 60 to 40"] >= 0.95


def test_scores_of_small_tails_are_those_of_the_normal_distribution(macros):
    probability = np.array([0.5, 0.1, 0.025, 0.001, 1e-6])
    found = values_of(macros.score_of_tail("probability"), probability=probability)
    assert found == pytest.approx(stats.norm.isf(probability), abs=5e-4)


def test_differences_between_segments_have_the_error_of_clustered_users():
    """The demo's largest segments against statsmodels, users who are in both sides included."""
    with duckdb.connect(str(ROOT / "warehouse.duckdb"), read_only=True) as connection:
        leaks = connection.execute("""
            from marts.fct_leaks
            where segment != '(all)' and not is_held_back and least(count_reached, count_in_funnel - count_reached) > 500
            order by hash(stage, segment, segment_value) limit 12
        """).df()
        sessions = connection.execute("""
            select segments.*, results.funnel, results.furthest_stage_order
            from effects.int_session_segments as segments
            inner join sessions.int_session_funnel_results as results using (session_key)
        """).df()
    assert len(leaks) == 12
    for leak in leaks.itertuples():
        came = sessions[
            (sessions["funnel"] == leak.funnel)
            & (sessions["furthest_stage_order"] >= leak.stage_order)
        ]
        went_on = (came["furthest_stage_order"] > leak.stage_order).astype(float)
        side = sm.add_constant((came[leak.segment] == leak.segment_value).astype(float))
        groups = {"groups": came["user_number"].astype("category").cat.codes}
        fitted = sm.OLS(went_on.to_numpy(), side.to_numpy()).fit(
            cov_type="cluster", cov_kwds=groups
        )
        assert leak.difference == pytest.approx(fitted.params[1], abs=1e-9)
        width = (leak.difference_high - leak.difference_low) / 2 / stats.norm.isf(0.025)
        # never less than what statsmodels finds, and little more: the larger of two errors counts
        assert 0.98 < width / fitted.bse[1] < 1.12, leak
