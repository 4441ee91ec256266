"""W in Polars: lazy frames, the streaming engine, parquet between the stages.

Rows are sorted once, and what must not cross users or sessions compares neighbours. The id of a
session is that of its opening event.
"""

import sys
from datetime import UTC, datetime, timedelta

import polars as pl
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

landing, work = sys.argv[1:]
NOW = datetime.now(UTC).replace(tzinfo=None)
OLDEST = datetime.fromisoformat(OLDEST_EVENT_TIME)
TOLERANCE = timedelta(seconds=FUTURE_TOLERANCE_SECONDS)
JOIN = timedelta(seconds=STARTER_JOIN_SECONDS)
COPY_ORDER = (
    "received_at", "event_time", "user_id", "event_name", "platform", "app_version", "city",
)  # fmt: skip


def stored(frame: pl.LazyFrame, name: str) -> pl.LazyFrame:
    """Write a table and go on from what was written."""
    frame.sink_parquet(f"{work}/{name}.parquet")
    return pl.scan_parquet(f"{work}/{name}.parquet")


def collected(frame: pl.LazyFrame) -> pl.DataFrame:
    """Compute a small result."""
    return frame.collect(engine="streaming")


def is_blank(column: str) -> pl.Expr:
    """Null, empty or white space only."""
    return pl.col(column).str.strip_chars().fill_null("") == ""


def judge(landed: pl.LazyFrame) -> pl.LazyFrame:
    """Landed rows with the first reason to reject them by themselves, or none."""
    valid = pl.when(pl.col("received_at").is_between(OLDEST, NOW + TOLERANCE)).then("received_at")
    clock = pl.col("valid_received_at").fill_null(NOW)
    return landed.with_columns(valid_received_at=valid).with_columns(
        received_at=pl.coalesce("valid_received_at", "event_time"),
        judged_as=pl.when(is_blank("event_id"))
        .then(pl.lit("missing_event_id"))
        .when(is_blank("user_id"))
        .then(pl.lit("missing_user_id"))
        .when(is_blank("event_name"))
        .then(pl.lit("missing_event_name"))
        .when(pl.col("event_time").fill_null(datetime(1970, 1, 1)) < OLDEST)
        .then(pl.lit("bad_event_time"))
        .when(pl.col("event_time") > clock + TOLERANCE)
        .then(pl.lit("time_in_future"))
        .otherwise(pl.lit("staged")),
    )


def stage(judged: pl.LazyFrame) -> tuple[pl.LazyFrame, pl.DataFrame]:
    """Keep the first copy of each event id. Returns (events, landed rows by judgement)."""
    accepted = judged.filter(pl.col("judged_as") == "staged")
    repeated = collected(accepted.group_by("event_id").len().filter(pl.col("len") > 1))
    single = accepted.join(repeated.lazy(), on="event_id", how="anti")
    first_copies = (
        accepted.join(repeated.lazy(), on="event_id", how="semi")
        .sort(*COPY_ORDER, nulls_last=True)
        .unique("event_id", keep="first", maintain_order=True)
    )
    count_later = int(repeated["len"].sum()) - len(repeated)
    is_staged = pl.col("judged_as") == "staged"
    landed = collected(judged.group_by("judged_as").agg(count_rows=pl.len().cast(pl.Int64)))
    landed = landed.with_columns(pl.col("count_rows") - is_staged * count_later)
    later = pl.DataFrame({"judged_as": ["duplicate_event_id"], "count_rows": [count_later]})
    return pl.concat([single, first_copies]), pl.concat([landed, later])


def sessionize(events: pl.LazyFrame) -> pl.LazyFrame:
    """Events in order, each with its session: a starter that does not join opens one."""
    is_first = (pl.col("user_id") != pl.col("user_id").shift()).fill_null(True)
    action_row = pl.when("is_action").then("row").forward_fill().shift()
    has_action = pl.col("last_action") >= pl.col("first_row")
    leads_from = pl.col("first_action_time") - JOIN
    in_order = (
        events.with_columns(
            role=pl.col("event_name").replace_strict(ROLES, default="step"),
        )
        .filter(pl.col("role") != "ambient")
        .sort("user_id", "event_time", "event_id")
        .with_row_index("row")
        .with_columns(is_first=is_first, is_action=pl.col("role").is_in(["starter", "step"]))
    )
    placed = in_order.with_columns(
        first_row=pl.when("is_first").then("row").forward_fill(),
        last_action=action_row,
        last_time=pl.when("is_action").then("event_time").forward_fill().shift(),
        last_is_starter=pl.when("is_action")
        .then(pl.col("role") == "starter")
        .forward_fill()
        .shift(),
        previous_time=pl.col("event_time").shift(),
    ).with_columns(has_action=has_action.fill_null(False))
    # rows up to a user's first action, told its time by looking back from it
    led = placed.with_columns(
        is_first_action=pl.col("is_action") & ~pl.col("has_action"),
        first_action_time=pl.when("is_action").then("event_time").backward_fill(),
        next_user=pl.when("is_action").then("user_id").backward_fill(),
    ).with_columns(
        is_leading=~pl.col("has_action")
        & (pl.col("next_user") == pl.col("user_id")).fill_null(False)
        & (pl.col("event_time") >= leads_from).fill_null(False)
    )
    is_joining = (
        pl.col("has_action")
        & pl.col("last_is_starter")
        & (pl.col("event_time") - pl.col("last_time") <= JOIN)
    )
    is_beginning = (
        pl.col("is_first")
        | (pl.col("is_leading") & (pl.col("previous_time") < leads_from))
        | (~pl.col("is_leading") & (pl.col("role") == "starter") & ~is_joining)
    )
    numbered = led.with_columns(is_beginning=is_beginning).with_columns(
        session=pl.col("is_beginning").cast(pl.Int64).cum_sum(),
        event_number=pl.col("row") - pl.when("is_beginning").then("row").forward_fill() + 1,
    )
    return numbered.select(
        "session", "event_id", "user_id", "event_name", "role", "event_number", "event_time",
        "is_action", "is_first_action", "valid_received_at", "platform", "app_version", "city",
    )  # fmt: skip


