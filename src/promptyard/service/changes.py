"""Knows when clients have to read the manifest anew: the revision of the store has changed.

Another replica, or a command line, may have changed it; so the store is asked twice a second, and
at once after an act of this process. Whether it answers is known by that, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time

from promptyard.errors import PromptyardError, StorageError
from promptyard.protocols import Store
from promptyard.service.counts import Counts

POLL_S = 0.5
FRESH_S = 1.5
"""How old an answer of the store may be that says that it answers."""

log = logging.getLogger("promptyard.service")


class Changes:
    """The revision of the store as it was last seen, for any number of waiters."""

    def __init__(self, store: Store, counts: Counts) -> None:
        self.revision = -1
        self._store = store
        self._counts = counts
        self._answered_s = -math.inf
        self._trouble = ""
        self._answered = asyncio.Event()
        self._hurry = asyncio.Event()
        self._changed = asyncio.Condition()

    async def run(self) -> None:
        """Ask until cancelled; a store that fails is asked again."""
        while True:
            try:
                revision = await self._store.revision()
            except PromptyardError as error:
                self._counts.store_errors += isinstance(error, StorageError)
                self._note_answer(str(error))
                log.warning("the revision could not be read: %s", error)
            else:
                self._note_answer("")
                if revision != self.revision:
                    async with self._changed:
                        self.revision = revision
                        self._changed.notify_all()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), POLL_S)
            self._hurry.clear()

    async def check(self, *, timeout_s: float) -> None:
        """Return where the store has just answered; that reads nothing, however many ask.

        Raises StorageError where it failed, TimeoutError where it does not answer for so long.
        """
        async with asyncio.timeout(timeout_s):
            while time.monotonic() - self._answered_s > FRESH_S:
                await self._answered.wait()
        if self._trouble:
            raise StorageError(self._trouble)

    def look(self) -> None:
        """Ask now: something has just been changed here."""
        self._hurry.set()

    async def wait(self, seen: int, *, timeout_s: float) -> int:
        """Return the revision as soon as it is another than `seen`, or after the time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: self.revision != seen)
        return self.revision

    def _note_answer(self, trouble: str) -> None:
        self._answered_s, self._trouble = time.monotonic(), trouble
        self._answered.set()
        self._answered = asyncio.Event()
