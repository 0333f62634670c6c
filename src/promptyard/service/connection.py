"""One connection of the service: what it may cost before anybody knows who it is.

The head of a request is bounded in bytes and in time, connections are bounded in number, what is no
HTTP is answered with a problem and closed, and who does not read the answers is cut off. Nothing of
it is logged: who floods the service does not fill its log.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any, ClassVar, cast

import httptools
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from promptyard.config.service_shape import ServiceConfig
from promptyard.service.problems import MEDIA_TYPE, Problem, problem_body

STALLED_S = 1.0
"""Who has left an answer unread for so long makes room where there are too many connections."""
HEADER_COST = 32
"""What a header counts beside its bytes; source: RFC 9113, section 6.5.2."""


def guarded(settings: ServiceConfig) -> type[GuardedConnection]:
    """Return the class of connections that are held to the limits of the settings."""
    return type("Connection", (GuardedConnection,), {"limits": settings})


class GuardedConnection(HttpToolsProtocol):
    """uvicorn's connection over httptools, with limits on what comes before the body."""

    limits: ClassVar[ServiceConfig] = ServiceConfig()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._in_head = True
        self._head_bytes = 0
        self._n_unwanted = 0
        self._late: asyncio.TimerHandle | None = None
        self._untaken: asyncio.TimerHandle | None = None
        self._paused_at_s = math.inf
        self._refusal: tuple[int, str, str] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way."""
        # uvicorn declares the cycle as always there; before the first request it is not.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is None or cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection; where there are too many, one that can be spared makes room."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.max_connections:
            other = self._spared_other()
            if other is None:
                self._refuse(503, "busy", "too many connections are open; try again later")
                return
            self.connections.discard(other)
            other.make_room()
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        self._stop_watching()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Write no more until the client has taken what there is, and see that it does."""
        super().pause_writing()
        self._paused_at_s = self.loop.time()
        self._watch_taking()

    def resume_writing(self) -> None:
        """Go on with the answer: the client has taken most of what there was."""
        self._stop_watching()
        super().resume_writing()

    def make_room(self) -> None:
        """Close; what the client has not taken is not kept for it."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Read what came; what is no HTTP, or too large a head, ends the connection."""
        self._unset_keepalive_if_required()
        parser: httptools.HttpRequestParser | None = self.parser
        if parser is None or self.transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
            if self._late is None:
                self._await_head()
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return  # to nothing that is spoken here; the request is answered as it is
        except httptools.HttpParserError:
            status, kind, detail = self._refusal or (400, "not-http", "this is no valid HTTP/1.1")
            self._refuse(status, kind, detail)
            return
        if self._in_head and self._head_bytes > self.limits.max_header_bytes:
            self._refuse(*self._too_large())

    def on_message_begin(self) -> None:
        """Begin to read a head."""
        super().on_message_begin()
        self._in_head = True
        self._n_unwanted = 0

    def on_headers_complete(self) -> None:
        """Pass a request on whose head is within its limits."""
        size = len(self.url) + sum(len(n) + len(v) + HEADER_COST for n, v in self.headers)
        if size > self.limits.max_header_bytes:
            self._refusal = self._too_large()
            raise ValueError(self._refusal[2])  # ends the parser
        self._in_head = False
        self._head_bytes = 0
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body; of one that nobody wants any more, only so much and so long.

        Closed at once, a client that still sends would never read why it was refused.
        """
        if self.cycle.response_complete:
            self._n_unwanted += len(body)
            if self._n_unwanted > self.limits.max_body_bytes:
                self.transport.close()
            elif self._late is None:
                self._await_head()
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for the next request of the connection."""
        super().on_message_complete()
        self._in_head = True

    def _spared_other(self) -> GuardedConnection | None:
        """Return one that is idle, or else one whose client does not read its answer."""
        others = cast("set[object]", self.connections) - {self}
        ours = [other for other in others if isinstance(other, GuardedConnection)]
        stalled_s = self.loop.time() - STALLED_S
        idle = (it for it in ours if it.is_idle and not it.transport.get_write_buffer_size())
        unread = (it for it in ours if it.is_idle or it._paused_at_s <= stalled_s)
        return next(idle, None) or next(unread, None)

    def _watch_taking(self) -> None:
        n_bytes = self.transport.get_write_buffer_size()
        after_s = self.limits.read_timeout_s
        self._untaken = self.loop.call_later(after_s, self._expect_fewer, n_bytes)

    def _expect_fewer(self, n_bytes: int) -> None:
        """Cut off a client that has taken nothing since there were so many bytes for it."""
        if self.transport.get_write_buffer_size() < n_bytes:
            self._watch_taking()
        else:
            self.transport.abort()

    def _stop_watching(self) -> None:
        self._paused_at_s = math.inf
        if self._untaken is not None:
            self._untaken.cancel()
            self._untaken = None

    def _await_head(self) -> None:
        self._late = self.loop.call_later(self.limits.read_timeout_s, self._give_up)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        self._late = None
        if self.is_idle:
            if self._head_bytes:
                self._refuse(408, "too-slow", "the request did not arrive in time")
            else:
                self.transport.close()

    def _too_large(self) -> tuple[int, str, str]:
        most = f"{self.limits.max_header_bytes:,} bytes"
        return 431, "too-large", f"the head of the request has more than {most}"

    def _refuse(self, status: int, kind: str, detail: str) -> None:
        """Answer with a problem, unless an answer is under way, and close."""
        if self.transport.is_closing():
            return
        if self.is_idle or not self.cycle.response_started:
            content = Problem(
                type=f"urn:promptyard:problem:{kind}",
                title=STATUS_LINE[status].decode()[13:].strip(),
                status=status,
                detail=detail,
            )
            body = problem_body(content)
            self.transport.write(
                STATUS_LINE[status]
                + f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n".encode()
                + b"connection: close\r\n\r\n"
                + body
            )
        self.transport.close()
