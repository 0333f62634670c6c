"""Asks a server over HTTP with the standard library; imported when there is a server to ask.

Proxies are those of the environment, certificates are verified, and a key never goes to another
host. Whatever goes wrong is a SourceFault.
"""

from __future__ import annotations

import contextlib
import email.utils
import functools
import http.client
import json
import os
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Generator, Mapping
from typing import IO, Any, cast
from urllib.parse import urlsplit

from promptyard.client.source import MAX_BYTES, SourceFault, SourceState

CHUNK = 1 << 16
MAX_DETAIL_BYTES = 4096
MAX_DETAIL_CHARS = 300


class Line:
    """A connection that another thread may cut: what waits for it goes on at once, with a fault."""

    def __init__(self) -> None:
        self.is_cut = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def take(self, opened: socket.socket) -> None:
        """Note the connection that was opened."""
        with self._lock:
            self._socket = opened
            if self.is_cut:
                _shut(opened)

    def cut(self) -> None:
        """End the connection, or the one that is about to be opened."""
        with self._lock:
            self.is_cut = True
            if self._socket is not None:
                _shut(self._socket)

    def be_silent_for(self, timeout_s: float) -> None:
        """From now on wait so long for a byte."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.settimeout(timeout_s)

    def leave(self) -> None:
        """Close our copy of the connection in a child of a fork; it is the parent's."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                os.close(self._socket.detach())


@contextlib.contextmanager
def asked(
    url: str,
    *,
    key: str | None,
    timeout_s: float,
    total_s: float | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    line: Line | None = None,
) -> Generator[http.client.HTTPResponse | None]:
    """Ask, with GET or with POST and `body`; gives the answer of status 200, None for 304.

    A byte is waited for `timeout_s`, the whole takes `total_s` at most. Raises SourceFault, also
    for what goes wrong while the answer is read.
    """
    line = line or Line()
    method = "GET" if body is None else "POST"
    request = urllib.request.Request(url, data=body, method=method)  # noqa: S310 - see `address_of`
    request.add_header("User-Agent", "promptyard-client")
    for name, value in (headers or {}).items():
        request.add_header(name, value)
    if key is not None:
        request.add_header("Authorization", f"Bearer {key}")
    watch = None if total_s is None else threading.Timer(total_s, line.cut)
    try:
        if watch is not None:
            watch.daemon = True
            with contextlib.suppress(RuntimeError):  # no more threads: bytes are timed all the same
                watch.start()
        with _opener(url, line).open(request, timeout=timeout_s) as response:
            yield _good(url, response)
    except urllib.error.HTTPError as error:
        with error:
            fault = None if error.code == 304 else _fault_of_status(url, error)
        if fault is not None:
            raise fault from None
        yield None
    except SourceFault as fault:
        raise (_cut_fault(url, total_s) if line.is_cut else fault) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        if line.is_cut:
            raise _cut_fault(url, total_s) from None
        raise _fault_of(url, error, timeout_s) from None
    finally:
        if watch is not None:
            watch.cancel()


def _good(url: str, response: http.client.HTTPResponse) -> http.client.HTTPResponse:
    if response.status != 200:
        raise SourceFault("corrupt", f"{url} answers {response.status}, not 200")
    return response


def read_whole(
    url: str, response: http.client.HTTPResponse, *, max_bytes: int = MAX_BYTES
) -> bytes:
    """Read an answer to its end, decompressed, within a limit. Raises SourceFault."""
    encoding = (response.headers.get("Content-Encoding") or "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise SourceFault("corrupt", f"{url} answers in the encoding {encoding[:40]!r}")
    unpacked = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
    parts: list[bytes] = []
    size = 0
    try:
        while part := response.read(CHUNK):
            if unpacked is not None:
                part = unpacked.decompress(part, max_bytes + 1 - size)
            size += len(part)
            if size > max_bytes:
                raise SourceFault("too_large", f"{url} answers with more than {max_bytes:,} bytes")
            parts.append(part)
    except zlib.error:
        raise SourceFault("corrupt", f"{url} answers with what is no gzip") from None
    is_whole = not response.length and (unpacked is None or unpacked.eof)
    if not is_whole:
        raise SourceFault("corrupt", f"{url}: the answer was cut off after {size:,} bytes")
    return b"".join(parts)


def _opener(url: str, line: Line) -> urllib.request.OpenerDirector:
    """Return what opens a URL: nothing but HTTP, and TLS only where it is asked for."""
    opener = urllib.request.OpenerDirector()
    opener.add_handler(urllib.request.ProxyHandler())
    opener.add_handler(urllib.request.UnknownHandler())
    opener.add_handler(urllib.request.HTTPDefaultErrorHandler())
    opener.add_handler(urllib.request.HTTPErrorProcessor())
    opener.add_handler(_SameOrigin(url))
    opener.add_handler(_Plain(line))
    if url.lower().startswith("https:"):  # to read the trusted certificates takes a while
        opener.add_handler(_Secure(line))
    return opener


class _Plain(urllib.request.HTTPHandler):
    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(_PlainConnection, self._line), req)


