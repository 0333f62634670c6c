"""How many requests a key may make: a bucket that refills, one per key and replica."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from promptyard.service.problems import RequestRefused

MAX_BUCKETS = 10_000


class Rates:
    """Buckets of `burst` requests that refill by `per_s` a second."""

    def __init__(
        self, per_s: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_s = per_s
        self._burst = float(burst)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str) -> None:
        """Count a request. Raises RequestRefused with 429 where there were too many."""
        now_s = self._clock()
        left, at_s = self._buckets.get(who, (self._burst, now_s))
        left = min(self._burst, left + (now_s - at_s) * self._per_s)
        if left < 1.0:
            wait_s = (1.0 - left) / self._per_s
            raise RequestRefused(
                429,
                "too-many-requests",
                f"more than {self._per_s:g} requests a second; try again in {wait_s:.1f} s",
                retry_after_s=wait_s,
            )
        self._buckets[who] = (left - 1.0, now_s)
        self._buckets.move_to_end(who)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
