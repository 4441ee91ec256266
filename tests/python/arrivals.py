"""How histories arrive: a strategy for landing zones that change from one build to the next.

`arrivals()` draws an Arrival: several histories (see histories.py), each with users and event ids
of its own, whose rows come in batches. Files grow, come in parts, come late, are written anew with
what they held, and go; rows come in any order, a copy may come before what it copies, and the
clock may go on or back. After each batch the folder holds one state of the landing zone.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from histories import BUILD_CLOCK, histories
from hypothesis import strategies as st

# how a file's rows come: in files of their own, or in one that is written anew with each batch
WAYS = ["parts", "parts", "grows"]


@dataclass(repr=False)
class Arrival:
    """States of a landing zone, {file name: content} each, with the settings and vars to read it."""

    states: list
    settings: dict
    vars: list

    def write_state(self, number, folder):
        """Make the folder hold this state; files that stay as they are keep their time."""
        state = self.states[number]
        for path in Path(folder).iterdir():
            if path.name not in state:
                path.unlink()
        for name, content in state.items():
            path = Path(folder) / name
            if not path.exists() or path.read_bytes() != content:
                path.write_bytes(content)

    def write_settings(self, folder):
        """Write the settings files."""
        for name, text in self.settings.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")


@st.composite
def arrivals(draw, count_histories=10, max_users=4, max_events=16, max_batches=4):
    """Draw histories that are read alike, and the batches in which they come."""
    alike = draw(histories(max_users=max_users, max_events=max_events))
    drawn = [alike]
    names = alike.vars.get("event_columns", {})
    id_column = names.get("event_id", "event_id")
    has_ids = any(id_column in file.columns for file in alike.files)
    while len(drawn) < count_histories:
        history = draw(histories(max_users=max_users, max_events=max_events))
        # files of other columns would make their rows lack what the first history's have
        if history.vars.get("event_columns", {}) != names:
            continue
        if any(id_column in file.columns for file in history.files) == has_ids:
            drawn.append(history)

    count_batches = draw(st.integers(2, max_batches))
    states = [{} for _ in range(count_batches)]
    for number, history in enumerate(drawn):
        keep_apart(history, number, [names.get("user_id", "user_id"), id_column])
        for file in history.files:
            land(draw, replace(file, name=f"{number}-{file.name}"), states)
    clocks = st.sampled_from([timedelta()] * 6 + [timedelta(days=20), -timedelta(days=34)])
    return Arrival(
        states,
        alike.settings,
        [
            {
                **alike.vars,
                "build_clock": f"{BUILD_CLOCK + draw(clocks)}",
                # what is made by a fit is made again where the fit is another
                "refit": draw(st.sampled_from([False, False, True])),
            }
            for _ in range(count_batches)
        ],
    )


def keep_apart(history, number, columns):
    """Give the history users and event ids that no other one has; blank ones stay blank."""
    for file in history.files:
        for row in file.rows:
            for column in columns:
                value = row.get(column) if isinstance(row, dict) else None
                if isinstance(value, int):
                    row[column] = value + 1000 * number
                elif isinstance(value, str) and value.strip():
                    # text of digits stays so: a parquet file may make numbers of it
                    row[column] = f"{value}{number:03}" if value.isdigit() else f"{value}~{number}"


def land(draw, file, states):
    """Put the rows of a file into the states of the landing zone, batch by batch."""
    way = draw(st.sampled_from(WAYS))
    batches = [draw(st.integers(0, len(states) - 1)) for _ in file.rows]
    gone_from = draw(st.sampled_from([len(states)] * 5 + list(range(1, len(states)))))
    for number, state in enumerate(states[:gone_from]):
        if way == "grows":
            rows = [row for row, batch in zip(file.rows, batches, strict=True) if batch <= number]
            state[file.name] = replace(file, rows=rows).content()
            continue
        for part in range(number + 1):
            rows = [row for row, batch in zip(file.rows, batches, strict=True) if batch == part]
            if rows:
                state[f"{part}-{file.name}"] = replace(file, rows=rows).content()