class _Secure(urllib.request.HTTPSHandler):
    def __init__(self, line: Line) -> None:
        super().__init__(context=_trust())
        self._line = line

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        make = functools.partial(_SecureConnection, self._line)
        return self.do_open(make, req, context=_trust())


class _PlainConnection(http.client.HTTPConnection):
    def __init__(self, line: Line, host: str, **options: Any) -> None:
        super().__init__(host, **options)
        self._line = line

    def connect(self) -> None:
        super().connect()
        self._line.take(self.sock)


class _SecureConnection(http.client.HTTPSConnection):
    def __init__(self, line: Line, host: str, **options: Any) -> None:
        super().__init__(host, **options)
        self._line = line

    def connect(self) -> None:
        super().connect()
        self._line.take(self.sock)


class _SameOrigin(urllib.request.HTTPRedirectHandler):
    """Follows redirects of a GET within scheme, host and port: the key goes nowhere else."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        try:
            is_here = urlsplit(newurl)[:2] == urlsplit(self._url)[:2]
        except ValueError:
            is_here = False
        if not is_here or req.get_method() != "GET":
            with contextlib.closing(fp):
                told = _one_line(newurl.partition("?")[0])
                about = f"{self._url} sends us to {told} ({code}), where the key is not sent"
                raise SourceFault(
                    "redirected", f"{about}; name that address if it is the right one"
                )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@functools.cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()


def _shut(opened: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # Not the one of TLS, which would take the state away that another thread reads with.
        socket.socket.shutdown(opened, socket.SHUT_RDWR)


def _cut_fault(url: str, total_s: float | None) -> SourceFault:
    about = "the connection was ended" if total_s is None else f"no whole answer in {total_s:g} s"
    return SourceFault("hung", f"{url}: {about}")


def _fault_of(url: str, error: Exception, timeout_s: float) -> SourceFault:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, SourceFault):
        return reason
    if isinstance(reason, TimeoutError):
        return SourceFault("hung", f"{url} does not answer within {timeout_s:g} s")
    if isinstance(reason, ssl.SSLCertVerificationError):
        about = _one_line(reason.verify_message)
        return SourceFault("unreachable", f"{url}: its certificate is not trusted: {about}")
    if isinstance(reason, http.client.RemoteDisconnected):
        return SourceFault("unreachable", f"{url} closed the connection without an answer")
    if isinstance(reason, http.client.IncompleteRead):
        return SourceFault("corrupt", f"{url}: the answer was cut off")
    if isinstance(reason, http.client.HTTPException):
        return SourceFault(
            "corrupt", f"{url} answers with what is not HTTP ({type(reason).__name__})"
        )
    if isinstance(reason, OSError):
        about = _one_line(reason.strerror or str(reason))
        return SourceFault("unreachable", f"{url} cannot be reached: {about}")
    return SourceFault("unreachable", f"{url} cannot be reached: {_one_line(str(reason))}")


def _fault_of_status(url: str, error: urllib.error.HTTPError) -> SourceFault:
    status = error.code
    state: SourceState = "server_error" if status >= 500 else "refused"
    known: dict[int, SourceState] = {
        401: "unauthorized",
        403: "unauthorized",
        404: "missing",
        413: "too_large",
    }
    state = known.get(status, state)
    if 300 <= status < 400:
        state = "redirected"
    about = f"{url} answers {status} {_one_line(_detail(error) or error.reason)}".rstrip()
    return SourceFault(state, about, retry_after_s=_retry_after_s(error))


def _detail(error: urllib.error.HTTPError) -> str:
    """Return what a problem says (RFC 9457), empty where it is none."""
    try:
        value: Any = json.loads(error.read(MAX_DETAIL_BYTES))
    except (OSError, ValueError, RecursionError, http.client.HTTPException):
        return ""
    detail = cast("dict[str, Any]", value).get("detail") if isinstance(value, dict) else None
    return detail if isinstance(detail, str) else ""


def _retry_after_s(error: urllib.error.HTTPError) -> float | None:
    """Read Retry-After, which is seconds or a date."""
    text = (error.headers.get("Retry-After") or "").strip()
    if text.isdigit() and len(text) < 10:
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def _one_line(text: str) -> str:
    shown = "".join(sign if sign.isprintable() else " " for sign in str(text))
    return " ".join(shown.split())[:MAX_DETAIL_CHARS]
