"""Interventions go out once per session and rule, with a control arm, whenever they are killed."""

import contextlib
import hashlib
import hmac
import json
import logging
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml
from conftest import ROOT, load

MODULE = ROOT / "live" / "interventions.py"
interventions = load(MODULE)
Interventions, Webhook = interventions.Interventions, interventions.Webhook

KILLS = int(os.environ.get("DROPOFF_KILLS", "3"))
NOW = datetime(2026, 2, 16, 9, 30, tzinfo=UTC)
# where much is killed
CONTROL_SHARE = 0.3
SECRET = "a secret of 32 letters, not told"


@pytest.fixture(autouse=True)
def _quick_and_direct(monkeypatch):
    monkeypatch.setattr(interventions, "FIRST_PAUSE", 0.02)
    # NOW is long ago
    monkeypatch.setattr(interventions, "LATEST", float("inf"))
    monkeypatch.setenv("NO_PROXY", "*")


def session(number, **changes):
    """A row of fct_active_sessions for which an intervention is due."""
    return {
        "session_id": f"session {number}",
        "user_id": f"user {number}",
        "display_name": f"Ms. {number} → ü",
        "journey": "Booking",
        "stage": "select_seat",
        "seconds_since_last_event": 150.25,
        "drop_risk": 0.1 + 0.2,
        "risk_level": "high",
        "rule": "Stuck on Seat selection",
        "suggestion": "Show limited seats notification",
        "as_of": datetime(2026, 2, 16, 9, 29, 58, 500),
    } | changes


def sessions(count):
    return [session(number) for number in range(count)]


