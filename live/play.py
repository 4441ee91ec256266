"""Play what people did once as if they did it now: visits of a landing zone, told anew.

    python live/play.py --out FOLDER [--from FOLDER] [--rate 20] [--seconds 300] [--seed 1]

Visits of the users in --from (parquet, with our column names) begin at random moments from now on,
at as many events a second as --rate says, and are appended to an ndjson file in --out; times are
real, ids are new. The last ten minutes are there at once, so that somebody is under way.
"""

import argparse
import itertools
import json
import math
import random
import signal
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from heapq import heappop, heappush
from pathlib import Path

import duckdb

PAST_SECONDS = 600  # what is there at once
WARM_UP_SECONDS = 7200  # visits that began as long before that are under way; hardly any is longer
STEP_SECONDS = 0.1  # between two writes
GAP_MINUTES = 30  # a longer silence ends a visit
MOST_RATE = 100_000  # events a second
USERS_PER_RATE = 150  # for each event a second
FEWEST_USERS = 3_000

# (user id, [(seconds since its start, event name)], (platform, app version, city) of each)
Visit = tuple[str, list[tuple[float, str]], list[tuple]]


def read_visits(folder: Path, rate: float, seed: int) -> list[Visit]:
    """Visits of as many users as this rate takes, in an order that the seed decides."""
    connection = duckdb.connect()
    query = """
        with events as (
            select event_time, user_id, event_name, platform, app_version, city
            from read_parquet($files, union_by_name = true)
            where user_id is not null and event_name is not null and event_time is not null
        ),
        users as (
            select user_id from events group by user_id
            order by md5(user_id || $seed) limit $users
        ),
        visits_marked as (
            select events.*, coalesce(date_diff('minute', lag(event_time) over user_events,
                event_time) >= $gap, true) as is_first
            from events inner join users using (user_id)
            window user_events as (partition by user_id order by event_time, event_name)
        )
        select *, sum(is_first::int) over (partition by user_id order by event_time, event_name
            rows unbounded preceding) as visit_number
        from visits_marked order by user_id, event_time, event_name
    """
    rows = connection.execute(
        query,
        {
            "files": str(folder / "**" / "*.parquet"),
            "seed": str(seed),
            "users": max(FEWEST_USERS, round(USERS_PER_RATE * rate)),
            "gap": GAP_MINUTES,
        },
    )
    told: list[Visit] = []
    same: dict = {}  # a few names and contexts come again and again, and are kept once
    while batch := rows.fetchmany(100_000):
        for at, user, name, platform, version, city, is_first, _ in batch:
            if is_first:
                start = at
                told.append((user, [], []))
            context = (platform, version, city)
            _, steps, contexts = told[-1]
            steps.append(((at - start).total_seconds(), same.setdefault(name, name)))
            contexts.append(same.setdefault(context, context))
    random.Random(seed).shuffle(told)
    return told


def schedule(
    visits: list[Visit], rate: float, seed: int
) -> Iterator[tuple[float, str, str, tuple]]:
    """(Seconds from now, user, name, context) by time, from PAST_SECONDS ago on, without end.

    Who is under way already when their next visit comes has it done by a double, who is new.
    """
    rng = random.Random(seed)
    mean = sum(len(steps) for _, steps, _ in visits) / len(visits)
    # visits that began earlier than the past that is told are under way in it
    starts_at = -PAST_SECONDS - min(WARM_UP_SECONDS, max(steps[-1][0] for _, steps, _ in visits))
    due: list[tuple[float, int, str, str, tuple]] = []
    busy_until: dict[str, float] = {}
    count = 0
    for user, steps, contexts in itertools.cycle(visits):
        starts_at += rng.expovariate(rate / mean)
        who = user
        if busy_until.get(user, -math.inf) >= starts_at:
            who = f"{user}.{count}"
        busy_until[who] = starts_at + steps[-1][0]
        for (offset, name), context in zip(steps, contexts, strict=True):
            if starts_at + offset >= -PAST_SECONDS:
                count += 1
                heappush(due, (starts_at + offset, count, who, name, context))
        while due and due[0][0] <= starts_at:
            at, _, who, name, context = heappop(due)
            yield at, who, name, context


def line(
    at: float, received: float, user: str, name: str, context: tuple, rng: random.Random
) -> str:
    """One ndjson line; `at` and `received` are seconds since 1970."""
    platform, version, city = context
    return json.dumps(
        {
            "event_id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            "user_id": user,
            "event_name": name,
            "event_time": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
            "received_at": datetime.fromtimestamp(received, UTC).isoformat(timespec="milliseconds"),
            "platform": platform,
            "app_version": version,
            "city": city,
        }
    )


def play(visits: list[Visit], out: Path, rate: float, seconds: float | None, seed: int) -> int:
    """Append events when they are due, for so many seconds or until ended. Returns how many."""
    out.mkdir(parents=True, exist_ok=True)
    # what an earlier play told is as it was; this one's ids are its own
    began = time.time()
    rng = random.Random(f"{seed} {began}")
    path = out / f"played-{datetime.fromtimestamp(began, UTC):%Y%m%dT%H%M%S}.ndjson"
    events = schedule(visits, rate, seed)
    at, *event = next(events)
    count = 0
    with path.open("a", encoding="utf-8") as file:
        while seconds is None or time.time() - began < seconds:
            now = time.time()
            lines = []
            while began + at <= now:
                # what lies before the beginning was received when it happened
                received = now if at > 0 else began + at
                lines.append(line(began + at, received, *event, rng))
                at, *event = next(events)
            file.write("".join(f"{text}\n" for text in lines))
            file.flush()
            count += len(lines)
            time.sleep(max(0.0, STEP_SECONDS - (time.time() - now)))
    return count


def main() -> int:
    """Play until the time is over, or until ended. Returns 0, or 1 after a sentence why not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--from", dest="source", type=Path, default=Path("landing/events"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rate", type=float, default=20.0, help="events a second")
    parser.add_argument("--seconds", type=float, help="by default until it is ended")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not 0 < options.rate <= MOST_RATE:
        print(f"RATE (--rate) is {options.rate:g}; it must be above 0 and at most {MOST_RATE:,}.")
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    try:
        visits = read_visits(options.source, options.rate, options.seed)
    except duckdb.IOException:
        print(f"There are no parquet files below {options.source}: run make land.")
        return 1
    except duckdb.Error:
        visits = []
    if not visits:
        print(f"The parquet files below {options.source} hold no events under our column names.")
        return 1
    try:
        count = play(visits, options.out, options.rate, options.seconds, options.seed)
    except OSError as error:
        print(f"{options.out} cannot be written ({error.strerror}); name a folder with --out.")
        return 1
    print(f"{count:,} events played into {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
