"""A server of a manifest that does wrong, in all the ways in which servers do."""

from __future__ import annotations

import contextlib
import gzip
import json
import queue
import ssl
import threading
import time
from collections.abc import Generator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from promptyard.records.base import content_hash
from support.manifests import manifest_of, sealed

PATH = "/api/v1/manifest"
END = b"end"
"""The word that ends a stream."""


def etag_of(value: Mapping[str, Any]) -> str:
    """The ETag under which it gives a manifest."""
    return f'W/"{content_hash(value)[:16]}"'


class FaultyServer:
    """What it serves, how, and what it was asked. `mode` names the fault, `ok` none."""

    def __init__(self, value: Mapping[str, Any], tls: ssl.SSLContext | None = None) -> None:
        self.value = value
        self.mode = "ok"
        self.words: queue.SimpleQueue[bytes] | None = None
        """What its stream says; None where it has none."""
        self.post_mode = "ok"
        """The fault with which it takes events."""
        self.posts: list[tuple[float, int]] = []
        """When events were sent, and how many bytes they took."""
        self.received: list[str] = []
        """Ids of the events that it has acknowledged."""
        self.rejects = "no line has this"
        self.most_body_bytes = 1 << 30
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self.done = threading.Event()
        self.elsewhere = "http://192.0.2.1/api/v1/manifest"
        handler = type("Handler", (_Handler,), {"faulty": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def n_asked(self) -> int:
        """How often the manifest was asked for."""
        return sum(path == PATH for path, _ in self.asked)

    def stop(self) -> None:
        """Take no more connections: as if the process had been killed."""
        self.done.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextlib.contextmanager
def faulty_server(
    value: Mapping[str, Any], tls: ssl.SSLContext | None = None
) -> Generator[FaultyServer]:
    """Serve a manifest until the block ends."""
    server = FaultyServer(value, tls)
    try:
        yield server
    finally:
        server.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients hang up here on purpose."""


class _Handler(BaseHTTPRequestHandler):
    faulty: FaultyServer

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        faulty = self.faulty
        faulty.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        if self.path == "/moved-here":
            return self._manifest(faulty.value)
        if self.path == f"{PATH}/events" and faulty.words is not None:
            return self._stream(faulty.words)
        if self.path != PATH:
            return self._answer(404, b"{}")
        return getattr(self, f"_{faulty.mode}")()

    def do_POST(self) -> None:
        faulty = self.faulty
        body = self.rfile.read(int(self.headers["Content-Length"]))
        faulty.posts.append((time.monotonic(), len(body)))
        assert self.path == "/api/v1/events"
        assert self.headers["Content-Encoding"] == "gzip"
        assert self.headers["Content-Type"] == "application/x-ndjson"
        if len(body) > faulty.most_body_bytes:
            return self._problem(413, "the body is too large")
        if faulty.post_mode != "ok":
            return getattr(self, f"_{faulty.post_mode}")()
        lines = gzip.decompress(body).splitlines()
        good = [line for line in lines if faulty.rejects not in line.decode()]
        bad = [number for number, line in enumerate(lines, start=1) if line not in good]
        faulty.received += [json.loads(line)["id"] for line in good]
        told = [{"line_number": number, "kind": "no_event", "reason": "so"} for number in bad]
        answer = {"n_new": len(good), "n_repeated": 0, "n_rejected": len(bad), "rejected": told}
        return self._answer(200, json.dumps(answer).encode())

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _manifest(self, value: Mapping[str, Any], **headers: str) -> None:
        etag = etag_of(value)
        if self.headers.get("If-None-Match") == etag:
            return self._answer(304, b"", ETag=etag)
        return self._answer(200, json.dumps(value).encode(), ETag=etag, **headers)

    def _problem(self, status: int, detail: str, **headers: str) -> None:
        body = json.dumps({"type": "urn:x", "status": status, "detail": detail}).encode()
        self._answer(status, body, Content_Type="application/problem+json", **headers)

    def _stream(self, words: queue.SimpleQueue[bytes]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b": ok\n\n")
        while not self.faulty.done.is_set():
            with contextlib.suppress(queue.Empty):
                word = words.get(timeout=0.01)
                if word == END:
                    return
                self.wfile.write(word)

    def _ok(self) -> None:
        self._manifest(self.faulty.value)

    def _gzip(self) -> None:
        body = gzip.compress(json.dumps(self.faulty.value).encode())
        self._answer(200, body, Content_Encoding="gzip", ETag='"packed"')

    def _hung(self) -> None:
        self.faulty.done.wait()

    def _trickle(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        while not self.faulty.done.wait(0.02):
            self.wfile.write(b" ")
            self.wfile.flush()

    def _trickling_head(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not self.faulty.done.wait(0.02):
            self.wfile.write(b"x")
            self.wfile.flush()

    def _error(self) -> None:
        self._answer(500, b"<html>" + b"x" * 10_000)

    def _busy(self) -> None:
        self._problem(503, "the store\nis busy", Retry_After="3")

    def _unauthorized(self) -> None:
        self._problem(401, "no such key")

    def _forbidden(self) -> None:
        self._problem(403, "this needs the scope 'read'")

    def _missing(self) -> None:
        self._answer(404, b"")

    def _limited(self) -> None:
        self._problem(429, "too many", Retry_After="1")

    def _corrupt(self) -> None:
        self._answer(200, b'{"format": 1, \xff\x00')

    def _page(self) -> None:
        self._answer(200, b"<html>Please log in</html>", Content_Type="text/html")

    def _nothing(self) -> None:
        self._answer(204, b"")

    def _truncated(self) -> None:
        body = json.dumps(self.faulty.value).encode()
        self._answer(200, body[: len(body) // 2], Content_Length=str(len(body)))

    def _truncated_gzip(self) -> None:
        body = gzip.compress(json.dumps(self.faulty.value).encode())
        self._answer(200, body[:-20], Content_Encoding="gzip")

    def _no_gzip(self) -> None:
        self._answer(200, json.dumps(self.faulty.value).encode(), Content_Encoding="gzip")

    def _bomb(self) -> None:
        self._answer(200, gzip.compress(b" " * (17 << 20)), Content_Encoding="gzip")

    def _brotli(self) -> None:
        self._answer(200, b"x", Content_Encoding="br")

    def _large(self) -> None:
        self._answer(200, b" " * (17 << 20))

    def _older(self) -> None:
        self._manifest(manifest_of(revision=3, pointers={"production": 3}))

    def _tampered(self) -> None:
        self._manifest({**self.faulty.value, "revision": 9})

    def _other_format(self) -> None:
        self._manifest(sealed({**self.faulty.value, "format": 2}))

    def _redirected(self) -> None:
        self._answer(302, b"", Location=self.faulty.elsewhere)

    def _moved(self) -> None:
        self._answer(307, b"", Location="/moved-here")

    def _circle(self) -> None:
        self._answer(302, b"", Location=PATH)

    def _short(self) -> None:
        self._answer(200, b'{"n_new": 1, "n_repeated": 0, "n_rejected": 0}')

    def _odd(self) -> None:
        self._answer(200, b'{"n_new": "1", "n_repeated": null, "n_rejected": [[]]}')

    def _no_http(self) -> None:
        self.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")

    def _closed(self) -> None:
        time.sleep(0)

    def _unasked_304(self) -> None:
        self._answer(304, b"")
