"""Metrics: each answers, as the marts and the definitions have it, or says what is wrong."""

import csv
import json
import re
import shlex
import sys

import duckdb
import pytest
import yaml
from conftest import ROOT, load


@pytest.fixture(scope="module")
def step():
    return load(ROOT / "steps" / "metrics.py")


@pytest.fixture(scope="module")
def metrics(step):
    """The metrics over the demo's warehouse."""
    return step.of_project(ROOT / "warehouse.duckdb")


@pytest.fixture(scope="module")
def rows():
    """Rows of a query on the demo's warehouse."""
    with duckdb.connect(str(ROOT / "warehouse.duckdb"), read_only=True) as connection:
        yield lambda query: connection.execute(query).fetchall()


@pytest.fixture
def ask(step, monkeypatch, capsys):
    """What the step prints for some options, and its exit code."""
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("DROPOFF_WAREHOUSE", raising=False)

    def run(*options):
        monkeypatch.setattr(sys, "argv", ["metrics.py", *options])
        code = step.main()
        return code, capsys.readouterr().out.rstrip("\n")

    return run


def test_sql_names_the_file_that_is_asked_whatever_dbt_built_last(step):
    manifest = json.loads(step.MANIFEST.read_text())
    for model in manifest["semantic_models"]:
        model["node_relation"] |= {"database": "other", "relation_name": '"other"."marts"."x"'}
    metrics = step.Metrics(ROOT / "warehouse.duckdb", manifest)
    sql = metrics.sql(["sessions"])
    assert '"warehouse"."marts"."fct_sessions"' in sql
    assert metrics.run(sql) == metrics.run("select count(*) as sessions from marts.fct_sessions")


def described():
    """{name: what the files say of a metric}."""
    folder = ROOT / "models" / "metrics"
    models = yaml.safe_load((folder / "_semantic_models.yml").read_text())["semantic_models"]
    measures = [measure for model in models for measure in model.get("measures", [])]
    return {
        metric["name"]: metric
        for metric in [
            *(measure for measure in measures if measure.get("create_metric")),
            *yaml.safe_load((folder / "_metrics.yml").read_text())["metrics"],
        ]
    }


def answers(metrics, names, group_by, *where):
    return metrics.run(metrics.sql(names, group_by, where))[1]


# What they are


def test_every_metric_is_described_and_named_for_people(metrics):
    assert set(metrics.described) == set(described())
    for name, metric in described().items():
        assert metric["description"].strip(" ").endswith("."), name
        assert metric["label"], name
    assert len({metric["label"] for metric in described().values()}) == len(described())


@pytest.mark.slow
def test_every_metric_answers_and_every_dimension_groups_one(metrics):
    tried = set()
    for name in metrics.described:
        assert metrics.value(name) is not None, name
        for dimension in metrics.groups([name]).keys() - tried:
            tried.add(dimension)
            metrics.connection.execute("explain " + metrics.sql([name], [dimension]))
    assert tried


def test_a_metric_of_nothing_is_null(metrics):
    nowhere = "session__platform = 'nowhere'"
    assert metrics.value("conversion_rate", nowhere) is None
    assert metrics.value("average_duration_seconds", nowhere) is None


# That they agree with the definitions, by marts they are not made of


def test_outcomes_sum_to_the_sessions_and_landed_is_staged_plus_rejected(metrics, rows):
    [(sessions, marked, users, ended)] = rows("""
        select
            count(*),
            (select count(*) from marts.fct_session_starters),
            (select count(*) from marts.dim_users where count_sessions > 0),
            (select sum(count_ended) from marts.fct_end_events where starter_event_name = '(all)')
        from marts.fct_session_patterns""")
    outcomes = ("converted_sessions", "dropped_sessions", "open_sessions")
    assert sum(map(metrics.value, outcomes)) == metrics.value("sessions") == sessions
    assert metrics.value("system_marked_sessions") == marked
    assert metrics.value("users") == metrics.value("new_users") == users
    assert metrics.value("ended_sessions") == ended == metrics.value("sessions_ended_on_event")
    assert metrics.value("active_sessions") == metrics.value("open_sessions")
    parts = ("staged_rows", "rejected_rows")
    assert sum(map(metrics.value, parts)) == metrics.value("landed_rows")


