"""Simulate ledgers of a known effect, and count how often the interval of the model covers it.

Users have several sessions and differ in how often they convert, so that sessions of one person are
alike. Arms are drawn for each session, or once for each user and held. All ledgers go through the
SQL of the models as dbt compiles it, in one run of DuckDB.

    python bench/coverage.py --ledgers 200 --seed 1
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "target" / "coverage"
# in flow order; the compiled SQL of one reads what those before it made
MODELS = [
    ("effects", "int_unit_segments"),
    ("effects", "int_effect_sums"),
    ("effects", "int_effects"),
    ("marts", "fct_intervention_results"),
]
EFFECTS = (0.0, 0.05)
USERS = 300
# three sessions a user on average, and a long tail of those who come often
SESSION_STOPS = 1 / 3
# people differ: rates about 0.25, from nearly none to more than half
RATE_BETA = (1.5, 4.5)
# so that no rate with an effect on it is above 1
LARGEST_RATE = 0.95


def simulated_ledger(
    rng: np.random.Generator,
    intervention: str,
    effect: float,
    treated_share: float,
    is_by_user: bool,
) -> pd.DataFrame:
    """Give rows of int_assigned_units, all matured, of one intervention with this true effect."""
    user = np.repeat(np.arange(USERS), rng.geometric(SESSION_STOPS, USERS))
    rate = np.minimum(rng.beta(*RATE_BETA, USERS), LARGEST_RATE - effect)[user]
    is_treated = rng.random(USERS if is_by_user else len(user)) < treated_share
    if is_by_user:
        is_treated = is_treated[user]
    return pd.DataFrame(
        {
            "assignment_id": [f"{intervention} {number}" for number in range(len(user))],
            "intervention": intervention,
            "user_id": [f"user {number}" for number in user],
            "arm": np.where(is_treated, "treated", "control"),
            "is_converted": rng.random(len(user)) < rate + effect * is_treated,
        }
    )


def simulated_units(rng: np.random.Generator, count_ledgers: int) -> tuple[pd.DataFrame, dict]:
    """Give units of many ledgers, and {intervention: (kind, true effect)}."""
    ledgers, truth = [], {}
    for kind, treated_share, is_by_user in [
        ("by session", 0.5, False),
        ("by user", 0.5, True),
        ("by session, 60 to 40", 0.6, False),
    ]:
        for effect in EFFECTS:
            for number in range(count_ledgers):
                name = f"{kind} {effect} {number}"
                truth[name] = (kind, effect)
                ledgers.append(simulated_ledger(rng, name, effect, treated_share, is_by_user))
    units = pd.concat(ledgers, ignore_index=True)
    return units, truth


def results_of(units: pd.DataFrame, queries: dict[str, str]) -> pd.DataFrame:
    """Give fct_intervention_results over units, by the compiled SQL of the models, by name."""
    connection = duckdb.connect()
    connection.execute("attach ':memory:' as warehouse")
    connection.execute("create schema warehouse.effects")
    connection.execute("create schema warehouse.marts")
    connection.register("units", units)
    connection.execute("""
        create table warehouse.effects.int_assigned_units as
        select
            *,
            'session' as unit,
            'select_seat' as stage,
            0.5 as planned_treated_share,
            timestamp '2026-01-12 10:00:00' as assigned_at,
            date '2026-01-12' as assigned_date,
            'matured' as unit_state,
            'ios' as platform,
            '5.3.1' as app_version,
            'Pune' as city,
            'returning' as user_type,
            '08:00-11:59' as hour_of_day
        from units
    """)
    for schema, name in MODELS:
        connection.execute(f"create table warehouse.{schema}.{name} as {queries[name]}")
    return connection.execute(
        "select * from warehouse.marts.fct_intervention_results where segment = '(all)'"
    ).df()


def compiled_queries(target: Path) -> dict[str, str]:
    """Read what dbt compiled below a target folder: {model: SQL}."""
    models = target / "compiled" / "dropoff" / "models"
    return {name: (models / schema / f"{name}.sql").read_text() for schema, name in MODELS}


def told(results: pd.DataFrame, truth: dict) -> pd.DataFrame:
    """Give, for each kind of ledger and true effect, how often the interval covers it."""
    truth = pd.DataFrame.from_dict(truth, orient="index", columns=["arms", "true_effect"])
    found = results.join(truth, on="intervention")
    found["covers"] = found.true_effect.between(found.effect_low, found.effect_high)
    found["half_width"] = (found.effect_high - found.effect_low) / 2
    return (
        found.groupby(["arms", "true_effect"])
        .agg(
            ledgers=("covers", "size"),
            covers=("covers", "mean"),
            mean_effect=("effect", "mean"),
            half_width=("half_width", "mean"),
            srm_warnings=("is_srm_warning", "mean"),
        )
        .reset_index()
    )


def compile_models() -> dict[str, str]:
    """Let dbt compile the models against an empty warehouse; give their SQL."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    # compiled SQL names the warehouse by its file
    environment = os.environ | {"DROPOFF_WAREHOUSE": str(FOLDER / "warehouse.duckdb")}
    dbt = Path(sys.executable).with_name("dbt")
    names = [name for _, name in MODELS]
    subprocess.run(
        [dbt, "--quiet", "compile", "--select", *names, "--target-path", FOLDER],
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return compiled_queries(FOLDER)


def main() -> None:
    """Simulate, measure, print one line for each kind of ledger."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ledgers", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    units, truth = simulated_units(np.random.default_rng(given.seed), given.ledgers)
    table = told(results_of(units, compile_models()), truth)
    print(table.to_string(index=False, float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