class Receiver(ThreadingHTTPServer):
    """Keeps what is posted; answers with answer(key, how often it came), by default 200."""

    daemon_threads = True

    def __init__(self, listens=True):
        super().__init__(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self.server_bind()
        self.answer = lambda key, count: 200
        self.headers_to_send = {}
        self.posted = []
        self.adding = threading.Lock()
        if listens:
            self.listen()

    def listen(self):
        self.server_activate()
        threading.Thread(target=self.serve_forever, args=[0.02], daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/hook"

    @property
    def keys(self):
        return [key for key, _, _ in self.posted]

    def handle_error(self, *_):
        """Senders are killed here."""


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:  # its sender was killed
            return
        key = self.headers["Idempotency-Key"]
        with self.server.adding:
            self.server.posted.append((key, dict(self.headers), body))
            count = self.server.keys.count(key)
        status = self.server.answer(key, count)
        if status:
            self.send_response(status)
            for name, value in self.server.headers_to_send.items():
                self.send_header(name, value)
            self.end_headers()

    do_GET = do_HEAD = do_POST

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    with Receiver() as server:
        yield server
        server.shutdown()


@pytest.fixture
def start(tmp_path):
    """Start interventions over the files of this test; what an earlier start has is closed."""
    started = []

    def start(webhook=None, control_share=0.1):
        for running in started:
            running.close()
        ledger = tmp_path / "landing" / "live.ndjson"
        started.append(Interventions(tmp_path / "state", ledger, control_share, webhook))
        return started[-1]

    yield start
    for running in started:
        running.close()


def rows_of(path):
    """Rows of an ndjson file, every line of which is whole."""
    content = path.read_bytes() if path.exists() else b""
    assert content.endswith(b"\n") or not content
    return [json.loads(line) for line in content.splitlines()]


@pytest.fixture
def files(tmp_path):
    """Rows of a file by its name."""
    paths = {name: tmp_path / "state" / f"{name}.ndjson" for name in STATE_FILES}
    paths["ledger"] = tmp_path / "landing" / "live.ndjson"
    return lambda name: rows_of(paths[name])


NO_ADDRESS = (
    "The webhook's address is none: set DROPOFF_WEBHOOK_URL to one that begins with http:// or "
    "https://."
)
STATE_FILES = ("outbox", "delivered", "refused")


def arms(ledger):
    return {row["assignment_id"]: row["arm"] for row in ledger}


def eventually(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.005)


def counts(**changes):
    return {
        "assigned": 0,
        "treated": 0,
        "control": 0,
        "delivered": 0,
        "refused": 0,
        "waiting": 0,
    } | changes


def is_sent(running):
    return lambda: running.counts()["waiting"] == 0


# one session, sure to be treated at a control share of 0.1
TREATED = next(
    one
    for one in sessions(100)
    if interventions.arm_of(one["session_id"], one["suggestion"], 0.1) == "treated"
)
CONTROL = next(
    one
    for one in sessions(100)
    if interventions.arm_of(one["session_id"], one["suggestion"], 0.1) == "control"
)


def test_a_session_is_assigned_once_for_each_rule_over_restarts(start, files):
    running = start()
    assert running.offer(sessions(5), NOW) == 5
    assert running.offer(sessions(6), NOW) == 1
    assert running.offer([session(0)] * 2, NOW) == 0
    assert running.offer([session(0, rule="Paying twice")] * 2, NOW) == 1
    running = start()
    assert running.offer(sessions(6), NOW) == 0
    # the same rule, another level or suggestion: it was acted upon
    assert running.offer([session(0, risk_level="low", suggestion="Wait")], NOW) == 0
    assert running.offer(sessions(7), NOW) == 1
    assert len(files("ledger")) == len(arms(files("ledger"))) == 8
    assert running.counts()["assigned"] == 8


def test_keys_are_of_session_and_rule_and_cannot_be_confused():
    assert re.fullmatch("[0-9a-f]{32}", interventions.assignment_id("a", "b"))
    pairs = [("ab", "c"), ("a", "bc"), ("a,b", "c"), ("a", "b,c"), ('a","b', "c"), ("a", 'b","c')]
    assert len({interventions.assignment_id(*pair) for pair in pairs}) == len(pairs)


def test_the_arms_have_the_planned_share_and_are_the_same_on_another_run(start, files, tmp_path):
    start(control_share=0.1).offer(sessions(2000), NOW)
    ledger = files("ledger")
    drawn = Counter(row["arm"] for row in ledger)
    # 200 expected, 13.4 the standard deviation
    assert abs(drawn["control"] - 200) < 40
    assert {row["planned_treated_share"] for row in ledger} == {0.9}

    elsewhere = Interventions(tmp_path / "other", tmp_path / "other.ndjson", 0.1, None)
    elsewhere.offer(sessions(2000)[::-1], datetime.now(UTC))
    elsewhere.close()
    assert arms(rows_of(tmp_path / "other.ndjson")) == arms(ledger)
    # independent of the digits of the key
    first_digits = Counter(row["assignment_id"][0] for row in ledger if row["arm"] == "control")
    assert len(first_digits) == 16


def test_every_column_that_the_warehouse_reads_is_in_the_ledger(start, files):
    running = start()
    running.offer([TREATED, CONTROL], NOW)
    staging = yaml.safe_load((ROOT / "models" / "staging" / "_models.yml").read_text())
    [model] = [model for model in staging["models"] if model["name"] == "base_ledger__rows"]
    of_the_file = {"file_name", "file_row_number", "is_readable", "payload"}
    columns = {column["name"] for column in model["columns"]} - of_the_file
    assert len(columns) == 10
    treated, control = files("ledger")
    assert set(treated) == set(control) == columns | {"rule", "message"}
    message = treated.pop("message")
    assert treated == {
        "assignment_id": interventions.assignment_id(TREATED["session_id"], TREATED["rule"]),
        "intervention": "Show limited seats notification",
        "unit": "session",
        "user_id": TREATED["user_id"],
        "session_id": TREATED["session_id"],
        "stage": "select_seat",
        "arm": "treated",
        "planned_treated_share": 0.9,
        "assigned_at": "2026-02-16T09:30:00.000000Z",
        "received_at": "2026-02-16T09:30:00.000000Z",
        "rule": "Stuck on Seat selection",
    }
    assert message | {"suggestion": message["intervention"]} == TREATED | {
        "as_of": "2026-02-16T09:29:58.000500Z",
        "key": treated["assignment_id"],
        "intervention": treated["intervention"],
        "assigned_at": treated["assigned_at"],
        "planned_treated_share": 0.9,
    }
    assert control["arm"] == "control"
    assert control["message"] is None


def test_what_the_ledger_would_reject_is_left_out(start, files):
    running = start()
    unfit = [
        session(number, **{name: value})
        for number, name in enumerate(interventions.NEEDED)
        for value in (None, " ")
    ]
    assert running.offer([*unfit, TREATED], NOW) == 1
    assert [row["session_id"] for row in files("ledger")] == [TREATED["session_id"]]
    # no number is null in JSON
    assert running.offer([TREATED | {"rule": "?", "drop_risk": float("nan")}], NOW) == 1
    assert files("outbox")[-1]["drop_risk"] is None


@pytest.mark.parametrize("share", [1, 0, -0.1, 1.5, float("nan"), 1 - 1e-12, "0.1", None])
def test_a_share_that_leaves_an_arm_empty_is_refused(start, share):
    with pytest.raises(
        ValueError, match=r"^The var control_share is .*: set a number above 0 and below 1\.$"
    ):
        start(control_share=share)


def test_a_second_process_in_the_folder_is_refused(start, tmp_path):
    running = start()
    sentence = re.escape(f"Another make live is at work in {tmp_path}/state: end it first.")
    with pytest.raises(BlockingIOError, match=sentence):
        Interventions(tmp_path / "state", tmp_path / "landing" / "live.ndjson", 0.1, None)
    running.close()
    running.close()
    with pytest.raises(ValueError, match="closed"):
        running.offer([TREATED], NOW)
    start()


def test_a_control_is_never_sent(start, files, receiver):
    running = start(Webhook(receiver.url), control_share=0.5)
    running.offer(sessions(40), NOW)
    eventually(is_sent(running))
    start(Webhook(receiver.url), control_share=0.5).close()
    ledger = files("ledger")
    treated = [key for key, arm in arms(ledger).items() if arm == "treated"]
    assert 5 < len(treated) < 35
    # oldest first, too
    assert receiver.keys == treated
    assert [row["key"] for row in files("outbox")] == treated
    assert [row["key"] for row in files("delivered")] == treated
    assert running.counts() == counts(
        assigned=40, treated=len(treated), control=40 - len(treated), delivered=len(treated)
    )


def test_without_a_webhook_the_outbox_is_filled_and_nothing_waits(start, files):
    running = start()
    running.offer(sessions(20), NOW)
    treated = [row for row in files("ledger") if row["arm"] == "treated"]
    assert files("outbox") == [row["message"] for row in treated]
    assert files("delivered") == []
    expected = counts(assigned=20, treated=len(treated), control=20 - len(treated))
    assert running.counts() == start().counts() == expected


@pytest.mark.parametrize("torn", [b'{"key":"ab', b"\0\0\0", b"{}"])
def test_torn_last_lines_are_cut_and_nothing_is_lost(start, files, receiver, tmp_path, torn):
    receiver.answer = lambda key, count: 400 if key == refused else 200
    refused = interventions.assignment_id(TREATED["session_id"], TREATED["rule"])
    webhook = Webhook(receiver.url)
    running = start(webhook)
    running.offer(sessions(8), NOW)
    eventually(is_sent(running))
    before = {name: files(name) for name in ("ledger", *STATE_FILES)}
    assert len(before["refused"]) == 1
    running.close()
    for path in tmp_path.glob("*/*.ndjson"):
        path.write_bytes(path.read_bytes() + torn)
    running = start(webhook)
    assert {name: files(name) for name in before} == before
    assert running.offer(sessions(9), NOW) == 1
    eventually(is_sent(running))
    assert {name: files(name)[: len(before[name])] for name in before} == before
    assert len(receiver.keys) == len(set(receiver.keys))


def test_what_a_kill_left_out_is_made_up(start, files, receiver, tmp_path):
    """Assigned anew what was not whole in the ledger; what is, goes to the outbox and out."""
    start().offer(sessions(10), NOW)
    ledger, outbox = files("ledger"), files("outbox")
    start().close()
    path = tmp_path / "landing" / "live.ndjson"
    path.write_bytes(path.read_bytes()[:-9])
    # an outbox never has what the ledger lacks: it is written later
    path = tmp_path / "state" / "outbox.ndjson"
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0] + b'{"key":')
    running = start(Webhook(receiver.url))
    assert files("ledger") == ledger[:-1]
    assert running.offer(sessions(10), NOW) == 1
    assert files("ledger") == ledger
    assert files("outbox") == outbox
    eventually(is_sent(running))
    assert receiver.keys == [row["key"] for row in outbox]