def list_steps(events: pl.LazyFrame) -> pl.LazyFrame:
    """A session's starters and steps in order, equal neighbours collapsed. One row per step."""
    is_new = (pl.col("session") != pl.col("session").shift()) | (
        pl.col("event_name") != pl.col("event_name").shift()
    )
    return (
        events.filter("is_action")
        .select("session", "event_name")
        .with_row_index("action")
        .filter(is_new.fill_null(True))
    )


def write_paths(steps: pl.LazyFrame, count_actions: int) -> pl.LazyFrame:
    """A session's path as text: (session, path, path_names)."""
    repeats = pl.col("action").shift(-1).fill_null(count_actions) - pl.col("action")
    element = pl.concat_str(
        "event_name",
        pl.when(repeats > 1).then(pl.format(" ({}x)", repeats)).otherwise(pl.lit("")),
    )
    return (
        steps.with_columns(element=element)
        .group_by("session")
        .agg(pl.col("element").str.join(" → ").alias("path"), pl.col("event_name").alias("names"))
    )


def reach_stages(events: pl.LazyFrame) -> pl.LazyFrame:
    """How far each session came: the first event of stage k after that of stage k - 1."""
    stage_events = (
        events.filter(pl.col("event_name").is_in(list(STAGES)))
        .select(
            "session",
            "event_number",
            stage_order=pl.col("event_name").replace_strict(STAGES, return_dtype=pl.Int64),
        )
        .collect(engine="streaming")
    )
    reached = pl.DataFrame(
        {"session": stage_events["session"].unique()}
    ).with_columns(at=pl.lit(0, dtype=stage_events.schema["event_number"]))  # fmt: skip
    furthest = []
    for order in range(1, COUNT_STAGES + 1):
        reached = (
            stage_events.filter(pl.col("stage_order") == order)
            .join(reached, on="session")
            .filter(pl.col("event_number") > pl.col("at"))
            .group_by("session")
            .agg(at=pl.col("event_number").min())
        )
        furthest.append(reached.select("session", furthest_stage_order=pl.lit(order)))
    return pl.concat(furthest).group_by("session").agg(pl.col("furthest_stage_order").max()).lazy()


def aggregate(events: pl.LazyFrame) -> pl.LazyFrame:
    """What a session's events say of it. One row per session."""
    starters = pl.col("event_name").filter(pl.col("role") == "starter")
    opening = pl.coalesce(
        pl.col("event_id").filter("is_first_action").first(), pl.col("event_id").first()
    )
    return events.group_by("session").agg(
        pl.col("user_id").first(),
        opening.alias("session_id"),
        session_started_at=pl.col("event_time").first(),
        session_ended_at=pl.col("event_time").last(),
        starters=starters.unique(maintain_order=True),
        count_events=pl.len(),
        count_steps=(pl.col("role") == "step").sum(),
        first_event_name=pl.col("event_name").first(),
        last_event_name=pl.col("event_name").last(),
        platform=pl.col("platform").drop_nulls().first(),
        app_version=pl.col("app_version").drop_nulls().first(),
        city=pl.col("city").drop_nulls().first(),
    )


def decide(sessions: pl.LazyFrame, as_of: datetime) -> pl.LazyFrame:
    """Sessions in order with number, outcome and bounce."""
    open_from = as_of - timedelta(minutes=SESSION_OPEN_MINUTES)
    is_last = (pl.col("user_id") != pl.col("user_id").shift(-1)).fill_null(True)
    duration = pl.col("session_ended_at") - pl.col("session_started_at")
    return (
        sessions.sort("session")
        .with_columns(
            user_session_number=pl.int_range(1, pl.len() + 1).over("user_id"),
            session_date=pl.col("session_started_at").dt.date(),
            lead_starter=pl.col("starters").list.first(),
            path=pl.col("path").fill_null("(none)"),
            furthest_stage_order=pl.col("furthest_stage_order").fill_null(0),
        )
        .with_columns(
            starter_path=pl.when(pl.col("starters").list.len() > 0).then(
                pl.col("starters").list.join(" → ")
            ),
            outcome=pl.when(pl.col("furthest_stage_order") >= CONVERSION_STAGE)
            .then(pl.lit("converted"))
            .when(is_last & (pl.col("session_ended_at") >= open_from))
            .then(pl.lit("open"))
            .otherwise(pl.lit("dropped")),
        )
        .with_columns(
            is_bounce=(pl.col("outcome") == "dropped")
            & (duration < timedelta(seconds=BOUNCE_UNDER_SECONDS))
        )
    )


