"""Serve the built reports to this machine, and to no other.

    python steps/serve.py [--port 3000]     the port, or the next one that is free

Files come from reports/build alone, compressed, with the headers that keep a page to itself.
"""

import argparse
import contextlib
import functools
import gzip
import hashlib
import re
import signal
import sys
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote, unquote, urlsplit

SITE = Path(__file__).resolve().parent.parent / "reports" / "build"
LOOPBACK = "127.0.0.1"
FIRST_PORT = 3000
PORTS_TRIED = 20

MEDIA_TYPES = {
    ".arrow": "application/vnd.apache.arrow.stream",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
COMPRESSED_ALREADY = {".ico", ".parquet", ".png", ".woff", ".woff2"}

# Each page carries the hash of the one script that starts it in a policy of its own; both hold.
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
SAFE_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

# A name with a hash in it never comes to mean another content.
HASHED = re.compile(r"^(_app/immutable/|data/.*/[0-9a-f]{32}/)")
FOR_A_YEAR = "public, max-age=31536000, immutable"


@functools.lru_cache(maxsize=64)
def gzipped(path: Path, changed_at: int) -> bytes:
    """Compress the file, once for each content of it (`changed_at`, ns, tells them apart)."""
    return gzip.compress(path.read_bytes(), compresslevel=6, mtime=0)


class SiteHandler(BaseHTTPRequestHandler):
    """Answers GET and HEAD with a file of the site or one sentence."""

    protocol_version = "HTTP/1.1"
    server_version = "dropoff"
    sys_version = ""
    timeout = 60

    def do_GET(self) -> None:
        """Answer with the file, and its content."""
        self.answer(with_content=True)

    def do_HEAD(self) -> None:
        """Answer as GET would, without the content."""
        self.answer(with_content=False)

    def answer(self, with_content: bool) -> None:
        """Send the file that the address names, if it is one of the site."""
        # A name that a stranger's page had pointed here would make that page one of this site.
        host = self.headers.get("Host", "").rsplit(":", 1)[0]
        if host not in (LOOPBACK, "localhost"):
            return self.say(HTTPStatus.MISDIRECTED_REQUEST, "This site answers on this machine.")

        address = urlsplit(self.path)
        relative = unquote(address.path).lstrip("/")
        site: Path = self.server.site  # type: ignore[attr-defined]
        try:
            file = (site / relative).resolve()
            if not file.is_relative_to(site):
                return self.say(HTTPStatus.NOT_FOUND, "There is no such page.")
            if file.is_dir():
                if not address.path.endswith("/"):
                    return self.redirect("/" + quote(relative) + "/", address.query)
                file = file / "index.html"
            status = file.stat()
        except (OSError, ValueError):
            return self.say(HTTPStatus.NOT_FOUND, "There is no such page.")
        if not file.is_file():
            return self.say(HTTPStatus.NOT_FOUND, "There is no such page.")

        encoding, path = None, file
        accepted = {
            part.split(";")[0].strip()
            for part in self.headers.get("Accept-Encoding", "").split(",")
        }
        brotli = file.with_name(file.name + ".br")
        if file.suffix not in COMPRESSED_ALREADY:
            if "br" in accepted and brotli.is_file():
                encoding, path = "br", brotli
            elif "gzip" in accepted:
                encoding = "gzip"

        tag = hashlib.sha256(f"{file}{status.st_mtime_ns}{status.st_size}{encoding}".encode())
        etag = f'"{tag.hexdigest()[:20]}"'
        headers = {
            "Cache-Control": FOR_A_YEAR if HASHED.match(relative) else "no-cache",
            "ETag": etag,
            "Last-Modified": formatdate(status.st_mtime, usegmt=True),
            "Vary": "Accept-Encoding",
        }
        if self.headers.get("If-None-Match") == etag:
            return self.send(HTTPStatus.NOT_MODIFIED, headers, None)

        content = gzipped(path, status.st_mtime_ns) if encoding == "gzip" else path.read_bytes()
        headers["Content-Type"] = MEDIA_TYPES.get(file.suffix, "application/octet-stream")
        if encoding:
            headers["Content-Encoding"] = encoding
        self.send(HTTPStatus.OK, headers, content, with_content)

    def redirect(self, to: str, query: str) -> None:
        """Send the reader to where the relative links of a page are right."""
        location = to + (f"?{query}" if query else "")
        self.send(HTTPStatus.PERMANENT_REDIRECT, {"Location": location}, b"")

    def say(self, status: HTTPStatus, sentence: str) -> None:
        """Answer with one sentence."""
        content = f"{sentence}\n".encode()
        self.send(
            status,
            {"Content-Type": MEDIA_TYPES[".txt"], "Cache-Control": "no-store"},
            content,
            with_content=self.command != "HEAD",
        )

    def send(
        self,
        status: HTTPStatus,
        headers: dict[str, str],
        content: bytes | None,
        with_content: bool = True,
    ) -> None:
        """Send the status line, the headers with the safe ones, and the content (none: no body)."""
        self.send_response(status)
        for name, value in {**SAFE_HEADERS, **headers}.items():
            self.send_header(name, value)
        if content is not None:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if content and with_content:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing: the one line that matters is the address."""


class SiteServer(ThreadingHTTPServer):
    """A server of one folder on the loopback address."""

    daemon_threads = True

    def __init__(self, site: Path, port: int) -> None:
        """Listen on `port` (0: any free one). Raises OSError where it is taken."""
        self.site = site.resolve()
        super().__init__((LOOPBACK, port), SiteHandler)

    def handle_error(self, *_: object) -> None:
        """Show errors, but not that a reader went away in the middle."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(*_)


def listen(site: Path, port: int) -> SiteServer:
    """Return a server on `port` (0: any free one) or, where it is taken, on the next free one."""
    for candidate in range(port, min(port + PORTS_TRIED, 65536)):
        with contextlib.suppress(OSError):
            return SiteServer(site, candidate)
    stop(f"No port from {port} on is free: name another with --port.")


def stop(sentence: str) -> NoReturn:
    """End with one sentence."""
    sys.exit(sentence)


def port_number(text: str) -> int:
    """Return the port that `text` names, for an argument of a command line."""
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"'{text}' is no port; write a number from 0 to 65535")
    return int(text)


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description="Serve the built reports on this machine.")
    parser.add_argument(
        "--port",
        type=port_number,
        default=FIRST_PORT,
        help=f"the first port to try, by default {FIRST_PORT}; 0: any that is free",
    )
    parser.add_argument("--site", type=Path, default=SITE, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not (arguments.site / "index.html").is_file():
        stop("The reports are not built yet: run make reports.")

    server = listen(arguments.site, arguments.port)
    # SIGINT too: a shell starts what it runs in the background with it ignored
    for end in (signal.SIGINT, signal.SIGTERM):
        signal.signal(end, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        print(f"The reports are at http://localhost:{server.server_port}/", flush=True)
        server.serve_forever()
    server.server_close()


if __name__ == "__main__":
    main()