def test_a_whole_line_that_cannot_be_read_is_told(start, tmp_path):
    start().offer(sessions(3), NOW)
    start().close()
    ledger = tmp_path / "landing" / "live.ndjson"
    good = ledger.read_bytes()
    ledger.write_bytes(good + b"[]\n")
    with pytest.raises(
        ValueError, match=r"live.ndjson, line 4, is no JSON object: mend it or remove it"
    ):
        start()
    ledger.write_bytes(good)
    start()


def test_an_offer_is_one_write_that_is_on_disk_before_anything_else(start, monkeypatch):
    done = []

    def told(name, call):
        def tell(descriptor, *arguments):
            done.append((name, descriptor))
            return call(descriptor, *arguments)

        return tell

    running = start()
    running.offer(sessions(5), NOW)
    ledger, outbox = running.ledger.descriptor, running.outbox.descriptor
    with monkeypatch.context() as watched:
        for name in ("write", "fsync", "ftruncate"):
            watched.setattr(os, name, told(name, getattr(os, name)))
        assert running.offer(sessions(50), NOW) == 45
    assert done == [(name, file) for file in (ledger, outbox) for name in ("write", "fsync")]


@pytest.mark.parametrize("is_cut_at_once", [True, False])
def test_a_ledger_that_cannot_be_written_assigns_nothing(start, files, monkeypatch, is_cut_at_once):
    running = start()
    running.offer(sessions(2), NOW)
    write = os.write

    def write_half(descriptor, content):
        return write(descriptor, content[: len(content) // 2])

    def fail(*_):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as full:
        full.setattr(os, "write", write_half)
        if not is_cut_at_once:
            full.setattr(os, "ftruncate", fail)
        with pytest.raises(OSError, match="No space left"):
            running.offer(sessions(4), NOW)
    assert running.counts()["assigned"] == 2
    assert running.offer(sessions(4), NOW) == 2
    assert len(files("ledger")) == len(arms(files("ledger"))) == 4


def test_a_ledger_that_was_deleted_begins_anew(start, files, tmp_path):
    """As make clean does; what is assigned meanwhile stays assigned."""
    running = start()
    running.offer(sessions(2), NOW)
    shutil.rmtree(tmp_path / "landing")
    assert running.offer(sessions(3), NOW) == 1
    assert [row["session_id"] for row in files("ledger")] == ["session 2"]


def no_space(_):
    raise OSError(28, "No space left on device")


def test_an_outbox_that_could_not_be_written_is_made_up(start, files, monkeypatch):
    running = start()
    with monkeypatch.context() as full:
        full.setattr(running.outbox, "append", no_space)
        with pytest.raises(OSError, match="No space left"):
            running.offer([TREATED], NOW)
    assert len(files("ledger")) == 1
    assert files("outbox") == []
    assert running.offer([TREATED], NOW) == 0
    assert [row["session_id"] for row in files("outbox")] == [TREATED["session_id"]]


@pytest.mark.parametrize("secret", [SECRET, "ключ", None])
def test_the_signature_is_of_exactly_the_body(start, files, receiver, secret):
    running = start(Webhook(receiver.url, secret))
    running.offer([TREATED], NOW)
    eventually(is_sent(running))
    [(key, headers, body)] = receiver.posted
    expected = secret and "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    assert headers.get("X-Dropoff-Signature") == expected
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == files("ledger")[0]["message"]
    assert json.loads(body)["key"] == key
    assert body == json.dumps(json.loads(body), separators=(",", ":"), sort_keys=True).encode()


@pytest.mark.parametrize("retries", [0, 3])
@pytest.mark.parametrize("failure", [500, 503, 429, 408, 425, None])
def test_each_try_and_each_restart_sends_the_same_bytes(start, receiver, failure, retries):
    """500 and the like, or no answer at all, twice; then a restart, then it is taken."""
    receiver.answer = lambda key, count: 200 if is_well.is_set() else failure
    is_well = threading.Event()
    webhook = Webhook(receiver.url, SECRET, retries=retries)
    running = start(webhook)
    running.offer([TREATED], NOW)
    eventually(lambda: len(receiver.posted) >= 2)
    running = start(webhook)
    tries = len(receiver.posted)
    eventually(lambda: len(receiver.posted) >= tries + 2)
    is_well.set()
    eventually(is_sent(running))
    assert len({(key, body) for key, _, body in receiver.posted}) == 1
    assert len({headers["X-Dropoff-Signature"] for _, headers, _ in receiver.posted}) == 1


@pytest.mark.parametrize("retries", [0, 2])
def test_the_pause_that_a_receiver_asks_for_is_kept(start, receiver, retries):
    times = []
    receiver.headers_to_send = {"Retry-After": "1"}
    receiver.answer = lambda key, count: times.append(time.monotonic()) or [503, 200][count - 1]
    running = start(Webhook(receiver.url, retries=retries))
    running.offer([TREATED], NOW)
    eventually(is_sent(running))
    assert 1 <= times[1] - times[0] < 3


def test_a_pause_that_cannot_be_read_is_no_pause(start, receiver, caplog):
    receiver.headers_to_send = {"Retry-After": "when it suits"}
    receiver.answer = lambda key, count: [503, 503, 503, 200][count - 1]
    running = start(Webhook(receiver.url, retries=1))
    running.offer([TREATED], NOW)
    eventually(is_sent(running), seconds=2)
    assert "answers with status 503" in caplog.text


def test_a_receiver_that_is_dead_holds_nothing_up_and_gets_all_once_it_is_there(
    start, files, caplog
):
    caplog.set_level(logging.DEBUG)
    with Receiver(listens=False) as receiver:
        running = start(Webhook(receiver.url, retries=2))
        began = time.monotonic()
        for count in range(5, 41, 5):
            assert running.offer(sessions(count), NOW) == 5
        assert time.monotonic() - began < 1
        treated = running.counts()["treated"]
        time.sleep(0.3)
        assert running.counts() == counts(
            assigned=40, treated=treated, control=40 - treated, waiting=treated
        )
        receiver.listen()
        eventually(is_sent(running))
        receiver.shutdown()
    assert sorted(receiver.keys) == sorted(row["key"] for row in files("outbox"))
    host = receiver.url.removesuffix("/hook")
    # one sentence each, however many tries there were
    assert [record.getMessage() for record in caplog.records] == [
        f"Interventions wait: {host} does not answer.",
        f"Interventions go out again to {host}.",
    ]


def test_a_receiver_that_never_answers_holds_up_neither_offer_nor_close(start, files, receiver):
    is_over = threading.Event()
    receiver.answer = lambda key, count: is_over.wait(20) and 200
    running = start(Webhook(receiver.url))
    began = time.monotonic()
    running.offer(sessions(20), NOW)
    assert time.monotonic() - began < 1
    eventually(lambda: receiver.posted)
    began = time.monotonic()
    running.close()
    assert time.monotonic() - began < 2
    # the answer that comes late is still written down
    is_over.set()
    eventually(lambda: len(files("delivered")) == 1)
    assert receiver.keys == [files("delivered")[0]["key"]]


@pytest.mark.parametrize("retries", [0, 100])
def test_close_does_not_wait_for_a_pause_to_end(start, receiver, retries):
    receiver.headers_to_send = {"Retry-After": "3600"}
    receiver.answer = lambda key, count: 503
    running = start(Webhook(receiver.url, retries=retries))
    running.offer([TREATED], NOW)
    eventually(lambda: receiver.posted)
    time.sleep(0.05)
    began = time.monotonic()
    running.close()
    assert time.monotonic() - began < 0.5
    assert not running.sender.thread.is_alive()


def test_a_message_that_is_refused_is_given_up_once(start, files, receiver, caplog):
    refused = interventions.assignment_id(TREATED["session_id"], TREATED["rule"])
    receiver.answer = lambda key, count: 422 if key == refused else 200
    webhook = Webhook(receiver.url)
    running = start(webhook)
    running.offer(sessions(10), NOW)
    eventually(is_sent(running))
    treated = running.counts()["treated"]
    for again in (running, start(webhook)):
        assert again.counts() == counts(
            assigned=10, treated=treated, control=10 - treated, delivered=treated - 1, refused=1
        )
    time.sleep(0.1)
    assert receiver.keys.count(refused) == 1
    assert [(row["key"], row["status"]) for row in files("refused")] == [(refused, 422)]
    [told] = [record.getMessage() for record in caplog.records]
    place = f"{running.outbox.path.parent}/refused.ndjson"
    assert told == (
        f"A message was refused by {webhook.receiver} with status 422, and is given up; see {place}."
    )


def test_a_refusal_of_all_is_told_once(start, receiver, caplog):
    receiver.answer = lambda key, count: 422
    running = start(Webhook(receiver.url))
    running.offer(sessions(20), NOW)
    eventually(is_sent(running))
    assert running.counts()["refused"] == running.counts()["treated"] > 10
    assert len(caplog.records) == 1


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_that_is_about_the_address_or_the_secret_lets_all_wait(start, receiver, status):
    receiver.answer = lambda key, count: status if len(receiver.posted) <= 3 else 200
    running = start(Webhook(receiver.url))
    running.offer(sessions(20), NOW)
    eventually(is_sent(running))
    assert running.counts()["delivered"] == running.counts()["treated"] > 10


def test_a_message_whose_session_is_long_over_is_given_up(
    start, files, receiver, monkeypatch, caplog
):
    monkeypatch.setattr(interventions, "LATEST", 3600)
    running = start(Webhook(receiver.url))
    now = datetime.now(UTC)
    running.offer([session(1)], now - timedelta(seconds=3590))
    running.offer([session(2)], now - timedelta(seconds=3601))
    eventually(is_sent(running))
    assert len(receiver.posted) == running.counts()["delivered"] == 1
    assert [row["key"] for row in files("refused")] == [
        interventions.assignment_id("session 2", "Stuck on Seat selection")
    ]
    assert "A message is too late to be sent, and is given up; see " in caplog.text


@pytest.mark.parametrize("status", [301, 303, 307])
def test_a_redirect_is_not_followed_and_the_message_waits(start, receiver, caplog, status):
    with Receiver() as elsewhere:
        receiver.headers_to_send = {"Location": elsewhere.url}
        receiver.answer = lambda key, count: status if count <= 2 else 200
        running = start(Webhook(receiver.url))
        running.offer([TREATED], NOW)
        eventually(is_sent(running))
        assert elsewhere.posted == []
        elsewhere.shutdown()
    assert len(receiver.posted) == 3
    assert f"answers with status {status}" in caplog.text


def test_what_was_delivered_is_written_down_and_not_sent_again(start, files, receiver, monkeypatch):
    """A disk that is full for a while is nothing to trouble the receiver with."""
    running = start(Webhook(receiver.url))
    with monkeypatch.context() as full:
        full.setattr(running.sender.delivered, "append", no_space)
        running.offer(sessions(5), NOW)
        eventually(lambda: receiver.posted)
        time.sleep(0.1)
        assert len(receiver.posted) == 1
    eventually(is_sent(running))
    assert len(receiver.posted) == len(files("delivered")) == running.counts()["treated"]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/TOKEN",
        "example.com/TOKEN",
        "http://",
        "http:///TOKEN",
        "http://me:TOKEN@host:TOKEN/",
        "http://[TOKEN",
        "mailto:TOKEN",
        "http://exa mple.com/TOKEN",
        "file:///TOKEN",
    ],
)
def test_an_address_that_is_none_of_the_web_is_told_without_it(monkeypatch, url):
    monkeypatch.setenv("DROPOFF_WEBHOOK_URL", url)
    with pytest.raises(ValueError, match=re.escape(NO_ADDRESS)) as error:
        Webhook.from_environment()
    assert "TOKEN" not in str(error.value)


