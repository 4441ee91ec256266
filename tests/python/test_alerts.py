"""What is usual: against statsmodels, against chance, and on both sides of each border."""

from datetime import date, timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from conftest import run_dbt
from scipy import stats

FIRST = date(2026, 1, 5)
SEEN = (0.3, 0.5, 0.6, 0.75)
RARE_OR_SURE = (0.02, 0.05, 0.5, 0.95, 0.98)


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    """fct_usual_ranges of steps, a frame of day, step, count_of, count_in and count_open."""
    warehouse = tmp_path_factory.mktemp("alerts") / "warehouse.duckdb"
    manifest = run_dbt(warehouse, "parse").result
    queries = {}
    connection = duckdb.connect()
    connection.execute("attach ':memory:' as warehouse")
    for schema in ("staging", "sessions", "marts"):
        connection.execute(f"create schema warehouse.{schema}")
    connection.execute("""
        create table warehouse.marts.fct_data_health (
            received_date date, count_landed bigint, count_staged bigint, count_rejected bigint,
            count_late bigint, count_unknown_events bigint
        )""")

    def compiled(dbt_vars):
        arguments = ("compile", "--select", "fct_usual_ranges")
        build = run_dbt(warehouse, *arguments, dbt_vars=dbt_vars, manifest=manifest)
        assert build.success, build.output[-2000:]
        return build.result.results[0].node.compiled_code

    def run(steps, as_of=None, **dbt_vars):
        steps = steps.assign(session_date=[FIRST + timedelta(int(day)) for day in steps["day"]])
        if "count_open" not in steps:
            steps = steps.assign(count_open=0)
        as_of = as_of or f"{steps['session_date'].max() + timedelta(1)} 02:00:00"
        connection.execute(f"""
            create or replace table warehouse.sessions.int_as_of as
            select timestamp '{as_of}' as as_of;
            create or replace table warehouse.staging.stg_settings__funnel_stages as
            select distinct step as funnel, 1 as stage_order, 'went_on' as stage from steps;
            create or replace table warehouse.sessions.int_funnel_daily as
            select
                session_date, step as funnel, '(all)' as starter_event_name, segment,
                1 as furthest_stage_order, count_in as count_sessions, 0 as count_open
            from steps, (values ('(all)'), ('platform')) as segments (segment)
            union all
            select
                session_date, step as funnel, '(all)' as starter_event_name, segment,
                0 as furthest_stage_order,
                count_of - count_in + count_open as count_sessions, count_open
            from steps, (values ('(all)'), ('platform')) as segments (segment);
        """)
        key = str(sorted(dbt_vars.items()))
        queries[key] = queries.get(key) or compiled(dbt_vars)
        found = connection.execute(queries[key]).df()
        found["day"] = (found["measured_date"] - pd.Timestamp(FIRST)).dt.days
        return found.sort_values(["day", "funnel"], ignore_index=True)

    return run


def days_of(step, rate, count, days, rng, weekdays=0.0, spread=0.0):
    """Days of a step. spread: standard deviation of a day's own rate; weekdays: that of theirs."""
    rates = np.clip(rate + rng.normal(0, weekdays, 7)[np.arange(days) % 7], 0.002, 0.998)
    if spread:
        strength = rates * (1 - rates) / spread**2 - 1
        rates = rng.beta(rates * strength, (1 - rates) * strength)
    count_of = rng.poisson(count, days)
    counts = {"count_of": count_of, "count_in": rng.binomial(count_of, rates)}
    return pd.DataFrame({"day": np.arange(days), "step": step, **counts})


def steady(days, count_of=400, count_in=240):
    """The same every day."""
    counts = {"count_of": count_of, "count_in": count_in}
    return pd.DataFrame({"day": np.arange(days), "step": "a", **counts})


def with_day(steps, day, **changes):
    steps = steps.copy()
    steps.loc[steps["day"] == day, list(changes)] = list(changes.values())
    return steps


