"""What every engine is told: the roles and stages in seeds/, and the project's default vars."""

import csv
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEEDS = ROOT / "seeds"

OLDEST_EVENT_TIME = "2000-01-01 00:00:00"
FUTURE_TOLERANCE_SECONDS = 300
STARTER_JOIN_SECONDS = 60
SESSION_OPEN_MINUTES = 30
BOUNCE_UNDER_SECONDS = 10
JOURNEY_MAX_STEPS = 20
RETENTION_WEEKS = 12
CONVERSION_STAGE = 8  # payment_success, of the booking funnel

MEMORY_LIMIT = os.environ.get("BENCH_MEMORY_LIMIT", "4GB")  # for engines that can keep to one


def seed(name: str) -> list[dict[str, str]]:
    """The rows of one settings file."""
    with open(SEEDS / f"{name}.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


ROLES = {row["event_name"]: row["role"] for row in seed("event_types")}  # missing: a step
STAGES = {  # event name -> stage 1 to 9 of the booking funnel
    row["event_name"]: int(row["stage_order"])
    for row in seed("funnel_stages")
    if row["funnel"] == "booking"
}
STARTERS = [name for name, role in ROLES.items() if role == "starter"]
COUNT_STAGES = max(STAGES.values())