def test_a_certificate_that_is_not_trusted_lets_messages_wait(start, caplog, monkeypatch):
    def refuse(*_, **__):
        raise interventions.requests.exceptions.SSLError

    running = start(Webhook("https://example.com/hook"))
    monkeypatch.setattr(running.sender.session, "post", refuse)
    running.offer([TREATED], NOW)
    eventually(lambda: caplog.records)
    assert [record.getMessage() for record in caplog.records] == [
        "Interventions wait: no secure connection to https://example.com can be made."
    ]


def test_the_environment_names_the_webhook(monkeypatch):
    monkeypatch.delenv("DROPOFF_WEBHOOK_URL", raising=False)
    monkeypatch.delenv("DROPOFF_WEBHOOK_SECRET", raising=False)
    assert Webhook.from_environment() is None
    monkeypatch.setenv("DROPOFF_WEBHOOK_URL", "")
    assert Webhook.from_environment() is None
    monkeypatch.setenv("DROPOFF_WEBHOOK_URL", "https://example.com/hook\n")
    assert Webhook.from_environment() == Webhook("https://example.com/hook", None)
    monkeypatch.setenv("DROPOFF_WEBHOOK_SECRET", SECRET)
    assert Webhook.from_environment() == Webhook("https://example.com/hook", SECRET)


