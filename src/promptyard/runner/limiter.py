"""Adaptive concurrency for one model: one more after a round of successes, half after a 429."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable
from contextvars import ContextVar
from itertools import count

call_priority: ContextVar[float] = ContextVar("call_priority", default=0.0)
"""The highest goes first for a free place. A context variable, so that a trial's judges have it."""


class AdaptiveLimiter:
    """Lets at most `limit` calls run at once and moves that limit between 1 and `maximum`.

    Additive increase, multiplicative decrease; cuts within `debounce_s` of each other count as
    one, since a burst of 429s is one message. After a 429 with a Retry-After nobody starts before
    that time. Of those who wait the highest priority goes first, among equals who waits longest; a
    place that comes free wakes one waiter, so that thousands may wait.
    """

    def __init__(
        self,
        maximum: int,
        *,
        debounce_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.maximum = maximum
        self.limit = float(maximum)
        self.in_flight = 0
        self._debounce_s = debounce_s
        self._clock = clock
        self._last_cut_s = float("-inf")
        self._paused_until_s = float("-inf")
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._arrival = count()
        self._alarm: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> None:
        """Wait for a place."""
        if not self._waiting and self.in_flight < int(self.limit) and self._pause_s() <= 0:
            self.in_flight += 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (-call_priority.get(), next(self._arrival), place))
        self._give_places()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # it was given just before
                self._free()
            raise

    async def __aexit__(self, *exc_info: object) -> None:
        """Give the place back."""
        self._free()

    def succeeded(self) -> None:
        """Raise the limit by one place for each full round of successes."""
        self.limit = min(float(self.maximum), self.limit + 1.0 / max(1.0, self.limit))

    def rate_limited(self, retry_after_s: float | None) -> None:
        """Halve the limit and, where the server said how long, pause everybody."""
        now_s = self._clock()
        if now_s - self._last_cut_s >= self._debounce_s:
            self._last_cut_s = now_s
            self.limit = max(1.0, self.limit / 2)
        if retry_after_s is not None:
            self._paused_until_s = max(self._paused_until_s, now_s + retry_after_s)

    def _free(self) -> None:
        self.in_flight -= 1
        self._give_places()

    def _pause_s(self) -> float:
        return self._paused_until_s - self._clock()

    def _give_places(self) -> None:
        """Give what places there are to those who wait; during a pause, at its end."""
        while self._waiting and self.in_flight < int(self.limit):
            pause_s = self._pause_s()
            if pause_s > 0:
                self._give_later(pause_s)
                return
            _, _, place = heapq.heappop(self._waiting)
            if not place.done():  # else its caller was cancelled
                self.in_flight += 1
                place.set_result(None)

    def _give_later(self, pause_s: float) -> None:
        if self._alarm is None:
            self._alarm = asyncio.get_running_loop().call_later(pause_s, self._pause_ended)

    def _pause_ended(self) -> None:
        self._alarm = None
        self._give_places()