# --- the figures ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "spread"), [(0.6, 0.0), (0.35, 0.03), (0.9, 0.02)])
def test_a_range_is_the_prediction_interval_of_a_quasi_binomial_model(judge, rate, spread):
    rng = np.random.default_rng(7)
    steps = days_of("a", rate, 800, 29, rng, weekdays=0.03, spread=spread)
    found = judge(steps).iloc[-1]
    history, (count_of, count_in) = steps[:28], steps.loc[28, ["count_of", "count_in"]]
    weekday = pd.get_dummies(history["day"] % 7, dtype=float)
    counts = np.column_stack([history["count_in"], history["count_of"] - history["count_in"]])
    model = sm.GLM(counts, weekday, family=sm.families.Binomial()).fit()
    prediction = model.get_prediction(np.eye(7)[28 % 7]).summary_frame()
    usual, error = prediction["mean"].iloc[0], prediction["mean_se"].iloc[0]
    dispersion = max(model.pearson_chi2 / model.df_resid, 1)
    assert found["count_days"] == 28
    assert found["measured_value"] == count_in / count_of
    assert found["usual_value"] == pytest.approx(usual)
    assert found["dispersion"] == pytest.approx(dispersion)
    error = np.sqrt(dispersion * (error**2 + usual * (1 - usual) / count_of))
    assert found["standard_errors"] == pytest.approx((count_in / count_of - usual) / error)
    # one measure is judged on this day
    assert found["tail_probability"] == 0.025
    t = stats.t.isf(0.025, 21)
    # scipy's own beta-binomial of that dispersion
    correlation = max((dispersion - 1) / (count_of - 1), 1e-9)
    strength = 1 / correlation - 1
    skewness = float(
        stats.betabinom.stats(count_of, usual * strength, (1 - usual) * strength, moments="s")
    )
    low = usual - error * (t - skewness * (t * t - 1) / 6)
    high = usual + error * (t + skewness * (t * t - 1) / 6)
    assert found["usual_low"] == pytest.approx(low, abs=0.003 * error)
    assert found["usual_high"] == pytest.approx(high, abs=0.003 * error)


@pytest.mark.parametrize("degrees", [7, 10, 14, 21, 100])
def test_tails_are_those_of_students_t(judge, degrees):
    """A hundred steps, one false alarm a month: a tail of 1/3000 each, over fewer and more days."""
    days = degrees + 7
    rng = np.random.default_rng(degrees)
    rates = np.linspace(0.3, 0.7, 100)
    steps = pd.concat(
        [days_of(f"{i:03}", rate, 2000, days + 1, rng) for i, rate in enumerate(rates)]
    )
    found = judge(steps, alert_judged_days=1, alert_history_days=200)
    assert len(found) == 100
    # a day of one of them may lie far out
    found = found[found["count_days"] == days]
    assert len(found) > 95
    assert found["tail_probability"].to_numpy() == pytest.approx(1 / 3000)
    half = (found["usual_high"] - found["usual_low"]) / 2
    error = (found["measured_value"] - found["usual_value"]) / found["standard_errors"]
    assert (half / error).to_numpy() == pytest.approx(stats.t.isf(1 / 3000, degrees), rel=3e-3)


@pytest.mark.parametrize(
    ("rates", "spread", "least", "most"),
    [
        (SEEN, 0.0, 0.1, 1.0),
        (SEEN, 0.03, 0.6, 1.2),
        (RARE_OR_SURE, 0.0, 0.05, 1.0),
        ((0.9, 0.95), 0.02, 0.7, 1.5),
    ],
    ids=["sampling alone", "days differ", "rare and sure steps", "nearly sure, and days differ"],
)
def test_on_noise_there_are_as_many_false_alarms_as_it_says(judge, rates, spread, least, most):
    """Ten a month, so that they can be counted; the tails of more are those of fewer, further in.

    Where days differ by sampling alone there are fewer: that they may is allowed for.
    """
    rng = np.random.default_rng(1)
    steps = pd.concat(
        days_of(f"{i:03}", rate, rng.choice([60, 300, 3000]), 328, rng, 0.01, spread)
        for i, rate in enumerate(rng.choice(rates, 100))
    )
    found = judge(steps, alert_judged_days=300, alert_false_alarms_per_month=10)
    assert len(found) > 29_000
    assert least * 100 <= found["is_beyond"].sum() <= most * 100


@pytest.mark.parametrize(
    ("rate", "count", "spread", "fallen", "found_of_100"),
    [
        (0.6, 1000, 0.0, 0.50, 95),
        (0.6, 200, 0.0, 0.38, 90),
        (0.6, 1000, 0.02, 0.44, 90),
        (0.98, 60, 0.0, 0.5, 100),
    ],
)
def test_a_true_fall_of_the_stated_size_is_found(judge, rate, count, spread, fallen, found_of_100):
    """Each of fifty steps at the rule's defaults; four of a hundred allowed for chance here."""
    rng = np.random.default_rng(3)
    share_found = []
    for _ in range(4):
        steps = pd.concat(
            days_of(f"{i:03}", rate, count, 29, rng, 0, spread) for i in range(50)
        ).reset_index(drop=True)
        last = steps["day"] == 28
        that_day = np.clip(rng.normal(fallen, spread, 50), 0, 1)
        steps.loc[last, "count_in"] = rng.binomial(steps.loc[last, "count_of"], that_day)
        found = judge(steps, alert_judged_days=1)
        assert len(found) == 50
        assert found["tail_probability"].to_numpy() == pytest.approx(1 / 1500)
        share_found.append(found["is_beyond"].mean())
    assert 100 * np.mean(share_found) >= found_of_100 - 4


def test_a_day_on_which_something_broke_does_not_hide_the_next(judge):
    steps = days_of("a", 0.6, 1000, 40, np.random.default_rng(5))
    broken = with_day(with_day(steps, 30, count_in=100), 37, count_in=480)
    found = judge(broken).set_index("day")
    assert list(found.index[found["is_beyond"]]) == [30, 37]
    assert found.loc[30, "count_days"] == 28
    assert found.loc[31, "count_days"] == 27
    assert found.loc[37, "count_days"] == 27


