"""Follow the landing zone, show who is stuck now, and do something about it.

    python live/run.py [--vars YAML] [--port 3000]

Writes what it sees to live.json of the built pages and serves them; interventions go to the outbox,
to the webhook of DROPOFF_WEBHOOK_URL where that is set, and into the ledger. What it keeps lies in
a folder beside the warehouse. Ctrl-C ends it; it goes on where it was.
"""

import argparse
import contextlib
import json
import logging
import os
import shutil
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from interventions import Interventions, Webhook
from landing_zone import LandingZone
from window import Window, WindowError

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "steps"))
import app  # noqa: E402
import serve  # noqa: E402

SHOWN_SESSIONS = 100
LOOK_SECONDS = 0.3  # between two looks at the landing zone
BEAT_SECONDS = 2.0  # the page hears at least so often that somebody follows
TELL_SECONDS = 60.0
REBASE_SECONDS = 5.0  # between two looks at the warehouse
BATCH_ARRIVALS = 20  # shown together; a burst of files is shown in parts

log = logging.getLogger("dropoff.live")


def project_vars(given: str) -> dict:
    """The vars of dbt_project.yml, those given over them.

    Raises ValueError where they are no mapping, or one that only live reads is nonsense.
    """
    merged = {**app.project_vars(), **app.given_vars(given)}
    seconds, levels = merged["feed_stopped_after_seconds"], merged["intervention_levels"]
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= 1:
        raise ValueError(
            f"The var feed_stopped_after_seconds is '{seconds}'; it must be a number from 1 to "
            "1000000000."
        )
    if not isinstance(levels, list) or any(level not in ("HIGH", "MEDIUM") for level in levels):
        raise ValueError(
            f"The var intervention_levels is '{levels}'; write it like [HIGH, MEDIUM]."
        )
    return merged


