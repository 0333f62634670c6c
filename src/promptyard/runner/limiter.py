"""Adaptive concurrency for one model: one more after a round of successes, half after a 429."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class AdaptiveLimiter:
    """Lets at most `limit` calls run at once and moves that limit between 1 and `maximum`.

    Additive increase, multiplicative decrease; cuts within `debounce_s` of each other count as
    one, since a burst of 429s is one message. After a 429 with a Retry-After nobody starts before
    that time.
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
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> None:
        """Wait for a place."""
        async with self._changed:
            while True:
                pause_s = self._paused_until_s - self._clock()
                if pause_s <= 0 and self.in_flight < int(self.limit):
                    self.in_flight += 1
                    return
                try:
                    await asyncio.wait_for(
                        self._changed.wait(), timeout=pause_s if pause_s > 0 else None
                    )
                except TimeoutError:
                    continue

    async def __aexit__(self, *exc_info: object) -> None:
        """Give the place back."""
        async with self._changed:
            self.in_flight -= 1
            self._changed.notify_all()

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