def test_secrets_are_in_no_log_repr_or_file(start, tmp_path, receiver, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    address = receiver.url.replace("http://", "http://me:PASSWORD@").replace("hook", "PATHTOKEN")
    webhook = Webhook(f"{address}?t=QUERYTOKEN", "SIGNINGSECRET", retries=2)
    receiver.answer = lambda key, count: [None, 500, None, 307, 503, 422][(count - 1) % 6]
    running = start(webhook)
    running.offer(sessions(4), NOW)
    eventually(is_sent(running))
    running.close()
    # credentials go to the receiver as such
    assert receiver.posted[0][1]["Authorization"].startswith("Basic ")

    with Receiver(listens=False) as dead:
        address = webhook.url.replace(str(receiver.server_port), str(dead.server_port))
        running = start(Webhook(address, "SIGNINGSECRET", retries=1))
        running.offer(sessions(20), NOW)
        time.sleep(0.1)
        # what nobody thought of
        running.sender.session.post = running.sender.session.mount
        time.sleep(0.1)
        running.close()
    shown = [caplog.text, *capfd.readouterr()]
    shown += [f"{thing!r} {thing}" for thing in (webhook, running, running.sender)]
    shown += [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert "Interventions wait" in caplog.text
    for secret in ("PASSWORD", "PATHTOKEN", "QUERYTOKEN", "SIGNINGSECRET"):
        assert not [text for text in shown if secret in text]


def check_after_kills(folder, offered, posted):
    """Each assignment once, each treated message once in the outbox and sent, no control ever.

    Returns (control, treated) assignments.
    """
    assigned = rows_of(folder / "landing" / "live.ndjson")
    drawn = arms(assigned)
    keys = [interventions.assignment_id(one["session_id"], one["rule"]) for one in offered]
    assert sorted(row["assignment_id"] for row in assigned) == sorted(keys)
    assert list(drawn.values()) == [
        interventions.arm_of(row["session_id"], row["intervention"], CONTROL_SHARE)
        for row in assigned
    ]
    messages = {row["assignment_id"]: row["message"] for row in assigned}
    treated = sorted(key for key, arm in drawn.items() if arm == "treated")
    outbox = rows_of(folder / "state" / "outbox.ndjson")
    assert sorted(row["key"] for row in outbox) == treated
    assert all(row == messages[row["key"]] for row in outbox)
    bodies = {}
    for key, _, body in posted:
        assert drawn[key] == "treated"
        assert bodies.setdefault(key, body) == body
        assert json.loads(body) == messages[key]
    assert sorted(bodies) == treated
    delivered = rows_of(folder / "state" / "delivered.ndjson")
    assert sorted({row["key"] for row in delivered}) == treated
    return len(keys) - len(treated), len(treated)


# what is killed: kept apart from this file, which takes a second to import
KILLED = """
import importlib.util, json, os, signal, sys, threading, time
from datetime import UTC, datetime
from pathlib import Path

spec = importlib.util.spec_from_file_location("interventions", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
module.FIRST_PAUSE = 0.01


def run(job):
    "Offer in growing batches, and wait until all is sent; never for ever, though."
    signal.alarm(60)
    running = module.Interventions(
        Path(job["folder"]), Path(job["ledger"]), job["control_share"],
        module.Webhook(job["url"], "secret", retries=1),
    )
    for count in job["batches"]:
        running.offer(job["sessions"][:count], datetime.now(UTC))
        time.sleep(job["pause"])
    while running.counts()["waiting"]:
        time.sleep(0.001)
    running.close()


def die():
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def die_at_line(number):
    "Die at the nth line of the module that any thread comes to."
    seen = 0

    def trace(frame, event, argument):
        nonlocal seen
        if frame.f_code.co_filename != sys.argv[1]:
            return None
        if event == "line":
            seen += 1
            if seen == number:
                die()
        return trace

    threading.settrace(trace)
    sys.settrace(trace)
    return lambda: seen


def die_in_write(number):
    "Die in the nth write, when half of it is in the file."
    seen = 0
    real = os.write

    def write(descriptor, content):
        nonlocal seen
        seen += 1
        if seen == number:
            real(descriptor, content[:len(content) // 2])
            die()
        return real(descriptor, content)

    os.write = write


jobs = json.loads(sys.stdin.read())
if isinstance(jobs, dict):
    print("ready", flush=True)
    run(jobs)
else:
    # forked: nothing but this thread is there yet
    for job in jobs:
        child = os.fork()
        if not child:
            code = 1
            try:
                seen = die_at_line(job["line"]) if "line" in job else None
                if "write" in job:
                    die_in_write(job["write"])
                run(job)
                sys.settrace(None)
                if seen:
                    print("lines", seen(), flush=True)
                code = 0
            finally:
                os._exit(code)
        print("ended", os.waitpid(child, 0)[1], flush=True)
"""


@contextlib.contextmanager
def running_process(jobs):
    """One job, or one after the other, each in a process forked for it."""
    with tempfile.TemporaryFile("w+") as orders:
        json.dump(jobs, orders)
        orders.seek(0)
        command = [sys.executable, "-c", KILLED, MODULE]
        with subprocess.Popen(command, stdin=orders, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.kill()


def flaky(key, count):
    """Not at first, for some: an error, no answer, or one that comes late."""
    if int(key[0], 16) == 1:
        time.sleep(0.01)
    return {2: 503, 3: None}.get(int(key[0], 16), 200) if count == 1 else 200


def job_of(folder, receiver, offered, batches, pause=0.0):
    return {
        "folder": str(folder / "state"),
        "ledger": str(folder / "landing" / "live.ndjson"),
        "control_share": CONTROL_SHARE,
        "url": receiver.url,
        "sessions": [one | {"as_of": None} for one in offered],
        "batches": list(batches),
        "pause": pause,
    }


def test_nothing_is_lost_or_doubled_whenever_kill_9_comes(tmp_path, receiver):
    """A process that offers and sends is killed at random moments, then runs once in peace."""
    receiver.answer = flaky
    ledger = tmp_path / "landing" / "live.ndjson"
    assigned = [0]
    for _ in range(KILLS):
        # the next look at the open sessions has those of before again
        batches = range(assigned[-1] + 3, assigned[-1] + 600, 3)
        job = job_of(tmp_path, receiver, sessions(batches[-1]), batches, pause=0.001)
        with running_process(job) as process:
            assert process.stdout.readline() == "ready\n"
            time.sleep(random.uniform(0.005, 0.5))
            process.kill()
            assert process.wait() == -signal.SIGKILL
        lines = ledger.read_bytes().splitlines() if ledger.exists() else []
        assigned.append(len(lines))
    offered = sessions(assigned[-1] + 20)
    with running_process(job_of(tmp_path, receiver, offered, [len(offered)])) as process:
        assert process.wait(timeout=60) == 0
    _, treated = check_after_kills(tmp_path, offered, receiver.posted)
    print(
        f"{KILLS} kills, with {assigned[1:]} assigned by then; at the end {len(offered)} assigned, "
        f"{treated} treated, {len(receiver.posted)} times posted"
    )


def test_nothing_is_lost_or_doubled_between_any_two_statements(tmp_path, receiver):
    """Killed at a line of the module that any thread comes to, or with half of a write done."""
    receiver.answer = flaky

    def offered_in(name):
        return [session(f"{number} of {name}") for number in range(6)]

    def job(name, **death):
        return job_of(tmp_path / name, receiver, offered_in(name), [2, 4, 6]) | death

    def run(jobs):
        with running_process(jobs) as process:
            printed, _ = process.communicate(timeout=300)
            assert process.returncode == 0
        return printed.splitlines()

    lines, ended = run([job("in peace", line=-1)])
    assert ended == "ended 0"
    lines = int(lines.removeprefix("lines "))
    tried = 6 * KILLS
    deaths = [{"line": random.randint(n * lines // tried, (n + 1) * lines // tried)} for n in range(tried)]  # fmt: skip
    deaths += [{"write": n} for n in range(1, 9)]
    names = [f"{place} {number}" for death in deaths for place, number in death.items()]
    ended = run([job(name, **death) for name, death in zip(names, deaths, strict=True)])
    ended = Counter(line for line in ended if line.startswith("ended"))
    assert set(ended) <= {"ended 0", "ended 9"}
    # with fewer messages, or fewer tries, some do not come that far
    assert ended["ended 9"] > len(deaths) / 2
    assert set(run([job(name) for name in names])) == {"ended 0"}

    posted = {name: [] for name in names}
    for one in receiver.posted:
        name = json.loads(one[2])["session_id"].split(" of ")[1]
        posted.setdefault(name, []).append(one)
    copies = 0
    for name in names:
        _, treated = check_after_kills(tmp_path / name, offered_in(name), posted[name])
        copies += len(posted[name]) - treated
    print(
        f"killed at {ended['ended 9']} of {len(deaths)} places, of {lines} lines in a whole run; "
        f"{copies} times posted again"
    )