def test_rates_and_averages_are_over_sessions_that_are_not_open(metrics, rows):
    names = ["events_per_session", "average_duration_seconds", "bounce_rate", "conversion_rate"]
    for starter, *values in answers(
        metrics, [f"{name}_by_starter" for name in names], ["starter_day__starter"]
    ):
        truth = rows(f"""
            select
                avg(count_events), avg(duration_seconds), avg(is_bounce::int), avg(is_converted::int)
            from marts.fct_sessions as sessions
            left join marts.fct_session_starters as starters using (session_id)
            where
                outcome <> 'open'
                and coalesce(starter_event_name, '(unmarked)') = '{starter}'""")
        assert values == pytest.approx(list(truth[0])), starter
    [values] = answers(metrics, names, [])
    assert list(values) == pytest.approx(
        list(
            rows("""
        select avg(count_events), avg(duration_seconds), avg(is_bounce::int), avg(is_converted::int)
        from marts.fct_sessions where outcome <> 'open'""")[0]
        )
    )


def test_stages_are_those_of_the_funnel(metrics, rows):
    names = ["stage_sessions", "stage_share_of_sessions", "step_conversion_rate"]
    place = ["stage__funnel", "stage__stage_order"]
    whole = answers(metrics, names, place)
    by_starter = answers(metrics, [f"{n}_by_starter" for n in names], [*place, "stage__starter"])
    truths = {
        tuple(key): values
        for *key, values in rows("""
            select funnel, stage_order, starter_event_name,
                [count_sessions, share_of_sessions, step_conversion_rate]
            from marts.fct_funnel_stages where segment = '(all)'""")
    }
    found = {(funnel, order, "(all)"): values for funnel, order, *values in whole}
    found |= {(funnel, order, starter): values for funnel, order, starter, *values in by_starter}
    assert found.keys() == truths.keys()
    for key, values in found.items():
        assert values == pytest.approx(truths[key]), key


def test_lost_sessions_are_the_leaks_of_the_primary_funnel(metrics, rows):
    lost = answers(metrics, ["lost_sessions"], ["stage__stage_order"], "stage__is_primary")
    leaks = rows("""
        select stage_order, count_lost from marts.fct_leaks
        where segment = '(all)' and stage_order > 0 and is_primary order by all""")
    assert leaks
    assert [row for row in lost if row[1] is not None] == leaks


def test_retention_and_return_are_those_of_the_sessions(metrics, rows):
    found = answers(metrics, ["retention_rate"], ["cohort__week_number", "cohort__cohort_week"])
    cells = rows("""
        select week_number, cohort_week, retention_rate from marts.fct_retention_weekly
        where starter_event_name = '(all)' order by all""")
    assert [rate for *_, rate in found] == pytest.approx([rate for *_, rate in cells])
    [(retained, users)] = rows("""
        with users as (
            select user_id, min(session_date) as first_date from marts.fct_sessions group by user_id
        )
        select count(distinct sessions.user_id), (
            select count(*) from users cross join marts.dim_settings
            where date_trunc('week', first_date)::date + 20 < as_of::date)
        from marts.fct_sessions as sessions
        inner join users using (user_id)
        cross join marts.dim_settings
        where
            session_date - first_date between 7 and 13
            and date_trunc('week', first_date)::date + 20 < as_of::date""")
    second = "cohort__week_number = 2"
    assert metrics.value("retained_users", second) == retained
    assert metrics.value("cohort_users", second) == users
    for bracket, rate in answers(metrics, ["return_rate"], ["return__bracket"]):
        assert [(rate,)] == rows(f"""
            select return_rate from marts.fct_return_by_starter
            where starter_event_name = '(all)' and bracket = '{bracket}'""")


def test_effects_are_the_difference_between_the_arms(metrics, rows):
    effects = answers(metrics, ["intervention_effect"], ["trial__intervention"])
    truths = rows("""
        select intervention, effect from marts.fct_intervention_results
        where segment = '(all)' order by intervention""")
    assert [name for name, _ in effects] == [name for name, _ in truths]
    assert [effect for _, effect in effects] == pytest.approx([effect for _, effect in truths])


def test_the_days_have_no_hole_and_hold_every_session(rows):
    [(days, span, first, last)] = rows("""
        select count(*), max(date_day) - min(date_day) + 1, min(date_day), max(date_day)
        from metrics.time_spine_days""")
    [(first_session, last_session)] = rows(
        "select min(session_date), max(session_date) from marts.fct_sessions"
    )
    assert days == span
    assert first <= first_session
    assert last_session <= last


# The command


def test_without_options_the_metrics_are_listed(ask, metrics):
    code, printed = ask()
    assert code == 0
    assert set(metrics.described) <= set(printed.split())


