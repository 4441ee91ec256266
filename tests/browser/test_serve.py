"""The server shows the site to this machine, safely, and nothing else."""

import gzip
import http.client
import importlib.util
import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from places import SERVE


@pytest.fixture(scope="module")
def serve():
    """The server's module."""
    spec = importlib.util.spec_from_file_location("serve", SERVE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def small_site(tmp_path):
    """A site of a few files beside one that is no part of it."""
    site = tmp_path / "build"
    (site / "funnel").mkdir(parents=True)
    (site / "index.html").write_text("<p>home</p>" * 200)
    (site / "funnel" / "index.html").write_text("<p>funnel</p>")
    (site / "data" / "x" / ("0" * 32)).mkdir(parents=True)
    (site / "data" / "x" / ("0" * 32) / "x.arrow").write_bytes(b"arrow")
    (site / "engine.wasm").write_bytes(b"\0asm" + bytes(4096))
    (site / "engine.wasm.br").write_bytes(b"compressed before")
    (tmp_path / "secret.txt").write_text("secret")
    (site / "way-out").symlink_to(tmp_path / "secret.txt")
    return site


@pytest.fixture
def process(small_site):
    """The server of the small site as a process, and its address."""
    server = subprocess.Popen(
        [sys.executable, SERVE, "--port", "0", "--site", small_site],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield server, urlsplit(server.stdout.readline().split()[-1])
    server.kill()
    server.wait()


@pytest.fixture
def ask(process):
    """Ask the small site for an address, exactly as written."""
    _, address = process

    def request(path, method="GET", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=10)
        connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response, content

    return request


def test_it_listens_on_the_loopback_address_only(serve, small_site):
    server = serve.SiteServer(small_site, 0)
    assert server.socket.getsockname()[0] == "127.0.0.1"
    server.server_close()


def test_a_page_comes_with_safe_headers(ask):
    response, content = ask("/")
    assert response.status == 200
    assert b"home" in content
    assert response.getheader("Content-Type") == "text/html; charset=utf-8"
    assert response.getheader("X-Content-Type-Options") == "nosniff"
    assert response.getheader("Referrer-Policy") == "no-referrer"
    assert response.getheader("Cache-Control") == "no-cache"
    policy = response.getheader("Content-Security-Policy")
    assert "frame-ancestors 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "default-src 'none'" in policy


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/funnel/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e%2f%2e%2e%2fetc/passwd",
        "//etc/passwd",
        "/way-out",
        "/funnel%00.html",
        "/" + "a" * 5000,
        "/no-such-page",
        "/data/",
    ],
)
def test_nothing_beside_the_site_is_served(ask, path):
    response, content = ask(path)
    assert response.status == 404
    assert content == b"There is no such page.\n"
    assert b"secret" not in content
    assert b"root:" not in content
    assert response.getheader("X-Content-Type-Options") == "nosniff"


def test_another_host_name_is_refused(ask):
    response, content = ask("/", Host="evil.example")
    assert response.status == 421
    assert content == b"This site answers on this machine.\n"
    assert ask("/", Host="localhost:3000")[0].status == 200


def test_a_page_without_its_slash_leads_to_it(ask):
    response, _ = ask("/funnel?starter=x")
    assert response.status == 308
    assert response.getheader("Location") == "/funnel/?starter=x"
    assert b"funnel" in ask("/funnel/")[1]


def test_pages_are_compressed_as_the_reader_asks(ask):
    plain = ask("/")[1]
    response, content = ask("/", Accept_Encoding="gzip")
    assert response.getheader("Content-Encoding") == "gzip"
    assert len(content) < len(plain)
    assert gzip.decompress(content) == plain
    response, content = ask("/engine.wasm", Accept_Encoding="gzip, br")
    assert response.getheader("Content-Encoding") == "br"
    assert response.getheader("Content-Type") == "application/wasm"
    assert content == b"compressed before"


def test_what_bears_a_hash_is_kept_and_the_rest_is_asked_for_again(ask):
    hashed, _ = ask(f"/data/x/{'0' * 32}/x.arrow")
    assert hashed.getheader("Content-Type") == "application/vnd.apache.arrow.stream"
    assert "immutable" in hashed.getheader("Cache-Control")
    page, _ = ask("/")
    again, content = ask("/", If_None_Match=page.getheader("ETag"))
    assert again.status == 304
    assert content == b""


def test_a_head_request_gets_no_content(ask):
    response, content = ask("/", method="HEAD")
    assert response.status == 200
    assert int(response.getheader("Content-Length")) > 0
    assert content == b""


def test_a_taken_port_makes_way_for_the_next(serve, small_site):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = serve.listen(small_site, taken.getsockname()[1])
        assert server.server_port > taken.getsockname()[1]
        server.server_close()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly(process, end):
    server, _ = process
    server.send_signal(end)
    _, errors = server.communicate(timeout=10)
    assert server.returncode == 0
    assert errors == ""


@pytest.mark.parametrize("port", ["abc", "65536", "-1", "80.5", "99999999"])
def test_a_port_that_is_none_is_told(small_site, port):
    done = subprocess.run(
        [sys.executable, SERVE, f"--port={port}", "--site", small_site],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"serve.py: error: argument --port: '{port}' is no port; write a number from 0 to 65535"
    )


def test_where_no_port_is_free_another_is_to_be_named(serve, small_site, monkeypatch):
    def is_taken(*_):
        raise OSError

    monkeypatch.setattr(serve, "SiteServer", is_taken)
    with pytest.raises(SystemExit) as stop:
        serve.listen(small_site, 3000)
    assert stop.value.code == "No port from 3000 on is free: name another with --port."


def test_a_site_that_is_not_built_is_one_sentence(tmp_path):
    done = subprocess.run(
        [sys.executable, SERVE, "--site", tmp_path], capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 1
    assert done.stderr == "The reports are not built yet: run make reports.\n"
