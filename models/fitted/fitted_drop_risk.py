"""Drop risk: how likely a session that has come this far does not convert, fitted stage by stage.

Logistic regression (scikit-learn) on the sessions of the earlier part of time; the later part is
for the backtest, fct_drop_risk_backtest. Numbers come with their squares: those who rush and those
who dawdle are lost alike. Its coefficients are a table, so that any engine scores in
SQL. Gradient boosting is fitted beside it, to say how much a model that is no table would add.
"""

from typing import Any

import duckdb
import numpy as np
import pandas as pd

SEED = 20260112
LOWEST, HIGHEST = 0.01, 0.99  # percentiles that numbers are held between
RAREST_SHARE, RAREST_COUNT = 0.005, 30  # of the sessions: a rarer value tells nothing
# C of scikit-learn, the inverse of what large coefficients cost: chosen by the Brier score in three
# parts of the sessions it is fitted on
PENALTIES = (0.003, 0.01, 0.03, 0.1, 1.0)
FEWEST_SESSIONS = 50  # at a stage, to learn from, and of either outcome a fifth of that
MOST_SESSIONS = 100_000  # at a stage; more teach ten coefficients nothing
DIGITS = 9

COLUMNS = {
    "stage_order": "Int32",
    "term": "string",
    "feature_name": "string",
    "feature_value": "string",
    "coefficient": "Float64",
    "low": "Float64",
    "high": "Float64",
    "center": "Float64",
    "scale": "Float64",
    "trained_until": "datetime64[us]",
    "count_trained": "Int64",
    "base_rate": "Float64",
    "count_tested": "Int64",
    "boosted_auc": "Float64",
    "boosted_brier": "Float64",
}


def scale_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per number: low, high, center and scale; a number that is always alike has 0."""
    if frame.empty or not len(frame.columns):
        return pd.DataFrame(columns=["low", "high", "center", "scale"], dtype=float)
    held = frame.clip(frame.quantile(LOWEST), frame.quantile(HIGHEST), axis=1)
    scales = {
        "low": held.min(),
        "high": held.max(),
        "center": held.mean(),
        "scale": held.std(ddof=0),
    }
    return pd.DataFrame(scales).round(DIGITS)


def known_values(column: pd.Series) -> list[str]:
    """The values that are frequent enough to learn from, but for the most frequent one.

    That one is what the others are compared with: its coefficient would be 0.
    """
    counts = column.value_counts().rename_axis("value").reset_index(name="count")
    counts = counts.sort_values(["count", "value"], ascending=[False, True])
    least = max(RAREST_COUNT, RAREST_SHARE * len(column))
    return [row.value for row in counts.iloc[1:].itertuples() if row.count >= least]


def design(frame: pd.DataFrame, scales: pd.DataFrame, values: dict[str, list[str]]) -> np.ndarray:
    """Sessions x terms: the scaled numbers, their squares, and a 0 or 1 for each known value."""
    parts = []
    for name, row in scales.iterrows():
        held = frame[name].clip(row["low"], row["high"]) - row["center"]
        parts.append(held / row["scale"] if row["scale"] > 0 else held * 0)
    parts += [part**2 for part in parts]
    parts += [frame[name] == value for name, known in values.items() for value in known]
    return np.column_stack(parts).astype(float) if parts else np.zeros((len(frame), 0))


def boosted_scores(
    train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]
) -> dict[str, float | None]:
    """AUC and Brier score of gradient boosting on the later sessions; None where all end alike."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import brier_score_loss, roc_auc_score

    if len(np.unique(test[1])) < 2:
        return {"boosted_auc": None, "boosted_brier": None}
    model = HistGradientBoostingClassifier(
        max_iter=60, learning_rate=0.05, max_leaf_nodes=8, early_stopping=False, random_state=SEED
    )
    predicted = model.fit(*train).predict_proba(test[0])[:, 1]
    return {
        "boosted_auc": round(roc_auc_score(test[1], predicted), DIGITS),
        "boosted_brier": round(brier_score_loss(test[1], predicted), DIGITS),
    }


