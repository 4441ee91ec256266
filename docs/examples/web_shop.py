"""A small web shop for the tutorial: writes one csv of events for each day.

    python3 docs/examples/web_shop.py shop_events 14

Its pages send what people do and no system events, so silence ends a visit. People on phones often
leave at the checkout: that is what there is to find. A day is the same however many are written.
"""

import csv
import random
import sys
from datetime import datetime, timedelta
from pathlib import Path

FIRST_DAY = datetime(2026, 3, 2)
VISITORS, VISITS_A_DAY = 600, 120
# page, share of those on it who go on to the next, on a computer and on a phone
PAGES = (
    ("home", 0.80, 0.78),
    ("product", 0.55, 0.52),
    ("cart", 0.75, 0.72),
    ("checkout", 0.80, 0.45),
    ("order_placed", 0.60, 0.60),
    ("receipt", 0, 0),
)


def visit(rng: random.Random, day: datetime) -> list[tuple[str, str, str, str]]:
    """The rows of one visit: visitor, action, time, device."""
    visitor = f"v{rng.randrange(VISITORS):03}"
    # a visitor keeps the device
    device = "phone" if int(visitor[1:]) % 5 < 3 else "computer"
    at = day + timedelta(hours=7, seconds=rng.uniform(0, 15 * 3600))
    rows = []
    for page, on_computer, on_phone in PAGES:
        for _ in range(rng.choice((1, 1, 1, 2)) if page in ("home", "product") else 1):
            rows.append((visitor, page, at.isoformat(timespec="milliseconds"), device))
            at += timedelta(seconds=rng.uniform(3, 90))
        if rng.random() >= (on_phone if device == "phone" else on_computer):
            break
    return rows


def main(folder: str, days: str) -> None:
    """Write the first so many days into the folder."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for number in range(int(days)):
        day = FIRST_DAY + timedelta(days=number)
        rng = random.Random(number)
        rows = [row for _ in range(VISITS_A_DAY) for row in visit(rng, day)]
        with open(f"{folder}/{day:%Y-%m-%d}.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("visitor_id", "action", "happened_at", "device"))
            writer.writerows(sorted(rows, key=lambda row: row[2]))
    print(f"{days} days of events are in {folder}")


if __name__ == "__main__":
    main(*sys.argv[1:])
