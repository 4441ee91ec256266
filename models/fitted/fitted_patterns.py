"""Patterns: sessions clustered by what they did, fitted here, assigned in SQL.

k-means (scikit-learn) on a sample in the order of session_id, which is a hash. Continuous features
are held between their 1st and 99th percentile and every feature is scaled to its spread, so that
no outlier makes a pattern of its own. Of the numbers of patterns allowed, the one with the highest
silhouette (Rousseeuw 1987) is taken among those that two halves of the sample agree on.

A new fit keeps the ids and names of the earlier one: its centroids are matched to the earlier ones
(the assignment of least total distance), unless the nearest is too far to be the same pattern.
"""

import re
from collections.abc import Iterable
from typing import Any

import duckdb
import numpy as np
import pandas as pd

SEED = 20260112
LOWEST, HIGHEST = 0.01, 0.99  # percentiles that continuous features are held between
STARTS = 10  # of k-means, the best of which counts
SILHOUETTE_SESSIONS = 3_000  # the silhouette of all pairs of more would take minutes
LEAST_STABILITY = 0.9  # adjusted Rand index between fits to two halves of the sample
SESSIONS_PER_PATTERN = 10  # with fewer, all sessions are one pattern until there are more
DIGITS = 9
ALL_SESSIONS = "All sessions"

COLUMNS = {
    "count_patterns": "Int32",
    "silhouette": "Float64",
    "stability": "Float64",
    "is_chosen": "boolean",
    "pattern_number": "Int32",
    "pattern_id": "string",
    "pattern_name": "string",
    "change": "string",
    "count_in_sample": "Int64",
    "feature_number": "Int32",
    "feature_name": "string",
    "weight": "Float64",
    "low": "Float64",
    "high": "Float64",
    "center": "Float64",
    "scale": "Float64",
    "value": "Float64",
}

Array = np.ndarray


def scale_features(raw: Array, features: pd.DataFrame) -> tuple[pd.DataFrame, Array]:
    """Return (features with low, high, center and scale; sessions x features, scaled and weighed).

    A feature that is alike in all sessions has the scale 0 and says nothing.
    """
    is_flag = features["is_flag"].to_numpy(bool)
    low = np.where(is_flag, 0, np.quantile(raw, LOWEST, axis=0))
    high = np.where(is_flag, 1, np.quantile(raw, HIGHEST, axis=0))
    held = np.clip(raw, low, high)
    bounds = {"low": low, "high": high, "center": held.mean(axis=0), "scale": held.std(axis=0)}
    bounds = {name: values.round(DIGITS) for name, values in bounds.items()}
    scaled = features.assign(**bounds)
    return scaled, (held - bounds["center"]) * factors(scaled)


def factors(scaled: pd.DataFrame) -> Array:
    """What each centred feature is multiplied by."""
    scale = scaled["scale"].to_numpy()
    return np.where(scale > 0, scaled["weight"] / np.where(scale > 0, scale, 1), 0)


def fit(points: Array, count: int) -> Any:  # noqa: ANN401 (scikit-learn is imported late)
    """k-means with a seed."""
    from sklearn.cluster import KMeans

    return KMeans(count, n_init=STARTS, random_state=SEED).fit(points)


def candidates(points: Array, counts: Iterable[int]) -> list[dict]:
    """Each number of patterns with its fit, its silhouette and its stability."""
    from sklearn.metrics import adjusted_rand_score, silhouette_score

    distinct = len(np.unique(points, axis=0))
    found = []
    for count in counts:
        if len(points) < count * SESSIONS_PER_PATTERN or distinct < count * 2:
            continue
        fitted = fit(points, count)
        halves = [fit(points[half::2], count).predict(points) for half in (0, 1)]
        few = slice(SILHOUETTE_SESSIONS)
        found.append(
            {
                "count_patterns": count,
                "centroids": fitted.cluster_centers_.round(DIGITS),
                "labels": fitted.labels_,
                "silhouette": round(silhouette_score(points[few], fitted.labels_[few]), DIGITS),
                "stability": round(adjusted_rand_score(*halves), DIGITS),
            }
        )
    return found


def whole(points: Array) -> dict:
    """One pattern that all sessions are of."""
    return {
        "count_patterns": 1,
        "centroids": points.mean(axis=0, keepdims=True).round(DIGITS),
        "labels": np.zeros(len(points), dtype=int),
        "silhouette": None,
        "stability": None,
    }


def choose(found: list[dict]) -> dict:
    """The most distinct patterns among the stable ones; where none are, the most stable."""
    stable = [one for one in found if one["stability"] >= LEAST_STABILITY]
    if not stable:
        return max(found, key=lambda one: (one["stability"], -one["count_patterns"]))
    return max(stable, key=lambda one: (one["silhouette"], -one["count_patterns"]))


