"""W in retentioneering 5: an Eventstream of sessions, and its tools where they can tell the figure.

By its tools: the collapsed paths (collapse_events), how far a session came (add_segment by funnel
events), the funnel of each starter (filter_paths, funnel_data) and the end events (the transitions
into path_end). Its split_sessions drops the event it splits at and knows no joining, its step
matrix has no edges, and it has no cohorts by week: to land, reject, sessionize, aggregate, count
edges by step, retention and days is left to pandas, as in pandas_frames.py.
"""

import os
import sys
from itertools import takewhile

os.environ["RETENTIONEERING_NO_TRACK"] = "1"

import pandas as pd
import pandas_frames as frames
from retentioneering.eventstream.eventstream import Eventstream
from settings import COUNT_STAGES, STAGES, STARTERS

# the stages as retentioneering has them: one event each
FIRST_EVENTS = {order: name for name, order in reversed(STAGES.items())}
FUNNEL = [FIRST_EVENTS[order] for order in range(1, COUNT_STAGES + 1)]
STAGE_EVENTS = {name: FIRST_EVENTS[order] for name, order in STAGES.items()}
COLUMNS = ["session", "event_name", "event_time", "role"]


def make_stream(events: pd.DataFrame) -> Eventstream:
    """The events as an Eventstream whose paths are our sessions; action_number counts them."""
    frame = events[COLUMNS].assign(action_number=events["is_action"].cumsum())
    schema = {
        "path_cols": ["session"],
        "event_col": "event_name",
        "timestamp_col": "event_time",
        "custom_cols": ["role", "action_number"],
    }
    return Eventstream(frame, schema)


def list_steps(stream: Eventstream, count_actions: int) -> pd.DataFrame:
    """A session's starters and steps, equal neighbours collapsed. One row per step."""
    actions = stream.filter_events(keep={"role": ["starter", "step"]})
    steps = actions.collapse_events(loops=True).to_dataframe().reset_index(drop=True)
    next_number = steps["action_number"].shift(-1, fill_value=count_actions + 1)
    return steps.assign(
        repeats=(next_number - steps["action_number"]).astype("int64"),
        step_number=steps.groupby("session").cumcount() + 1,
    )


def reach_stages(stages: Eventstream) -> pd.Series:
    """How far each session came, by session; those that reached nothing are left out."""
    segmented = stages.add_segment("furthest", funnel_events=FUNNEL).to_dataframe()
    furthest = segmented.drop_duplicates("session").set_index("session")["furthest"]
    return furthest.astype("str").map({name: n for n, name in enumerate(FUNNEL, start=1)}).dropna()


def count_funnel(stages: Eventstream) -> pd.DataFrame:
    """Sessions that reached each stage, for all and each starter."""
    there = set(stages.get_event_counts())
    groups = {"(all)": stages}
    for starter in STARTERS:
        if starter in there:
            has_starter = {"op": "=", "metric": "has_event", "value": True}
            has_starter["metric_args"] = {"event": starter}
            groups[starter] = stages.filter_paths(has_starter)
    rows = []
    for starter, group in groups.items():
        reached = set(group.get_event_counts())
        steps = list(takewhile(reached.__contains__, FUNNEL))  # it takes no step that never occurs
        rows += [
            (starter, FUNNEL.index(step["step"]) + 1, step["unique_paths"])
            for step in group.funnel_data(steps=steps)["steps"]
        ]
    return pd.DataFrame(rows, columns=["starter", "stage_order", "count_sessions"])


def count_end_events(stream: Eventstream, sessions: pd.DataFrame) -> pd.DataFrame:
    """Sessions that are over, by their last event."""
    still_open = sessions.index[sessions["outcome"] == "open"].tolist()
    ended = stream.filter_events(drop={"session": still_open}) if still_open else stream
    ends = ended.transition_graph_data(edge_weight="count")["path_end"]
    return ends[ends > 0].rename_axis("event_name").rename("count_ended").reset_index()


def main() -> None:
    """Write the tables of W."""
    landing, work = sys.argv[1:]
    landed = frames.judge(frames.read_landing(landing))
    counts = landed["judged_as"].value_counts().rename("count_rows").reset_index()
    frames.write(counts, work, "landed")
    staged = landed[landed["judged_as"] == "staged"]
    as_of = staged["valid_received_at"].max()
    events = frames.sessionize(staged)
    del landed, staged
    frames.write(events, work, "session_events")

    stream = make_stream(events)
    stages = stream.rename_events(STAGE_EVENTS)
    steps = list_steps(stream, int(events["is_action"].sum()))
    sessions, starters = frames.aggregate(events)
    sessions["path"] = frames.write_paths(steps).reindex(sessions.index).fillna("(none)")
    furthest = reach_stages(stages).astype("int64")
    sessions["furthest_stage_order"] = furthest.reindex(sessions.index, fill_value=0)
    sessions = frames.decide(sessions, as_of)
    frames.write(sessions, work, "sessions")
    frames.write(frames.count_edges(sessions, steps), work, "edges")
    frames.write(count_funnel(stages), work, "funnel")
    frames.write(count_end_events(stream, sessions), work, "end_events")
    frames.write(frames.count_retention(sessions, starters, as_of), work, "retention")
    frames.write(frames.count_overview(sessions), work, "overview")


if __name__ == "__main__":
    main()