def test_a_question_is_answered_in_a_table_sql_or_a_file(ask, rows, tmp_path):
    question = ["--metrics", "sessions", "--group-by", "session__platform"]
    where = [
        "--where",
        "session__city <> 'It''s session__city'",
        "--order=-sessions",
        "--limit",
        "1",
    ]
    [(platform, sessions)] = rows("""
        select platform, count(*) as n from marts.fct_sessions
        group by platform order by n desc limit 1""")
    code, printed = ask(*question, *where)
    assert (code, printed.split()[-2:]) == (0, [platform, str(sessions)])
    _, sql = ask(*question, *where, "--explain")
    assert rows(sql) == [(platform, sessions)]
    file = tmp_path / "answer.csv"
    assert ask(*question, *where, "--csv", str(file)) == (0, f"1 row is in {file}")
    assert list(csv.reader(file.open())) == [
        ["session__platform", "sessions"],
        [platform, str(sessions)],
    ]


def test_days_are_written_as_days_and_times_are_inclusive(ask, rows):
    question = ["--metrics", "sessions", "--group-by", "metric_time"]
    [(first,), (second,)] = rows(
        "select distinct session_date from marts.fct_sessions order by all limit 2"
    )
    _, printed = ask(*question, "--start-time", str(first), "--end-time", str(second))
    assert [line.split()[0] for line in printed.splitlines()[2:]] == [str(first), str(second)]
    _, dimensions = ask("--metrics", "sessions,landed_rows", "--dimensions")
    assert dimensions.splitlines()[0] == "metric_time"
    assert "session__platform" not in dimensions


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ["--metrics", "conversion"],
            "There is no metric conversion (near it: conversion_rate, converted_sessions, "
            "conversions_won_low); make metrics lists them all.",
        ),
        (
            ["--metrics", "sessions,landed_rows", "--group-by", "session__platform"],
            "The metrics have no dimension session__platform in common (near it: none); "
            "--dimensions lists those that they have.",
        ),
        (
            ["--metrics", "sessions", "--where", "session__plat = 'ios'"],
            "The metrics have no dimension session__plat in common (near it: session__platform, "
            "session__pattern, session__result); --dimensions lists those that they have.",
        ),
        (
            ["--metrics", "sessions", "--order", "users"],
            "The answer cannot be ordered by users, but by sessions.",
        ),
        (
            ["--metrics", "sessions", "--where", "{{ Dimension('session__city') }} = 'Pune'"],
            "The condition {{ Dimension('session__city') }} = 'Pune' has braces; name dimensions "
            "as they are, like session__city = 'Pune'.",
        ),
        (
            ["--metrics", "sessions", "--where", "platform = 'ios'"],
            "The warehouse warehouse.duckdb cannot answer this (Referenced column \"platform\" not "
            "found in FROM clause!): look at the condition, or run make build where it is of an "
            "older version.",
        ),
        (
            ["--metrics", "sessions", "--start-time", "yesterday"],
            "'yesterday' is no day; write one like 2026-01-12.",
        ),
        (
            ["--metrics", "sessions", "--limit", "-1"],
            "'-1' is no number of rows; write one like --limit 10.",
        ),
        (
            ["--metrics", "sessions", "--csv", "no/such/folder.csv"],
            "no/such/folder.csv cannot be written (No such file or directory); name another.",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_one_sentence(ask, options, sentence):
    assert ask(*options) == (1, sentence)


def test_a_warehouse_that_is_not_there_or_being_written_is_one_sentence(ask, monkeypatch, tmp_path):
    warehouse = tmp_path / "it's.duckdb"
    monkeypatch.setenv("DROPOFF_WAREHOUSE", str(warehouse))
    assert ask("--metrics", "sessions") == (
        1, f"There is no warehouse at {warehouse}: run make build first.",
    )  # fmt: skip
    warehouse.write_text("no warehouse")
    assert ask("--metrics", "sessions") == (
        1,
        f"The warehouse {warehouse} cannot be read now: ask again when its build has ended.",
    )


def test_every_question_of_the_documentation_is_answered(ask):
    page = (ROOT / "docs" / "metrics.md").read_text()
    questions = [
        shlex.split(line)[2:] for line in re.findall("^make metrics.*$", page, re.MULTILINE)
    ]
    assert [] in questions
    for question in questions:
        options = shlex.split("".join(question).removeprefix("QUERY="))
        code, printed = ask(*options)
        assert code == 0, printed
        assert len(printed.splitlines()) > 2
    answer = re.search("\n```\n(session__platform.*?)\n```\n", page, re.DOTALL)[1]
    assert ask("--metrics", "sessions,conversion_rate", "--group-by", "session__platform") == (
        0,
        answer,
    )