def match(centroids: Array, scaled: pd.DataFrame, earlier: pd.DataFrame) -> dict[int, str]:
    """{new pattern: earlier id}: the assignment of least total distance, in the new scale.

    A pattern is the same if it is nearer to the earlier centroid than half of what lay between
    that one and its nearest neighbour.
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    if earlier.empty:
        return {}
    means = earlier.pivot(index="pattern_id", columns="feature_name", values="mean")
    means = means.reindex(columns=scaled["feature_name"]).to_numpy()
    ids = sorted(earlier["pattern_id"].unique())
    held = np.clip(means, scaled["low"].to_numpy(), scaled["high"].to_numpy())
    before = (held - scaled["center"].to_numpy()) * factors(scaled)
    before = np.nan_to_num(before)  # a feature that is new says nothing
    apart = cdist(before, before) + np.where(np.eye(len(before)), np.inf, 0)
    distance = cdist(centroids, before)
    return {
        new: ids[old]
        for new, old in zip(*linear_sum_assignment(distance), strict=True)
        if distance[new, old] <= apart[old].min() / 2
    }


def base_names(raw: Array, labels: Array, features: list[str], words: dict) -> list[str]:
    """What each pattern is called after: how it ended, else how far it came."""
    names = []
    for pattern in range(labels.max() + 1):
        mine = dict(zip(features, raw[labels == pattern].T, strict=True))
        ends = {funnel: mine[f"ends_in:{funnel}"].mean() for funnel in words["other_funnels"]}
        funnel = max(ends, key=ends.get) if ends and max(ends.values()) >= 0.5 else None
        stage = int(np.bincount(mine["progress"].astype(int)).argmax())
        if labels.max() == 0:
            names.append(ALL_SESSIONS)
        elif mine["is_converted"].mean() >= 0.5:
            names.append(words["conversion"])
        elif mine["is_bounce"].mean() >= 0.5:
            names.append(f"{words['other_funnels'][funnel]} bounces" if funnel else "Bounces")
        elif funnel:
            names.append(f"{words['other_funnels'][funnel]} drop-offs")
        elif stage == 0:
            names.append(f"Left before {words['stages'][1]}")
        else:
            names.append(f"{words['stages'][stage]} drop-offs")
    return names


def distinct_names(names: list[str], seconds: list[float], taken: set[str]) -> list[str]:
    """Tell patterns of one name apart by how long their sessions last, and else by a number."""
    told = list(names)
    for name in sorted(set(names)):
        alike = sorted(
            (i for i, other in enumerate(names) if other == name), key=seconds.__getitem__
        )
        if len(alike) > 1:
            words = ["Quick", *["Unhurried"] * (len(alike) - 2), "Long"]
            for place, word in zip(alike, words, strict=True):
                told[place] = f"{word} {name[0].lower()}{name[1:]}"
    for place, name in enumerate(told):
        number, unique = 1, name
        while unique in taken:
            number, unique = number + 1, f"{name} {number + 1}"
        told[place] = unique
        taken.add(unique)
    return told


def name_patterns(
    chosen: dict, raw: Array, scaled: pd.DataFrame, earlier: pd.DataFrame, words: dict
) -> pd.DataFrame:
    """Number, id, name, size and what changed, for each pattern; new ids go on from the earlier."""
    labels, features = chosen["labels"], list(scaled["feature_name"])
    matched = match(chosen["centroids"], scaled, earlier) if chosen["count_patterns"] > 1 else {}
    sizes = np.bincount(labels, minlength=chosen["count_patterns"])
    known = earlier.drop_duplicates("pattern_id").set_index("pattern_id")["pattern_name"].to_dict()
    next_id = max((int(re.sub(r"\D", "", one)) for one in known), default=0) + 1
    seconds = raw[:, features.index("log_duration")]
    new = [one for one in np.argsort(-sizes, kind="stable") if one not in matched]
    bases = base_names(raw, labels, features, words)
    medians = [float(np.median(seconds[labels == one])) for one in new]
    # what vanished keeps its name, too: a name never comes to mean another pattern
    names = distinct_names([bases[one] for one in new], medians, set(known.values()))
    rows = [
        (one, f"P{next_id + i}", name, "new")
        for i, (one, name) in enumerate(zip(new, names, strict=True))
    ]
    rows += [(one, old, known[old], "kept") for one, old in matched.items()]
    named = pd.DataFrame(rows, columns=["pattern_number", "pattern_id", "pattern_name", "change"])
    return named.assign(count_in_sample=sizes[named["pattern_number"]])


def in_rows(one: dict, scaled: pd.DataFrame, is_chosen: bool) -> pd.DataFrame:
    """One row per pattern and feature of one number of patterns."""
    parts = [
        scaled.assign(pattern_number=number, value=values)
        for number, values in enumerate(one["centroids"])
    ]
    scores = {name: one[name] for name in ("count_patterns", "silhouette", "stability")}
    return pd.concat(parts).assign(is_chosen=is_chosen, **scores)


def fit_patterns(
    raw: Array, features: pd.DataFrame, counts: Iterable[int], earlier: pd.DataFrame, words: dict
) -> pd.DataFrame:
    """Fit, choose, match and name. raw is sessions x features, in their order."""
    scaled, points = scale_features(raw, features)
    found = candidates(points, counts)
    chosen = choose(found) if found else whole(points)
    frames = [in_rows(one, scaled, one is chosen) for one in found or [chosen]]
    named = name_patterns(chosen, raw, scaled, earlier, words)
    rows = pd.concat(frames)
    rows = rows.merge(named.assign(is_chosen=True), how="left", on=["is_chosen", "pattern_number"])
    gone = earlier[~earlier["pattern_id"].isin(named["pattern_id"])]
    if chosen["count_patterns"] > 1:
        rows = pd.concat([rows, gone.assign(is_chosen=False, change="vanished")])
    return rows


def as_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The columns of the table, typed and in order; no rows where there are none."""
    table = rows.reindex(columns=list(COLUMNS)).astype(COLUMNS)
    return table.sort_values(["count_patterns", "pattern_number", "pattern_id", "feature_number"])


