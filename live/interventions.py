"""Interventions for open sessions: once per session and rule, with a control arm, as messages.

The ledger is the write-ahead log and the one truth: an assignment is on disk there before anything
else happens to it. A process killed at any instruction leaves whole lines and at most one torn,
and the next start makes up what is missing: each assignment once in the ledger, each message of
the treated arm once in the outbox and, where there is a webhook, at least once at its receiver,
with the same bytes and the same idempotency key at each try.
"""

import contextlib
import errno
import fcntl
import hashlib
import hmac
import json
import logging
import math
import mmap
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, Retry
from urllib3.exceptions import InvalidHeader
from urllib3.util import parse_url

LOG = logging.getLogger("dropoff.live")

# between tries; it doubles up to the longest, seconds
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
# what close() waits for an answer that is on its way, seconds
PATIENCE_AT_THE_END = 1.0
# of the answers that are not 2xx these say that the same message may do later
RETRIED = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
        *range(500, 600),
    }
)
# of the other 4xx these are about the message, which is given up; the rest are about the address or
# the secret, and all messages wait
REFUSED = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.CONFLICT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
# after this a message helps nobody: the session is over, seconds
LATEST = 3600.0
TOO_LATE = 0  # stands for a status
# without one of these the ledger's reader rejects the row, or nobody knows what to do
NEEDED = ("session_id", "user_id", "stage", "rule", "suggestion")
COPIED = (
    "session_id",
    "user_id",
    "display_name",
    "journey",
    "stage",
    "rule",
    "risk_level",
    "drop_risk",
    "seconds_since_last_event",
    "as_of",
)
SENDER = "dropoff interventions"

Row = dict[str, Any]
# idempotency key, body
Message = tuple[str, bytes]


class UnavailableError(Exception):
    """What was tried may do later: its text ends a sentence, and tells no secret."""

    def __init__(self, text: str, pause: float = 0) -> None:
        """`pause`: seconds to wait at least."""
        super().__init__(text)
        self.pause = pause


class StoppedError(Exception):
    """The sender is to stop."""


def hash_of(*texts: str) -> bytes:
    """SHA-256 of texts; as a JSON list no two lists of texts are alike."""
    return hashlib.sha256(json.dumps(texts).encode()).digest()


def assignment_id(session_id: str, rule: str) -> str:
    """Return the key of a session and a rule: 32 hex digits."""
    return hash_of(session_id, rule).hex()[:32]


def arm_of(session_id: str, intervention: str, control_share: float) -> str:
    """Draw `treated` or `control`, the same whenever asked."""
    # of another list than the key's: the arm says nothing about the digits of the key
    drawn = int.from_bytes(hash_of("arm", session_id, intervention)[:8], "big") / 2**64
    return "control" if drawn < control_share else "treated"


