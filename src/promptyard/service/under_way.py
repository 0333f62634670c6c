"""How many requests each sender has under way: one alone cannot have all connections.

A request counts from when its sender is known until its answer is sent. What waits for a body, for
a store that hangs or for a client that reads slowly holds a connection as long.
"""

from __future__ import annotations

from collections import Counter

from fastapi import Request
from starlette.types import Scope

from promptyard.service.access import sender_of
from promptyard.service.problems import RequestRefused

RETRY_AFTER_S = 1.0


class UnderWay:
    """Counts requests by sender; each may have half of the connections."""

    def __init__(self, max_connections: int) -> None:
        self._most = max(1, max_connections // 2)
        self._n_of: Counter[str] = Counter()

    def begin(self, request: Request) -> None:
        """Count a request whose caller is known. Raises RequestRefused with 429."""
        sender = sender_of(request)
        if self._n_of[sender] >= self._most:
            detail = f"a sender has up to {self._most:,} requests under way; send it again later"
            # As with too many in a time, it is not logged: that would wait for the store as well.
            raise RequestRefused(429, "too-many-under-way", detail, retry_after_s=RETRY_AFTER_S)
        self._n_of[sender] += 1
        request.state.counted_sender = sender

    def end(self, scope: Scope) -> None:
        """Count the request no longer; does nothing where it never was."""
        sender = scope["state"].pop("counted_sender", None)
        if sender is not None:
            self._n_of[sender] -= 1
            if not self._n_of[sender]:
                del self._n_of[sender]
