"""How many streams of events a key has open: each holds a connection until it ends."""

from __future__ import annotations

from collections import Counter

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from promptyard.service.access import sender_of
from promptyard.service.problems import problem


class OpenStreams:
    """Counts streams by key, or by address where there is none."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    def counted(self, stream: StreamingResponse, request: Request) -> Response:
        """Return the stream as an answer that counts while it lasts, refused above the limit."""
        return _Counted(stream, request, self._open, self._most)


class _Counted(Response):
    def __init__(
        self, stream: StreamingResponse, request: Request, open_streams: Counter[str], most: int
    ) -> None:
        super().__init__(status_code=stream.status_code)
        self._stream = stream
        self._request = request
        self._open = open_streams
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream, or a problem."""
        who = sender_of(self._request)
        if self._open[who] >= self._most:
            detail = f"there are {self._most} streams open with this key; close one first"
            refusal = problem(self._request, 429, "too-many-streams", detail)
            await refusal(scope, receive, send)
            return
        self._open[who] += 1
        try:
            await self._stream(scope, receive, send)
        finally:
            self._open[who] -= 1
            if not self._open[who]:
                del self._open[who]
