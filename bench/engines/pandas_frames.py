"""W in pandas: one frame sorted once, then shifts, fills and running sums over its columns.

Names, platforms, versions and cities are categories and texts are Arrow's, as pandas advises for
large frames. A session's id is that of its opening event. `write` is shared with the engine of
retentioneering, as are the functions that land, reject and sessionize.
"""

import sys
from pathlib import Path

import pandas as pd
from settings import (
    BOUNCE_UNDER_SECONDS,
    CONVERSION_STAGE,
    COUNT_STAGES,
    FUTURE_TOLERANCE_SECONDS,
    JOURNEY_MAX_STEPS,
    OLDEST_EVENT_TIME,
    RETENTION_WEEKS,
    ROLES,
    SESSION_OPEN_MINUTES,
    STAGES,
    STARTER_JOIN_SECONDS,
)

TOLERANCE = pd.Timedelta(seconds=FUTURE_TOLERANCE_SECONDS)
JOIN = pd.Timedelta(seconds=STARTER_JOIN_SECONDS)
CATEGORIES = ["event_name", "platform", "app_version", "city"]
COPY_ORDER = ["received_at", "event_time", "user_id", *CATEGORIES]


def write(frame: pd.DataFrame, work: str, name: str) -> None:
    """Write one table."""
    frame.to_parquet(f"{work}/{name}.parquet", index=False)


def read_landing(landing: str) -> pd.DataFrame:
    """The landed rows, texts that come again and again as categories."""
    columns = ["event_id", "user_id", "event_time", "received_at", *CATEGORIES]
    files = sorted(Path(landing).glob("*.parquet"))
    frame = pd.concat([pd.read_parquet(path, columns=columns) for path in files], ignore_index=True)
    return frame.astype(dict.fromkeys(CATEGORIES, "category"))


def is_blank(texts: pd.Series) -> pd.Series:
    """Null, empty or white space only."""
    return texts.isna() | (texts.str.strip() == "")


def judge(landed: pd.DataFrame) -> pd.DataFrame:
    """Landed rows with the first reason to reject them, or `staged`; of copies the first stays."""
    now = pd.Timestamp.now("UTC").tz_localize(None)
    is_valid = landed["received_at"].between(pd.Timestamp(OLDEST_EVENT_TIME), now + TOLERANCE)
    valid = landed["received_at"].where(is_valid)
    landed = landed.assign(
        valid_received_at=valid, received_at=valid.fillna(landed["event_time"]), judged_as="staged"
    )
    names = landed["event_name"].cat.categories
    blank_names = names[is_blank(names.to_series())]
    is_blank_name = landed["event_name"].isna() | landed["event_name"].isin(blank_names)
    reasons = {  # the last applies first
        "time_in_future": landed["event_time"] > valid.fillna(now) + TOLERANCE,
        "bad_event_time": ~(landed["event_time"] >= pd.Timestamp(OLDEST_EVENT_TIME)),
        "missing_event_name": is_blank_name,
        "missing_user_id": is_blank(landed["user_id"]),
        "missing_event_id": is_blank(landed["event_id"]),
    }
    for reason, applies in reasons.items():
        landed.loc[applies, "judged_as"] = reason
    accepted = landed.loc[landed["judged_as"] == "staged", "event_id"]
    copies = landed.loc[accepted.index[accepted.duplicated(keep=False)]]
    in_order = copies.astype(dict.fromkeys(CATEGORIES, "str")).sort_values(COPY_ORDER)
    later = in_order.index[in_order.duplicated("event_id")]
    landed.loc[later, "judged_as"] = "duplicate_event_id"
    return landed


def sessionize(staged: pd.DataFrame) -> pd.DataFrame:
    """Events in order, each with its session: a starter that does not join opens one."""
    roles = staged["event_name"].map(lambda name: ROLES.get(name, "step")).astype("category")
    events = staged.assign(role=roles)[roles != "ambient"]
    events = events.sort_values(["user_id", "event_time", "event_id"], ignore_index=True)
    user, time, role = events["user_id"], events["event_time"], events["role"]
    is_first = user != user.shift()
    user_number = is_first.cumsum()
    is_action = role.isin(["starter", "step"])

    # the nearest action before, of the same user
    last_user = user_number.where(is_action).ffill().shift()
    last_time = time.where(is_action).ffill().shift()
    last_is_starter = (role == "starter").astype(float).where(is_action).ffill().shift() == 1
    has_action = last_user == user_number
    # telemetry shortly before a user's first action belongs to the session which that opens
    next_time = time.where(is_action).bfill()
    is_of_user = user_number.where(is_action).bfill() == user_number
    leads_from = next_time - JOIN
    is_leading = ~has_action & is_of_user & (time >= leads_from)

    is_joining = has_action & last_is_starter & (time - last_time <= JOIN)
    is_beginning = (
        is_first
        | (is_leading & (time.shift() < leads_from))
        | (~is_leading & (role == "starter") & ~is_joining)
    )
    session = is_beginning.cumsum()
    row = pd.Series(range(len(events)))
    return events.assign(
        session=session,
        event_number=row - row.where(is_beginning).ffill().astype("int64") + 1,
        is_action=is_action,
        is_first_action=is_action & ~has_action,
    )