def in_groups(sessions: pl.LazyFrame) -> pl.LazyFrame:
    """Each session in (all) and under each of its starters."""
    return pl.concat(
        [
            sessions.with_columns(starter=pl.lit("(all)")),
            sessions.with_columns(starter=pl.col("starters"))
            .explode("starter")
            .drop_nulls("starter"),
        ]
    )


def count_edges(sessions: pl.LazyFrame) -> pl.LazyFrame:
    """Transitions of the paths by position."""
    end = (
        pl.when(pl.col("names").list.len() > JOURNEY_MAX_STEPS)
        .then(pl.lit("(longer)"))
        .otherwise(pl.format("({})", "outcome"))
    )
    names = pl.col("names").fill_null(["(none)"]).list.head(JOURNEY_MAX_STEPS)
    return (
        sessions.select(source=names, end=end)
        .with_columns(
            target=pl.concat_list(pl.col("source").list.slice(1), "end"),
            step_number=pl.int_ranges(1, pl.col("source").list.len() + 1),
        )
        .explode("step_number", "source", "target")
        .group_by("step_number", "source", "target")
        .agg(count_sessions=pl.len())
    )


def count_funnel(sessions: pl.LazyFrame) -> pl.LazyFrame:
    """Sessions that reached each stage, for all and each starter."""
    return (
        in_groups(sessions.select("starters", "furthest_stage_order"))
        .with_columns(stage_order=pl.int_ranges(1, pl.col("furthest_stage_order") + 1))
        .explode("stage_order")
        .drop_nulls("stage_order")
        .group_by("starter", "stage_order")
        .agg(count_sessions=pl.len())
    )


def count_retention(sessions: pl.LazyFrame, as_of: datetime) -> pl.LazyFrame:
    """Users by the week of their first session, and which of them came in each week after."""
    first = sessions.filter(pl.col("user_session_number") == 1).select(
        "user_id", "starters", first_date="session_date"
    )
    week = (pl.col("session_date") - pl.col("first_date")).dt.total_days() // 7 + 1
    active = (
        sessions.select("user_id", "session_date")
        .join(first.select("user_id", "first_date"), on="user_id")
        .select("user_id", week_number=week, is_active=pl.lit(True))
        .unique()
    )
    weeks = pl.LazyFrame({"week_number": range(1, RETENTION_WEEKS + 1)})
    is_eligible = pl.col("first_date") + pl.duration(days=7 * pl.col("week_number")) <= as_of.date()
    return (
        in_groups(first)
        .join(weeks, how="cross")
        .join(active, on=["user_id", "week_number"], how="left")
        .with_columns(is_eligible=is_eligible, is_active=pl.col("is_active").fill_null(False))
        .group_by("starter", "week_number", cohort_week=pl.col("first_date").dt.truncate("1w"))
        .agg(
            count_cohort=pl.len(),
            count_eligible=pl.col("is_eligible").sum(),
            count_retained=(pl.col("is_eligible") & pl.col("is_active")).sum(),
        )
    )


def count_overview(sessions: pl.LazyFrame) -> pl.LazyFrame:
    """Sessions by day and lead starter."""
    return sessions.group_by("session_date", pl.col("lead_starter").fill_null("(unmarked)")).agg(
        count_sessions=pl.len(),
        count_events=pl.col("count_events").sum(),
        count_bounces=pl.col("is_bounce").sum(),
        count_converted=(pl.col("outcome") == "converted").sum(),
        count_open=(pl.col("outcome") == "open").sum(),
    )


def main() -> None:
    """Write the tables of W."""
    landed = pl.scan_parquet(f"{landing}/*.parquet").drop("properties")
    events, counts = stage(judge(landed))
    counts.write_parquet(f"{work}/landed.parquet")
    session_events = stored(sessionize(events), "session_events")
    as_of = collected(session_events.select(pl.col("valid_received_at").max())).item()
    count_actions = collected(session_events.select(pl.col("is_action").sum())).item()
    paths = write_paths(list_steps(session_events), count_actions)
    sessions = stored(
        decide(
            aggregate(session_events)
            .join(paths, on="session", how="left")
            .join(reach_stages(session_events), on="session", how="left"),
            as_of,
        ),
        "sessions",
    )
    stored(count_edges(sessions), "edges")
    stored(count_funnel(sessions), "funnel")
    ended = sessions.filter(pl.col("outcome") != "open")
    stored(ended.group_by(event_name="last_event_name").agg(count_ended=pl.len()), "end_events")
    stored(count_retention(sessions, as_of), "retention")
    stored(count_overview(sessions), "overview")


if __name__ == "__main__":
    main()
