"""A real receiver of webhooks on loopback, and how it checks what it is sent."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import threading
import time
from collections.abc import Generator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver(ThreadingHTTPServer):
    """A real receiver on loopback: notes what it gets, answers as its path says."""

    daemon_threads = True

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.got: list[tuple[str, Mapping[str, str], bytes]] = []
        super().__init__((host, 0), _Handler)
        self.port = int(self.server_address[1])
        self.url = f"http://{host}:{self.port}"
        self.leads_to = f"{self.url}/secret"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.server.got.append((self.path, dict(self.headers.items()), body))
        if self.path == "/hang":
            time.sleep(1.5)
        status = int(self.path[1:4]) if self.path[1:4].isdigit() else 200
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", self.server.leads_to)
        if self.path == "/endless":
            self.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(b"x" * 65536)
        body = b"" if status == 204 else b"ok"
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path == "/200/hang":
            time.sleep(1.5)
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    do_GET = do_POST  # noqa: N815 (http.server's name)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def receiving(host: str = "127.0.0.1") -> Generator[Receiver]:
    """Receive at an address of loopback until the block ends."""
    with Receiver(host) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def is_signed(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Check a signature as a receiver would, from the words of the standard alone."""
    given = {name.lower(): value for name, value in headers.items()}
    key = base64.b64decode(secret.removeprefix("whsec_"))
    head = f"{given['webhook-id']}.{given['webhook-timestamp']}.".encode()
    digest = base64.b64encode(hmac.new(key, head + body, hashlib.sha256).digest()).decode()
    is_fresh = abs(time.time() - int(given["webhook-timestamp"])) < 300
    return is_fresh and f"v1,{digest}" in given["webhook-signature"].split(" ")