def list_steps(events: pd.DataFrame) -> pd.DataFrame:
    """A session's starters and steps in order, equal neighbours collapsed. One row per step."""
    actions = events.loc[events["is_action"], ["session", "event_name"]].reset_index(drop=True)
    code = actions["event_name"].cat.codes
    is_new = (actions["session"] != actions["session"].shift()) | (code != code.shift())
    steps = actions[is_new]
    repeats = steps.index.to_series().shift(-1, fill_value=len(actions)) - steps.index
    return steps.assign(
        repeats=repeats, step_number=steps.groupby("session").cumcount() + 1
    ).reset_index(drop=True)


def write_paths(steps: pd.DataFrame) -> pd.Series:
    """A session's path as text, by session."""
    text = steps["event_name"].astype("str")
    several = steps["repeats"] > 1
    text = text.where(~several, text + " (" + steps["repeats"].astype("str") + "x)")
    return text.astype(object).groupby(steps["session"]).agg(" → ".join)


def reach_stages(events: pd.DataFrame) -> pd.Series:
    """How far each session came, by session: the first event of stage k after that of k - 1."""
    order = events["event_name"].map(STAGES).astype(float)
    stage_events = events.loc[order.notna(), ["session", "event_number"]].assign(order=order)
    reached = pd.Series(0, index=stage_events["session"].unique())
    furthest = reached.copy()
    for stage in range(1, COUNT_STAGES + 1):
        here = stage_events[stage_events["order"] == stage]
        here = here[here["event_number"] > here["session"].map(reached)]
        reached = here.groupby("session")["event_number"].min()
        furthest[reached.index] = stage
    return furthest


