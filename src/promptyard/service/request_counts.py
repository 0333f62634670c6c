"""Counts requests by route, method and status, and how long they took; cheap, as each one passes.

Only routes that exist are labels, never what a request wrote: so there are few of them.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from promptyard.service.counts import Counts

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
UNKNOWN = "unknown"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_STREAM = (b"content-type", b"text/event-stream")


class Durations:
    """A histogram: how many took at most so long, the last of all others; and the sum."""

    __slots__ = ("counts", "total_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_S) + 1)
        self.total_s = 0.0

    def add(self, took_s: float) -> None:
        """Count one that took so long."""
        self.counts[bisect_left(BUCKETS_S, took_s)] += 1
        self.total_s += took_s


class RequestCounts:
    """Requests that were answered: by (route, method, status) and by (route, method)."""

    def __init__(self) -> None:
        self.answers: Counter[tuple[str, str, int]] = Counter()
        self.durations: dict[tuple[str, str], Durations] = {}

    def add(self, route: str, method: str, status: int, took_s: float | None) -> None:
        """Count a request; one that is a stream takes as long as somebody listens: None."""
        self.answers[route, method, status] += 1
        if took_s is not None:
            key = (route, method)
            found = self.durations.get(key)
            if found is None:
                found = self.durations[key] = Durations()
            found.add(took_s)


class Counted:
    """Counts what passes through; the outermost of all, so that refusals are counted as well."""

    def __init__(self, app: ASGIApp, requests: RequestCounts, counts: Counts) -> None:
        self._app = app
        self._requests = requests
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and count its answer; without one it counts as 499, the client left."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s = time.perf_counter()
        status, is_stream = 499, False

        async def seen(message: Message) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                status = message["status"]
                is_stream = any(
                    name == _STREAM[0] and value.startswith(_STREAM[1])
                    for name, value in message["headers"]
                )
                self._counts.open_streams += is_stream
            await send(message)

        try:
            await self._app(scope, receive, seen)
        finally:
            self._counts.open_streams -= is_stream
            route = getattr(scope.get("route"), "path", UNKNOWN)
            method = scope["method"] if scope["method"] in _METHODS else UNKNOWN
            took_s = None if is_stream else time.perf_counter() - began_s
            self._requests.add(route, method, status, took_s)