def identity(path: Path) -> tuple[int, int] | None:
    """Tells one build of the warehouse from the next."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


class Live:
    """Follows one landing zone over one warehouse."""

    def __init__(
        self,
        events: str,
        warehouse: Path,
        site: Path,
        dbt_vars: dict,
        folder: Path,
        interventions: Interventions,
    ) -> None:
        """Take over where the warehouse ends. Raises WindowError where that cannot be.

        folder: what is kept, the interventions' own and locked by them.
        """
        self.events = events
        self.warehouse = warehouse
        self.folder = folder
        self.page = site / "live.json"
        self.vars = dbt_vars
        self.published = self.looked_at_warehouse = 0.0
        self.number = 0
        self.window: Window | None = None
        self.is_full = False
        self.interventions = interventions
        self.begin()

    def begin(self) -> None:
        """A window over the warehouse as it is, and the files that it has not read."""
        built = identity(self.warehouse)
        # beside the one before, which shows on if this one cannot
        number = 1 - self.number
        models = self.window.models if self.window else None
        try:
            window = Window(self.folder / f"window-{number}", self.warehouse, self.vars, models)
            window.renew(datetime.now(UTC))
        except duckdb.Error as error:
            raise WindowError(
                f"{self.warehouse} is no warehouse that the live view can go on from "
                f"({str(error).splitlines()[0]}): build it anew with make build."
            ) from None
        self.window, self.number, self.built = window, number, built
        part = self.folder / "part.ndjson"
        self.zone = LandingZone(self.events, part, window.files_read())
        self.looked_at_warehouse = time.monotonic()

    def look(self) -> None:
        """Take in what has arrived and show it."""
        has_arrived = False
        for count, arrival in enumerate(self.zone.arrivals(), start=1):
            self.window.arrive(arrival)
            has_arrived = True
            if count == BATCH_ARRIVALS:
                break
        now = datetime.now(UTC)
        if has_arrived:
            self.window.renew(now)
        if has_arrived or time.monotonic() - self.published > BEAT_SECONDS:
            self.intervene(now)
            self.publish(datetime.now(UTC))

    def age(self, now: datetime) -> float | None:
        """How old the newest data is, seconds; None where there is none."""
        as_of = self.window.as_of
        return as_of and max((now.replace(tzinfo=None) - as_of).total_seconds(), 0.0)

    def is_stopped(self, now: datetime) -> bool:
        """True where the feed has stopped: then nobody knows who is stuck."""
        age = self.age(now)
        return age is None or age > self.vars["feed_stopped_after_seconds"]

    def intervene(self, now: datetime) -> None:
        """Offer what the playbook suggests, while the feed is alive."""
        if self.is_stopped(now):
            return
        due = [
            row
            for row in self.window.active_sessions()
            if row["risk_level"] in self.vars["intervention_levels"] and row["suggestion"]
        ]
        try:
            self.interventions.offer(due, now)
        except OSError as error:
            if not self.is_full:
                log.warning("Interventions cannot be written down, and none goes out: %s.", error)
            self.is_full = True
        else:
            self.is_full = False

    def publish(self, now: datetime) -> None:
        """Write what the page shows, whole or not at all."""
        as_of = self.window.as_of
        shown = {
            "published_at": now.isoformat(timespec="milliseconds"),
            "as_of": as_of and as_of.isoformat(timespec="milliseconds") + "+00:00",
            "age_seconds": self.age(now),
            "data_lag_seconds": self.window.data_lag_seconds,
            "is_stopped": self.is_stopped(now),
            "feed_stopped_after_seconds": self.vars["feed_stopped_after_seconds"],
            "interventions": self.interventions.counts(),
            **self.window.view(SHOWN_SESSIONS),
        }
        # the pages may be in the building just now
        with contextlib.suppress(FileNotFoundError):
            new = self.page.with_suffix(".new")
            new.write_text(json.dumps(shown, default=str), encoding="utf-8")
            os.replace(new, self.page)
        self.shown = shown
        self.published = time.monotonic()

    def follow_the_warehouse(self) -> None:
        """Begin again on a warehouse that was built anew; where it is being written, later."""
        if time.monotonic() - self.looked_at_warehouse < REBASE_SECONDS:
            return
        self.looked_at_warehouse = time.monotonic()
        built = identity(self.warehouse)
        if built is None or built == self.built:
            return
        before = self.window
        try:
            self.begin()
        except WindowError as error:
            log.warning("%s The live view stays with the build before.", error)
            return
        before.close()
        log.info("The warehouse was built anew; the live view goes on from it.")

    def told(self) -> str:
        """One line about what is shown."""
        levels = self.shown["levels"]
        parts = [f"{levels.get(name, 0)} {name}" for name in ("HIGH", "MEDIUM", "ON TRACK")]
        state = "the feed has stopped" if self.shown["is_stopped"] else "up to date"
        return f"{', '.join(parts)}; data as of {self.shown['as_of'] or 'never'}, {state}"

    def end(self) -> None:
        """Leave the page saying that nobody follows, and keep what must not be lost."""
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(ROOT / "reports" / "static" / "live.json", self.page)
        self.interventions.close()
        self.window.close()


def main() -> int:
    """Follow until Ctrl-C. Returns 0, or 1 after one sentence that says why it cannot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vars", default="", help="dbt's vars, as YAML")
    parser.add_argument("--port", type=serve.port_number, default=serve.FIRST_PORT)
    parser.add_argument("--site", type=Path, default=serve.SITE, help=argparse.SUPPRESS)
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stdout)

    warehouse, folder = app.warehouse(), app.live_folder()
    ended = threading.Event()
    for end in (signal.SIGINT, signal.SIGTERM):
        signal.signal(end, lambda *_: ended.set())
    try:
        dbt_vars = project_vars(options.vars)
        webhook = Webhook.from_environment()
        interventions = Interventions(folder, ledger_file(), dbt_vars["control_share"], webhook)
        log.info("Reading %s and the models …", warehouse)
        live = Live(app.events(), warehouse, options.site, dbt_vars, folder, interventions)
        if (options.site / "index.html").is_file():
            server = serve.listen(options.site, options.port)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            log.info("Live is at http://localhost:%d/live/", server.server_port)
        told = 0.0
        while not ended.is_set():
            live.look()
            live.follow_the_warehouse()
            ended.wait(LOOK_SECONDS)
            if time.monotonic() - told > TELL_SECONDS:
                log.info("%s", live.told())
                told = time.monotonic()
        live.end()
    except (WindowError, ValueError, BlockingIOError) as error:
        log.info("%s", error)
        return 1
    except OSError as error:
        print(
            f"{error.filename or folder} cannot be read or written ({error.strerror}); "
            "DROPOFF_LIVE and DROPOFF_INTERVENTIONS name the folders that live writes into."
        )
        return 1
    return 0


def ledger_file() -> Path:
    """Where assignments are written down: in the ledger's landing zone, so that builds read them.

    Raises WindowError where that is a glob, in which no file has a name yet.
    """
    zone = app.ledger()
    if not zone:
        raise WindowError(
            "Set DROPOFF_INTERVENTIONS to a folder for the ledger of interventions: "
            "without one nobody could measure what they do."
        )
    if any(sign in zone for sign in "*?[") or Path(zone).is_file():
        raise WindowError(
            f"DROPOFF_INTERVENTIONS is '{zone}'; make live writes into it, so name a folder."
        )
    return Path(zone) / "live.ndjson"


if __name__ == "__main__":
    sys.exit(main())
