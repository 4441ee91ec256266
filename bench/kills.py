"""Kill the live view in the middle of its work, and count what came of each intervention.

    .venv/bin/python bench/kills.py [--kills 10] [--rate 20] [--seed 1]

People are played over the warehouse of the demo while a receiver on this machine answers, fails and
dawdles at random. The live view is killed (SIGKILL) and started again; after the last start it may
finish. Prints how often each assignment stands in the ledger and was received, and ends with an
error where one is there twice, was lost, or came with two bodies.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from run import BENCH, DATA, PROJECT_PYTHON

ROOT = BENCH.parent
PATIENCE_SECONDS = 300


class Receiver(BaseHTTPRequestHandler):
    """Keeps what it receives; every tenth message is answered with an error, after it was kept."""

    bodies: ClassVar[dict[str, Counter]] = defaultdict(Counter)
    random = random.Random(1)

    def do_POST(self) -> None:
        """Keep the body under its key, and answer late or not at all well."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.bodies[self.headers["Idempotency-Key"]][body] += 1
        time.sleep(self.random.uniform(0, 0.05))
        self.send_response(503 if self.random.random() < 0.1 else 204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def rows_of(path: Path) -> list[dict]:
    """The rows of an ndjson file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def wait_for(condition: object, what: str) -> None:
    """Wait until it holds. Ends with a sentence where it does not in time."""
    until = time.time() + PATIENCE_SECONDS
    while not condition():
        if time.time() > until:
            sys.exit(f"{what} did not happen within {PATIENCE_SECONDS} seconds.")
        time.sleep(0.05)


def main() -> None:
    """Kill, start again, count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    work = DATA / "kills"
    shutil.rmtree(work, ignore_errors=True)
    (work / "site").mkdir(parents=True)
    receiver = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    environment = os.environ | {
        "DROPOFF_EVENTS": str(work / "events"),
        "DROPOFF_INTERVENTIONS": str(work / "interventions"),
        "DROPOFF_LIVE": str(work / "live"),
        "DROPOFF_WEBHOOK_URL": f"http://127.0.0.1:{receiver.server_port}/",
        "DROPOFF_WEBHOOK_SECRET": "a secret",
    }
    page = work / "site" / "live.json"
    run = [PROJECT_PYTHON, ROOT / "live" / "run.py", "--site", work / "site"]
    play = [PROJECT_PYTHON, ROOT / "live" / "play.py", "--out", work / "events"]
    log = (work / "run.log").open("w", encoding="utf-8")

    def start() -> subprocess.Popen:
        page.unlink(missing_ok=True)
        live = subprocess.Popen(run, cwd=ROOT, env=environment, stdout=log, stderr=log)
        wait_for(page.exists, "The first view")
        return live

    player = subprocess.Popen([*play, "--rate", str(options.rate)], cwd=ROOT, stdout=log)
    try:
        for number in range(1, options.kills + 1):
            live = start()
            time.sleep(rng.uniform(0, 4))
            live.send_signal(signal.SIGKILL)
            live.wait()
            print(f"kill {number}: {len(Receiver.bodies)} keys received", flush=True)
        live = start()
        time.sleep(5)
    finally:
        player.terminate()
        player.wait()
    wait_for(
        lambda: json.loads(page.read_text(encoding="utf-8"))["interventions"]["waiting"] == 0,
        "The last delivery",
    )
    live.terminate()
    live.wait()
    log.close()

    ledger = Counter(
        (row["assignment_id"], row["arm"])
        for row in rows_of(work / "interventions" / "live.ndjson")
    )
    outbox = Counter(row["key"] for row in rows_of(work / "live" / "outbox.ndjson"))
    treated = {key for key, arm in ledger if arm == "treated"}
    of_sessions = Counter(
        (row["session_id"], row["rule"]) for row in rows_of(work / "interventions" / "live.ndjson")
    )
    found = {
        "assignments": len(ledger),
        "of the control arm": len(ledger) - len(treated),
        "written down twice": sum(count > 1 for count in of_sessions.values())
        + sum(count > 1 for count in ledger.values()),
        "in the outbox twice or not": sum(outbox[key] != 1 for key in treated),
        "received": len(Receiver.bodies),
        "received more than once": sum(
            sum(bodies.values()) > 1 for bodies in Receiver.bodies.values()
        ),
        "never received": len(treated - set(Receiver.bodies)),
        "received of the control arm": len(set(Receiver.bodies) - treated),
        "with two bodies": sum(len(bodies) > 1 for bodies in Receiver.bodies.values()),
    }
    print(", ".join(f"{name}: {count}" for name, count in found.items()))
    wrong = ("written down twice", "in the outbox twice or not", "never received")
    wrong += ("received of the control arm", "with two bodies")
    shutil.rmtree(work)
    if any(found[name] for name in wrong):
        sys.exit("Something was lost or told twice.")


if __name__ == "__main__":
    main()
