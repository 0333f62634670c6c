"""Work that may hang for ever, done in a thread that may be left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Task:
    """A function running in a daemon thread of its own. `done` is set when it has ended.

    It is for files: to open one on a dead network mount cannot be interrupted, so the thread that
    does it is given up. What the function raises is its own affair; it has to keep its result.
    """

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self.done = threading.Event()
        self.began_s = time.monotonic()
        self._work = work
        thread = threading.Thread(target=self._run, name=f"promptyard-{name}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no more threads, or the process is ending: as if nothing was found
            self.done.set()

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self.done.set()

    def wait_until(self, end_s: float) -> bool:
        """Wait for the end of the work, until then by the monotonic clock; False: still running."""
        return self.done.wait(max(0.0, end_s - time.monotonic()))