def iso(time: datetime) -> str:
    """ISO 8601 in UTC with microseconds; a time without a zone is UTC."""
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def plain(value: object) -> object:
    """Return what JSON can hold: times as text, decimals as numbers, null for no number."""
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Decimal):
        value = float(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_bytes(row: Row) -> bytes:
    """JSON in its one form: reading it and writing it again gives the same bytes."""
    return json.dumps(row, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


class Journal:
    """An ndjson file that grows by whole lines, which are on disk when append() returns."""

    def __init__(self, path: Path) -> None:
        """Cut off the torn last line that a kill left; a file that is not there comes later."""
        self.path = path
        self.descriptor: int | None = None
        # where an append began that was not finished
        self.torn_from: int | None = None
        if path.exists():
            self.open()
            self.torn_from = self.end_of_whole_lines()
            self.cut()

    def open(self) -> None:
        """Open the file, and make sure that its folder keeps it."""
        created = [folder for folder in self.path.parents if not folder.exists()]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        # not only for a new file: a kill may have come between making it and this
        for folder in [self.path.parent, *(folder.parent for folder in created)]:
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def end_of_whole_lines(self) -> int | None:
        """Bytes up to the last newline; None where nothing stands behind it."""
        size = os.fstat(self.descriptor).st_size
        if not size:
            return None
        with mmap.mmap(self.descriptor, size, access=mmap.ACCESS_READ) as content:
            end = content.rfind(b"\n") + 1
        return end if end < size else None

    def cut(self) -> None:
        """Cut off what an unfinished append left."""
        if self.torn_from is not None:
            os.ftruncate(self.descriptor, self.torn_from)
            self.torn_from = None

    def rows(self) -> Iterator[Row]:
        """Give the rows, oldest first. Raises ValueError at a line that is no JSON object."""
        if self.descriptor is None:
            return
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    row = json.loads(line)
                except ValueError:
                    row = None
                if not isinstance(row, dict):
                    raise ValueError(
                        f"{self.path}, line {number}, is no JSON object: mend it or remove it."
                    )
                yield row

    def append(self, lines: Collection[bytes]) -> None:
        """Write the lines at once. Raises OSError, and then none of them is there."""
        if self.descriptor is not None and not os.fstat(self.descriptor).st_nlink:
            self.close()  # it was deleted: what it would get nobody could read
        if self.descriptor is None:
            self.open()
        self.cut()
        self.torn_from = os.fstat(self.descriptor).st_size
        content = b"".join(line + b"\n" for line in lines)
        try:
            if os.write(self.descriptor, content) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            os.fsync(self.descriptor)
        except BaseException:
            # where even this fails the next append begins with it
            with contextlib.suppress(OSError):
                self.cut()
            raise
        self.torn_from = None

    def close(self) -> None:
        """Close the file."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = self.torn_from = None


@dataclass(frozen=True)
class Webhook:
    """Where messages are posted to, and how long it is tried before the longer pauses.

    The address may hold a password or a token: neither it nor the secret is ever shown.
    """

    url: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)
    timeout: float = 10.0  # seconds to connect, and to wait for an answer
    retries: int = 4
    setting: str = "DROPOFF_WEBHOOK"  # the variables that name it begin so

    def __post_init__(self) -> None:
        """Raise ValueError (one sentence, without the address) where nothing can be posted."""
        try:
            requests.Request("POST", self.url).prepare()
            is_web = parse_url(self.url).scheme in ("http", "https")
        except (requests.RequestException, ValueError):
            is_web = False
        if not is_web:
            raise ValueError(
                "The webhook's address is none: "
                f"set {self.setting}_URL to one that begins with http:// or https://."
            )

    @classmethod
    def from_environment(cls, setting: str = "DROPOFF_WEBHOOK") -> "Webhook | None":
        """Read the setting's _URL and _SECRET. Returns None without an address.

        Raises ValueError (one sentence) where the address is none of the web.
        """
        url = os.environ.get(f"{setting}_URL", "").strip()
        secret = os.environ.get(f"{setting}_SECRET") or None
        return cls(url, secret, setting=setting) if url else None

    @property
    def receiver(self) -> str:
        """The address without what may be secret in it: scheme, host and port."""
        address = parse_url(self.url)
        return f"{address.scheme}://{address.netloc}"

    def headers(self, key: str, body: bytes) -> dict[str, str]:
        """Headers of one message; its signature is over exactly the bytes of the body."""
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "dropoff",
            "Idempotency-Key": key,
        }
        if self.secret:
            digest = hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
            headers["X-Dropoff-Signature"] = f"sha256={digest}"
        return headers


class StoppableRetry(Retry):
    """Retries whose pauses end, with StoppedError, when the sender is to stop."""

    RETRY_AFTER_STATUS_CODES = RETRIED

    def __init__(
        self,
        total: int,
        stopping: threading.Event,
        **options: Any,  # noqa: ANN401
    ) -> None:
        """`options` are those of urllib3's Retry."""
        super().__init__(total, **options)
        self.stopping = stopping

    def new(self, **options: Any) -> "StoppableRetry":  # noqa: ANN401
        """Return a copy with other options, as urllib3 makes one for each try."""
        return super().new(stopping=self.stopping, **options)

    def pause_asked(self, response: BaseHTTPResponse | requests.Response | None) -> float:
        """Seconds that the receiver asks to wait, 0 where it asks nothing that can be read."""
        try:
            return (self.get_retry_after(response) or 0) if response is not None else 0
        except (InvalidHeader, ValueError, OverflowError):
            return 0

    def sleep(self, response: BaseHTTPResponse | None = None) -> None:
        """Wait as long as the receiver asks, else the backoff."""
        if self.stopping.wait(self.pause_asked(response) or self.get_backoff_time()):
            raise StoppedError


def is_not_of_the_sender(_: logging.LogRecord) -> bool:
    """Keep the records of other threads: urllib3 tells each try, with the secrets of the path."""
    return threading.current_thread().name != SENDER


for module in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{module}").addFilter(is_not_of_the_sender)


def is_too_late(body: bytes) -> bool:
    """True where the message was assigned so long ago that nobody should get it any more."""
    assigned_at = json.loads(body).get("assigned_at")
    if assigned_at is None:  # it is about no session
        return False
    age = datetime.now(UTC) - datetime.fromisoformat(assigned_at)
    return age.total_seconds() > LATEST


class Sender:
    """Posts messages, oldest first, in a thread of its own, until it is stopped.

    One that is refused is given up; while the receiver is down, all wait.
    """

    def __init__(
        self,
        webhook: Webhook,
        delivered: Journal,
        refused: Journal,
        messages: str = "Interventions",
    ) -> None:
        """The two files, in which what became of a message is kept, are the sender's to close.

        messages: what they are called in what is said of them.
        """
        self.webhook = webhook
        self.messages = messages
        self.delivered = delivered
        self.refused = refused
        self.counts = Counter(delivered=0, refused=0)
        self.waiting: deque[Message] = deque()
        self.changed = threading.Condition()
        self.stopping = threading.Event()
        self.is_in_trouble = False
        self.statuses_told: set[int] = set()

        self.retry = StoppableRetry(
            webhook.retries,
            stopping=self.stopping,
            allowed_methods=None,
            status_forcelist=RETRIED,
            raise_on_status=False,
            backoff_factor=FIRST_PAUSE,
            backoff_max=LONGEST_PAUSE,
        )
        self.session = requests.Session()
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, HTTPAdapter(max_retries=self.retry))
        # a daemon: an answer that does not come holds up no exit
        self.thread = threading.Thread(target=self.run, name=SENDER, daemon=True)

    def add(self, messages: Collection[Message]) -> None:
        """Put messages behind those that wait."""
        with self.changed:
            self.waiting.extend(messages)
            self.changed.notify()

    def settle(self, seconds: float) -> int:
        """Wait until nothing waits, so long at most. Returns how many messages still do."""
        with self.changed:
            self.changed.wait_for(lambda: not self.waiting, seconds)
            return len(self.waiting)

    def stop(self) -> None:
        """Stop within about a second; an answer that comes later is still written down."""
        self.stopping.set()
        with self.changed:
            self.changed.notify()
        self.thread.join(PATIENCE_AT_THE_END)

    def run(self) -> None:
        """Send and write down what came of it, one message after the other."""
        try:
            while message := self.oldest():
                status = self.insist(self.post, *message)
                outcome = self.record(message[0], status)
                with self.changed:
                    self.waiting.popleft()
                    self.counts[outcome] += 1
                    self.changed.notify_all()
        except StoppedError:
            pass
        finally:
            self.session.close()
            self.delivered.close()
            self.refused.close()

    def oldest(self) -> Message | None:
        """Wait for a message. Returns None once the sender is to stop."""
        with self.changed:
            self.changed.wait_for(lambda: self.waiting or self.stopping.is_set())
            return None if self.stopping.is_set() else self.waiting[0]

    def insist(self, action: Callable[..., int], *arguments: str | bytes) -> int:
        """Try, with growing pauses, until it is done. Raises StoppedError."""
        pause = FIRST_PAUSE
        while True:
            try:
                result = action(*arguments)
            except StoppedError:
                raise
            except Exception as error:
                # of other errors the text may hold the address
                known = isinstance(error, UnavailableError)
                if not self.is_in_trouble:
                    self.is_in_trouble = True
                    why = error if known else type(error).__name__
                    LOG.warning("%s wait: %s.", self.messages, why)
                if self.stopping.wait(max(pause, error.pause if known else 0)):
                    raise StoppedError from None
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                if self.is_in_trouble:
                    self.is_in_trouble = False
                    LOG.info("%s go out again to %s.", self.messages, self.webhook.receiver)
                return result

    def post(self, key: str, body: bytes) -> int:
        """Post a message. Returns the status that settles it; raises UnavailableError."""
        if is_too_late(body):
            return TOO_LATE
        try:
            answer = self.session.post(
                self.webhook.url,
                data=body,
                headers=self.webhook.headers(key, body),
                timeout=self.webhook.timeout,
                allow_redirects=False,
                stream=True,  # the body of an answer is nothing to wait for
            )
        except requests.exceptions.SSLError:
            raise UnavailableError(
                f"no secure connection to {self.webhook.receiver} can be made"
            ) from None
        except requests.RequestException:
            raise UnavailableError(f"{self.webhook.receiver} does not answer") from None
        with answer:
            status = answer.status_code
        if 200 <= status < 300 or status in REFUSED:
            return status
        # redirects and most 4xx, too: they are about the address and not about the message
        raise UnavailableError(
            f"{self.webhook.receiver} answers with status {status}", self.retry.pause_asked(answer)
        )

    def record(self, key: str, status: int) -> str:
        """Write down what came of a message. Returns `delivered` or `refused`."""
        time = iso(datetime.now(UTC))
        if 200 <= status < 300:
            outcome, row = "delivered", {"key": key, "delivered_at": time}
        else:
            outcome, row = "refused", {"key": key, "refused_at": time, "status": status}
            if status not in self.statuses_told:
                self.statuses_told.add(status)
                why = (
                    "is too late to be sent"
                    if status == TOO_LATE
                    else f"was refused by {self.webhook.receiver} with status {status}"
                )
                LOG.warning("A message %s, and is given up; see %s.", why, self.refused.path)
        journal = self.delivered if outcome == "delivered" else self.refused

        def write() -> int:
            try:
                journal.append([as_bytes(row)])
            except OSError as error:
                raise UnavailableError(
                    f"{journal.path} cannot be written ({error.strerror})"
                ) from None
            return status

        self.insist(write)
        return outcome


class Interventions:
    """Assigns sessions to the arms of interventions and sends out those of the treated arm."""

    def __init__(
        self, folder: Path, ledger: Path, control_share: float, webhook: Webhook | None
    ) -> None:
        """Take up what an earlier process left, killed or not.

        folder: outbox.ndjson, delivered.ndjson, refused.ndjson; made where it is not there.
        ledger: ndjson, in the landing zone of interventions.
        control_share: above 0, below 1.
        Raises ValueError (one sentence) for another share or a line that cannot be read,
        BlockingIOError where another process works in the folder.
        """
        self.control_share = control_share
        is_number = isinstance(control_share, int | float)
        self.planned_treated_share = round(1 - control_share, 9) if is_number else 0
        if not 0 < self.planned_treated_share < 1:
            raise ValueError(
                f"The var control_share is {control_share}: set a number above 0 and below 1."
            )
        self.changing = threading.Lock()
        self.keys: set[str] = set()
        self.arms = Counter(treated=0, control=0)
        self.counts_before = Counter(delivered=0, refused=0)
        self.missing_in_outbox: list[bytes] = []
        self.sender: Sender | None = None

        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as opened:
            # released with the process, however it ends
            lock = os.open(folder, os.O_RDONLY)
            opened.callback(os.close, lock)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BlockingIOError(
                    f"Another make live is at work in {folder}: end it first."
                ) from None

            self.ledger = Journal(ledger)
            opened.callback(self.ledger.close)
            self.outbox = Journal(folder / "outbox.ndjson")
            opened.callback(self.outbox.close)
            delivered = Journal(folder / "delivered.ndjson")
            refused = Journal(folder / "refused.ndjson")
            with contextlib.ExitStack() as of_the_sender:
                of_the_sender.callback(delivered.close)
                of_the_sender.callback(refused.close)
                unsettled = self.take_up(delivered, refused)
                self.fill_outbox()
                if webhook:
                    self.sender = Sender(webhook, delivered, refused)
                    self.sender.add(unsettled)
                    self.sender.thread.start()
                    of_the_sender.pop_all()
            self.opened: contextlib.ExitStack | None = opened.pop_all()

    def take_up(self, delivered: Journal, refused: Journal) -> list[Message]:
        """Read what is there. Returns the messages that are neither delivered nor refused."""
        settled = {row["key"]: "refused" for row in refused.rows()}
        settled |= {row["key"]: "delivered" for row in delivered.rows()}
        in_outbox = {row["key"] for row in self.outbox.rows()}
        unsettled = []
        for row in self.ledger.rows():
            key = row["assignment_id"]
            if key in self.keys:
                continue
            self.keys.add(key)
            self.arms[row["arm"]] += 1
            if row.get("message") is None:
                continue
            body = as_bytes(row["message"])
            if key not in in_outbox:
                self.missing_in_outbox.append(body)
            if key in settled:
                self.counts_before[settled[key]] += 1
            else:
                unsettled.append((key, body))
        return unsettled

    def offer(self, sessions: list[Row], now: datetime) -> int:
        """Assign each session and rule that is new to an arm. Returns how many were.

        sessions: rows of fct_active_sessions for which an intervention is due. One that lacks a
        user, a stage, a rule or a suggestion could be neither sent nor measured, and is left out.
        When this returns they are in the ledger and in the outbox; they are sent meanwhile.
        Raises OSError where the ledger cannot be written, and then nothing was assigned.
        """
        with self.changing:
            if self.opened is None:
                raise ValueError("The interventions are closed.")
            rows: dict[str, Row] = {}
            for session in sessions:
                if any(not str(session[name] or "").strip() for name in NEEDED):
                    continue
                key = assignment_id(session["session_id"], session["rule"])
                if key not in self.keys:
                    rows[key] = self.ledger_row(key, session, now)
            if rows:
                self.ledger.append([as_bytes(row) for row in rows.values()])
                self.keys |= rows.keys()
                self.arms.update(row["arm"] for row in rows.values())
                messages = [
                    (key, as_bytes(row["message"]))
                    for key, row in rows.items()
                    if row["arm"] == "treated"
                ]
                self.missing_in_outbox += [body for _, body in messages]
                if self.sender:
                    self.sender.add(messages)
            # also what an earlier offer could not write
            self.fill_outbox()
            return len(rows)

    def ledger_row(self, key: str, session: Row, now: datetime) -> Row:
        """Return the row of the ledger: its columns, the rule and the message that is sent."""
        intervention = session["suggestion"]
        arm = arm_of(session["session_id"], intervention, self.control_share)
        row = {
            "assignment_id": key,
            "intervention": intervention,
            "unit": "session",
            "user_id": session["user_id"],
            "session_id": session["session_id"],
            "stage": session["stage"],
            "arm": arm,
            "planned_treated_share": self.planned_treated_share,
            "assigned_at": iso(now),
            "received_at": iso(now),
            "rule": session["rule"],
            "message": None,
        }
        if arm == "treated":
            row["message"] = {name: plain(session[name]) for name in COPIED} | {
                "key": key,
                "intervention": intervention,
                "assigned_at": row["assigned_at"],
                "planned_treated_share": self.planned_treated_share,
            }
        return row

    def fill_outbox(self) -> None:
        """Write the messages of the ledger that the outbox lacks."""
        if self.missing_in_outbox:
            self.outbox.append(self.missing_in_outbox)
            self.missing_in_outbox = []

    def counts(self) -> dict[str, int]:
        """Assignments by what became of them; waiting ones only where there is a webhook."""
        with self.changing:
            settled, waiting = Counter(self.counts_before), 0
            if self.sender:
                with self.sender.changed:
                    settled.update(self.sender.counts)
                    waiting = len(self.sender.waiting)
            return {
                "assigned": len(self.keys),
                "treated": self.arms["treated"],
                "control": self.arms["control"],
                "delivered": settled["delivered"],
                "refused": settled["refused"],
                "waiting": waiting,
            }

    def close(self) -> None:
        """Stop within about a second; messages that wait go out after the next start."""
        with self.changing:
            if self.opened is None:
                return
            if self.sender:
                self.sender.stop()
            self.opened.close()
            self.opened = None