def aggregate(events: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sessions by session, and their distinct starters in order (session, starter)."""
    by_session = events.groupby("session")
    first, last = (events[events["event_number"] == 1].set_index("session"), by_session.tail(1))
    last = last.set_index("session")
    opening = events[events["is_first_action"]].set_index("session")["event_id"]
    contexts = by_session[["platform", "app_version", "city"]].first()
    sessions = pd.DataFrame(
        {
            "session_id": opening.reindex(first.index).fillna(first["event_id"]),
            "user_id": first["user_id"],
            "session_started_at": first["event_time"],
            "session_ended_at": last["event_time"],
            "count_events": last["event_number"],
            "count_steps": (events["role"] == "step").groupby(events["session"]).sum(),
            "first_event_name": first["event_name"],
            "last_event_name": last["event_name"],
        }
    ).join(contexts)
    starters = events.loc[events["role"] == "starter", ["session", "event_name"]]
    starters = starters.drop_duplicates().rename(columns={"event_name": "starter"})
    starters["starter"] = starters["starter"].astype("str")
    by_session = starters.groupby("session")["starter"]
    sessions["lead_starter"] = by_session.first()
    sessions["starter_path"] = by_session.agg(" → ".join)
    return sessions, starters


def decide(sessions: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Sessions with number, date, outcome and bounce; they are in order already."""
    is_last = sessions["user_id"] != sessions["user_id"].shift(-1)
    open_from = as_of - pd.Timedelta(minutes=SESSION_OPEN_MINUTES)
    outcome = pd.Series("dropped", index=sessions.index)
    outcome[is_last & (sessions["session_ended_at"] >= open_from)] = "open"
    outcome[sessions["furthest_stage_order"] >= CONVERSION_STAGE] = "converted"
    duration = sessions["session_ended_at"] - sessions["session_started_at"]
    return sessions.assign(
        user_session_number=sessions.groupby("user_id").cumcount() + 1,
        session_date=sessions["session_started_at"].dt.normalize(),
        outcome=outcome,
        is_bounce=(outcome == "dropped") & (duration < pd.Timedelta(seconds=BOUNCE_UNDER_SECONDS)),
    )


def count_edges(sessions: pd.DataFrame, steps: pd.DataFrame) -> pd.DataFrame:
    """Transitions of the paths by position."""
    edges = steps[["session", "step_number"]].assign(source=steps["event_name"].astype("str"))
    next_source = edges["source"].shift(-1)
    is_end = edges["session"] != edges["session"].shift(-1)
    end = "(" + edges["session"].map(sessions["outcome"]) + ")"
    is_longer = (edges["step_number"] == JOURNEY_MAX_STEPS) & ~is_end
    target = next_source.where(~is_end, end).mask(is_longer, "(longer)")
    edges = edges.assign(target=target)[edges["step_number"] <= JOURNEY_MAX_STEPS]
    empty = sessions[sessions["path"] == "(none)"]
    nowhere = pd.DataFrame(
        {"step_number": 1, "source": "(none)", "target": "(" + empty["outcome"] + ")"}
    )
    edges = pd.concat([edges, nowhere]).groupby(["step_number", "source", "target"])
    return edges.size().rename("count_sessions").reset_index()


def in_groups(sessions: pd.DataFrame, starters: pd.DataFrame) -> pd.DataFrame:
    """Each session in (all) and under each of its starters; the index is the session."""
    by_starter = starters.set_index("session").join(sessions, how="inner")
    return pd.concat([sessions.assign(starter="(all)"), by_starter])


def count_funnel(sessions: pd.DataFrame, starters: pd.DataFrame) -> pd.DataFrame:
    """Sessions that reached each stage, for all and each starter."""
    groups = in_groups(sessions[["furthest_stage_order"]], starters)
    furthest = groups.value_counts().unstack(fill_value=0)
    furthest = furthest.reindex(index=range(COUNT_STAGES + 1), fill_value=0)
    reached = furthest[::-1].cumsum().loc[COUNT_STAGES:1].stack()
    return reached.rename("count_sessions").rename_axis(["stage_order", "starter"]).reset_index()


def count_end_events(sessions: pd.DataFrame) -> pd.DataFrame:
    """Sessions that are over, by their last event."""
    ended = sessions.loc[sessions["outcome"] != "open", "last_event_name"].astype("str")
    return ended.value_counts().rename_axis("event_name").rename("count_ended").reset_index()


def count_retention(
    sessions: pd.DataFrame, starters: pd.DataFrame, as_of: pd.Timestamp
) -> pd.DataFrame:
    """Users by the week of their first session, and which of them came in each week after."""
    first = sessions.loc[sessions["user_session_number"] == 1, ["user_id", "session_date"]]
    first_date = first.set_index("user_id")["session_date"]
    days = sessions["session_date"] - sessions["user_id"].map(first_date)
    active = pd.DataFrame({"user_id": sessions["user_id"], "week_number": days.dt.days // 7 + 1})
    active = active.drop_duplicates().assign(is_active=True)
    users = in_groups(first, starters)
    weeks = pd.DataFrame({"week_number": range(1, RETENTION_WEEKS + 1)})
    cells = users.merge(weeks, how="cross").merge(active, on=["user_id", "week_number"], how="left")
    lies_before = cells["session_date"] + pd.to_timedelta(7 * cells["week_number"], unit="D")
    monday = cells["session_date"] - pd.to_timedelta(cells["session_date"].dt.day_of_week, unit="D")
    is_eligible = lies_before <= as_of.normalize()
    cells = cells.assign(
        cohort_week=monday,
        is_eligible=is_eligible,
        is_retained=is_eligible & cells["is_active"].notna(),
    ).groupby(["starter", "cohort_week", "week_number"])
    return cells.agg(
        count_cohort=("is_eligible", "size"),
        count_eligible=("is_eligible", "sum"),
        count_retained=("is_retained", "sum"),
    ).reset_index()


def count_overview(sessions: pd.DataFrame) -> pd.DataFrame:
    """Sessions by day and lead starter."""
    lead = sessions["lead_starter"].fillna("(unmarked)")
    flags = {
        "is_converted": sessions["outcome"] == "converted",
        "is_open": sessions["outcome"] == "open",
    }
    return (
        sessions.assign(lead_starter=lead, **flags)
        .groupby(["session_date", "lead_starter"])
        .agg(
            count_sessions=("count_events", "size"),
            count_events=("count_events", "sum"),
            count_bounces=("is_bounce", "sum"),
            count_converted=("is_converted", "sum"),
            count_open=("is_open", "sum"),
        )
        .reset_index()
    )


def main() -> None:
    """Write the tables of W."""
    landing, work = sys.argv[1:]
    landed = judge(read_landing(landing))
    counts = landed["judged_as"].value_counts().rename("count_rows").reset_index()
    write(counts, work, "landed")
    staged = landed[landed["judged_as"] == "staged"]
    as_of = staged["valid_received_at"].max()
    events = sessionize(staged)
    del landed, staged
    write(events, work, "session_events")
    steps = list_steps(events)
    sessions, starters = aggregate(events)
    sessions["path"] = write_paths(steps).reindex(sessions.index).fillna("(none)")
    sessions["furthest_stage_order"] = reach_stages(events).reindex(sessions.index, fill_value=0)
    sessions = decide(sessions, as_of)
    write(sessions, work, "sessions")
    write(count_edges(sessions, steps), work, "edges")
    write(count_funnel(sessions, starters), work, "funnel")
    write(count_end_events(sessions), work, "end_events")
    write(count_retention(sessions, starters, as_of), work, "retention")
    write(count_overview(sessions), work, "overview")


if __name__ == "__main__":
    main()
