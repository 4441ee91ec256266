"""How near drop risk comes to the best that the simulator's truth allows.

The simulator is asked for many times the demo's sessions, of another seed. From all of them
gradient boosting learns what can be told of a session's end by what drop risk knows, and is tested
on the demo's later sessions, as the backtest is. What is left is chance.

    python bench/risk_ceiling.py --scale 8 --seed 2
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import brier_score_loss, roc_auc_score

sys.path.append(str(Path(__file__).resolve().parents[1] / "models" / "fitted"))
from fitted_drop_risk import features_of

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "bench" / ".data" / "risk_ceiling"


def simulate(scale: float, seed: int) -> Path:
    """Simulate and build up to the moments. Returns the warehouse."""
    events, warehouse = FOLDER / "events", FOLDER / "w.duckdb"
    python, dbt = Path(sys.executable), Path(sys.executable).with_name("dbt")
    simulator = [python, "landing/simulate.py", "--seed", str(seed), "--scale", str(scale)]
    folders = ["--out", events, "--truth", FOLDER / "truth"]
    subprocess.run([*simulator, *folders], cwd=ROOT, check=True)
    names = {"DROPOFF_EVENTS": str(events), "DROPOFF_WAREHOUSE": str(warehouse)}
    models = ["--select", "+int_stage_outcomes", "--target-path", str(FOLDER / "target")]
    subprocess.run(
        [dbt, "run", "--quiet", "--full-refresh", *models],
        cwd=ROOT,
        env=os.environ | names,
        check=True,
    )
    return warehouse


def moments(warehouse: Path) -> pd.DataFrame:
    """What was known at each stage, and how the session ended."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        query = "from fitted.int_stage_outcomes order by session_id, stage_order"
        return connection.execute(query).df()


def matrix(frame: pd.DataFrame, known: dict[str, list[str]]) -> np.ndarray:
    """Numbers, and categories as their place among the known ones."""
    texts = [pd.Categorical(frame[name], values).codes for name, values in known.items()]
    return np.column_stack([frame[features_of(frame)[0]], *texts]).astype(float)


def main() -> None:
    """Print one line a stage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=8.0)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--demo", type=Path, default=ROOT / "warehouse.duckdb")
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    truth, demo = moments(simulate(options.scale, options.seed)), moments(options.demo)
    with duckdb.connect(str(options.demo), read_only=True) as connection:
        measured = connection.execute("""
            select distinct stage_order, stage, trained_until, auc, brier, brier_of_base_rate
            from marts.fct_drop_risk_backtest order by stage_order
        """).df()
    numbers, categories = features_of(truth)
    known = {name: sorted(truth[name].unique()) for name in categories}
    rows = []
    for stage in measured.itertuples():
        learn = truth[truth["stage_order"] == stage.stage_order]
        test = demo[
            (demo["stage_order"] == stage.stage_order)
            & (demo["session_started_at"] >= stage.trained_until)
        ]
        best = HistGradientBoostingClassifier(
            max_iter=300, learning_rate=0.05, max_leaf_nodes=31, random_state=1,
            categorical_features=range(len(numbers), len(numbers) + len(categories)),
        ).fit(matrix(learn, known), learn["is_dropped"])  # fmt: skip
        predicted = best.predict_proba(matrix(test, known))[:, 1]
        rows.append(
            {
                "stage": stage.stage,
                "sessions learned from": len(learn),
                "AUC": stage.auc,
                "AUC at best": roc_auc_score(test["is_dropped"], predicted),
                "Brier of base rate": stage.brier_of_base_rate,
                "Brier": stage.brier,
                "Brier at best": brier_score_loss(test["is_dropped"], predicted),
            }
        )
    print(pd.DataFrame(rows).round(4).to_string(index=False))


if __name__ == "__main__":
    main()