def test_weekdays_differ(judge):
    """Half as many go on on Sundays: usual on a Sunday, and not on a Monday."""
    steps = steady(36, count_of=1000, count_in=600)
    for sunday in range(6, 36, 7):
        steps = with_day(steps, sunday, count_in=300)
    assert not judge(steps)["is_beyond"].any()
    found = judge(with_day(steps, 35, count_in=300)).set_index("day")
    assert list(found.index[found["is_beyond"]]) == [35]


# --- the borders ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("as_of", "last"), [("01:59:59.999", 27), ("02:00:00", 28)])
def test_a_date_is_judged_two_hours_after_its_midnight(judge, as_of, last):
    found = judge(steady(40), as_of=f"{FIRST + timedelta(29)} {as_of}")
    assert found["day"].max() == last


@pytest.mark.parametrize(
    ("clock", "last"), [("2026-02-03 01:59:59", 27), ("2026-02-03 02:00:00", 28)]
)
def test_dates_are_judged_by_the_alert_clock_where_it_is_set(judge, clock, last):
    assert judge(steady(40), alert_clock=clock)["day"].max() == last


def test_midnight_is_that_of_the_reporting_timezone(judge):
    """20:30 UTC is two hours after midnight in Kolkata."""
    for as_of, last in [("20:29:59", 27), ("20:30:00", 28)]:
        as_of = f"{FIRST + timedelta(28)} {as_of}"
        found = judge(steady(40), as_of=as_of, reporting_timezone="Asia/Kolkata")
        assert found["day"].max() == last


@pytest.mark.parametrize(("count_of", "is_judged"), [(29, False), (30, True)])
def test_a_step_is_judged_from_thirty_sessions_on(judge, count_of, is_judged):
    found = judge(with_day(steady(29), 28, count_of=count_of, count_in=5))
    assert (28 in set(found["day"])) == is_judged


def test_a_date_is_judged_from_fourteen_days_before_it_on(judge):
    assert judge(steady(20))["day"].min() == 14
    assert judge(steady(20), alert_min_days=15)["day"].min() == 15


@pytest.mark.parametrize(("gone", "is_judged"), [((7, 14), True), ((7, 14, 21), False)])
def test_a_date_is_judged_by_two_of_its_weekday(judge, gone, is_judged):
    """Of the days 0, 7, 14 and 21, which are the weekday of day 28."""
    steps = steady(29)
    found = judge(steps[~steps["day"].isin(gone)])
    assert (28 in set(found["day"])) == is_judged


def test_usual_is_what_the_28_days_before_were(judge):
    """29 days before it was otherwise, and a 28th of the days before it is."""
    otherwise = steady(60).assign(count_in=lambda days: np.where(days["day"] < 31, 200, 240))
    found = judge(otherwise).set_index("day")
    assert found.loc[59, "usual_value"] == 240 / 400
    assert found.loc[59, "count_days"] == 28
    # day 58 looks back as far as day 30, which is its weekday
    assert found.loc[58, "usual_value"] < 240 / 400


def test_the_last_ninety_whole_days_are_judged(judge):
    found = judge(steady(120))
    assert (found["day"].min(), found["day"].max()) == (30, 119)
    assert judge(steady(120), alert_judged_days=1)["day"].tolist() == [119]


def test_a_step_at_the_end_of_its_range_is_usual_and_one_session_fewer_is_not(judge):
    steps = steady(29)
    low = judge(steps)["usual_low"].iloc[-1]
    least = int(np.ceil(low * 400))
    for count_in, is_beyond in [(least, False), (least - 1, True)]:
        found = judge(with_day(steps, 28, count_in=count_in))
        assert found["is_beyond"].iloc[-1] == is_beyond
    # a rise is no fall
    assert not judge(with_day(steps, 28, count_in=400))["is_beyond"].iloc[-1]


def test_sessions_still_open_at_the_stage_before_are_not_asked(judge):
    steps = steady(29).assign(count_open=0)
    found = judge(with_day(steps, 28, count_open=400))
    assert found[["count_of", "count_in"]].iloc[-1].tolist() == [400, 240]
    assert not found["is_beyond"].any()


def test_a_rate_that_never_changed_falls_all_the_same(judge):
    """Of 60 sessions all went on, every day: five are allowed for, and half of them are not."""
    steps = steady(29, count_of=60, count_in=60)
    assert judge(steps)["usual_high"].iloc[-1] == 1
    assert not judge(with_day(steps, 28, count_in=55))["is_beyond"].iloc[-1]
    assert judge(with_day(steps, 28, count_in=30))["is_beyond"].iloc[-1]
    nobody = steady(29, count_of=60, count_in=0)
    assert judge(nobody)["usual_low"].iloc[-1] == 0
    assert not judge(nobody)["is_beyond"].any()