def last_fit(dbt: Any, session: duckdb.DuckDBPyConnection) -> pd.DataFrame:  # noqa: ANN401
    """The rows of the fit before this build; none where there was none, or one of other columns."""
    try:
        rows = session.execute(f"select {', '.join(COLUMNS)} from {dbt.this}").df()
    except duckdb.Error:
        rows = pd.DataFrame(columns=list(COLUMNS))
    return rows.astype(COLUMNS)


def known_patterns(last: pd.DataFrame) -> pd.DataFrame:
    """The patterns that have a name, with their centroids in the units of the features."""
    named = last[last["pattern_id"].notna() & (last["pattern_name"] != ALL_SESSIONS)]
    plain = named.astype(dict.fromkeys(("weight", "center", "scale", "value"), float))
    factor = factors(plain)
    return named.assign(mean=plain["value"] / np.where(factor > 0, factor, 1) + plain["center"])


def words_of(stages: pd.DataFrame, funnels: pd.DataFrame) -> dict:
    """What the settings call the stages of the primary funnel, its conversion, and the funnels."""
    primary = funnels.loc[funnels["is_primary"], "funnel"].iloc[0]
    own = stages[stages["funnel"] == primary]
    others = funnels.loc[~funnels["is_primary"], "funnel"]
    return {
        "stages": dict(zip(own["stage_order"], own["stage_label"], strict=True)),
        "conversion": own.loc[own["stage_outcome"] == "conversion", "result_label"].iloc[0],
        "other_funnels": {name: name[0].upper() + name[1:] for name in others},
    }


def draw_sample(sessions: Any, count: int) -> Array:  # noqa: ANN401 (a relation)
    """Sessions x features: ended sessions, or where none has ended, any."""
    for condition in ("not is_open", "true"):
        sample = sessions.filter(condition).order("session_id").limit(count).df()
        if len(sample):
            break
    return np.array(sample["features"].tolist(), dtype=float)


def is_still_good(last: pd.DataFrame, features: pd.DataFrame, is_asked: bool) -> bool:
    """Nobody asked for a new fit, and the last one tells patterns apart by these features."""
    chosen = last[last["is_chosen"].fillna(False)]
    return (
        not is_asked
        and chosen["pattern_id"].nunique() > 1
        and set(chosen["feature_name"]) == set(features["feature_name"])
    )


def model(dbt: Any, session: duckdb.DuckDBPyConnection) -> pd.DataFrame:  # noqa: ANN401
    """Fit where nothing is fitted, where asked to, and where the features are others."""
    dbt.config(materialized="table")
    features = dbt.ref("int_pattern_features").order("feature_number").df()
    sessions = dbt.ref("int_session_features")
    stages = dbt.ref("stg_settings__funnel_stages").order("funnel, stage_order").df()
    funnels = dbt.ref("stg_settings__funnels").order("funnel").df()
    # each by itself: dbt looks for them by reading this file
    fewest = dbt.config.get("fewest")
    most = dbt.config.get("most")
    count_sample = dbt.config.get("sample_sessions")
    counts = range(int(fewest), int(most) + 1)

    is_asked = dbt.ref("base_app__this_build").project("refits").fetchall() == [(True,)]
    rows = last = last_fit(dbt, session)
    if not is_still_good(last, features, is_asked):
        import sklearn.cluster  # noqa: F401 (a library that is loaded later is not limited)
        from threadpoolctl import threadpool_limits

        raw = draw_sample(sessions, int(count_sample))
        own = features[["feature_number", "feature_name", "weight", "is_flag"]]
        # threads would add up in another order on another machine
        with threadpool_limits(1):
            rows = (
                fit_patterns(raw, own, counts, known_patterns(last), words_of(stages, funnels))
                if len(raw)
                else last.head(0)
            )
    return as_table(rows)