def fit_stage(
    train: pd.DataFrame, test: pd.DataFrame, numbers: list[str], categories: list[str]
) -> pd.DataFrame:
    """The terms of one stage: an intercept, and where there is enough to learn from, all others.

    With less, the intercept is the rate of the stage itself: one success and one failure added,
    so that nothing is certain.
    """
    from sklearn.linear_model import LogisticRegressionCV

    dropped = train["is_dropped"].to_numpy()
    rate = (dropped.sum() + 1) / (len(dropped) + 2)
    facts = {
        "count_trained": len(train),
        "base_rate": round(rate, DIGITS),
        "count_tested": len(test),
    }
    least = FEWEST_SESSIONS / 5
    if len(train) < FEWEST_SESSIONS or min(dropped.sum(), (1 - dropped).sum()) < least:
        intercept = np.log(rate / (1 - rate)).round(DIGITS)
        return pd.DataFrame([{"term": "intercept", "coefficient": intercept, **facts}])
    scales = scale_numbers(train[numbers])
    values = {name: known_values(train[name]) for name in categories}
    matrix = design(train, scales, values)
    fitted = LogisticRegressionCV(
        Cs=PENALTIES,
        l1_ratios=(0,),
        cv=3,
        scoring="neg_brier_score",
        max_iter=1_000,
        use_legacy_attributes=False,
    ).fit(matrix, dropped)
    coefficients = iter(fitted.coef_[0].round(DIGITS))
    rows = [{"term": "intercept", "coefficient": fitted.intercept_[0].round(DIGITS)}]
    for term in ("number", "square"):
        for name, row in scales.iterrows():
            scale = {"feature_name": name, **row}
            rows.append({"term": term, **scale, "coefficient": next(coefficients)})
    for name, known in values.items():
        for value in known:
            term = {"term": "category", "feature_name": name, "feature_value": value}
            rows.append({**term, "coefficient": next(coefficients)})
    later = (design(test, scales, values), test["is_dropped"].to_numpy())
    return pd.DataFrame(rows).assign(**facts, **boosted_scores((matrix, dropped), later))


def features_of(moments: pd.DataFrame) -> tuple[list[str], list[str]]:
    """The columns that risk is judged by: numbers, and texts."""
    numbers = [name for name in moments if name.startswith(("log_", "repeat_", "has_"))]
    texts = [name for name in moments if isinstance(moments[name].dtype, pd.StringDtype)]
    return numbers, [name for name in texts if name != "session_id"]


def fit_risk(moments: pd.DataFrame, train_share: float) -> pd.DataFrame:
    """All stages. moments is in the order of session_started_at and session_id."""
    numbers, categories = features_of(moments)
    starts = moments.drop_duplicates("session_id")["session_started_at"].reset_index(drop=True)
    trained_until = starts[min(int(len(starts) * train_share), len(starts) - 1)]
    frames = []
    for stage, of_stage in moments.groupby("stage_order"):
        is_earlier = of_stage["session_started_at"] < trained_until
        train = of_stage[is_earlier].sort_values("session_id").head(MOST_SESSIONS)
        test = of_stage[~is_earlier].sort_values("session_id").head(MOST_SESSIONS)
        fitted = fit_stage(train, test, numbers, categories)
        frames.append(fitted.assign(stage_order=stage, trained_until=trained_until))
    return pd.concat(frames)


def as_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The columns of the table, typed and in order; no rows where there are none."""
    table = rows.reindex(columns=list(COLUMNS)).astype(COLUMNS)
    return table.sort_values(["stage_order", "term", "feature_name", "feature_value"])


def last_fit(dbt: Any, session: duckdb.DuckDBPyConnection) -> pd.DataFrame:  # noqa: ANN401
    """The rows of the fit before this build; none where there was none, or one of other columns."""
    try:
        rows = session.execute(f"select {', '.join(COLUMNS)} from {dbt.this}").df()
    except duckdb.Error:
        rows = pd.DataFrame(columns=list(COLUMNS))
    return rows.astype(COLUMNS)


def is_still_good(last: pd.DataFrame, stages: set[int], is_asked: bool) -> bool:
    """Nobody asked for a new fit, and the last one learned something of these stages."""
    return not is_asked and "number" in set(last["term"]) and stages <= set(last["stage_order"])


def model(dbt: Any, session: duckdb.DuckDBPyConnection) -> pd.DataFrame:  # noqa: ANN401
    """Fit where nothing is fitted, where asked to, and where a stage is new."""
    dbt.config(materialized="table")
    outcomes = dbt.ref("int_stage_outcomes")
    train_share = dbt.config.get("train_share")

    is_asked = dbt.ref("base_app__this_build").project("refits").fetchall() == [(True,)]
    rows = last = last_fit(dbt, session)
    stages = {row[0] for row in outcomes.project("stage_order").distinct().fetchall()}
    if not is_still_good(last, stages, is_asked):
        import sklearn.ensemble  # noqa: F401 (a library that is loaded later is not limited)
        from threadpoolctl import threadpool_limits

        moments = outcomes.order("session_started_at, session_id").df()
        # threads would add up in another order on another machine
        with threadpool_limits(1):
            rows = fit_risk(moments, float(train_share)) if len(moments) else last.head(0)
    return as_table(rows)
