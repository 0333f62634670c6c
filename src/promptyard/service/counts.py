"""What a replica counts of itself, for its metrics: whole numbers, added to as things happen."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from promptyard.reports.figures import counted

LOGGED_EVERY_S = 10.0
"""So often the log says that requests meet a store that fails, however many do."""


@dataclass
class Counts:
    """Since the start of the process; `open_streams` is how many there are now."""

    spans: int = 0
    events: int = 0
    rejected: int = 0
    store_errors: int = 0
    open_streams: int = 0


class StoreFailures:
    """Requests that the store failed: the log has a line in `LOGGED_EVERY_S`, however many."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said_s = -math.inf
        self._n = 0

    def line(self, reason: str) -> str | None:
        """Count one; return what the log is to say now, if anything."""
        self._n += 1
        if self._clock() - self._said_s < LOGGED_EVERY_S:
            return None
        n, self._n, self._said_s = self._n, 0, self._clock()
        return f"the store failed {counted(n, 'request')} since this was last said: {reason}"
