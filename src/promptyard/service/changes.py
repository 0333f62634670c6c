"""Knows when clients have to read the manifest anew: the revision of the store has changed.

Another replica, or a command line, may have changed it; so the store is asked twice a second, and
at once after an act of this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from promptyard.errors import PromptyardError
from promptyard.protocols import Store

POLL_S = 0.5

log = logging.getLogger("promptyard.service")


class Changes:
    """The revision of the store as it was last seen, for any number of waiters."""

    def __init__(self, store: Store) -> None:
        self.revision = -1
        self._store = store
        self._hurry = asyncio.Event()
        self._changed = asyncio.Condition()

    async def run(self) -> None:
        """Ask until cancelled; a store that fails is asked again."""
        while True:
            try:
                revision = await self._store.revision()
            except PromptyardError as error:
                log.warning("the revision could not be read: %s", error)
            else:
                if revision != self.revision:
                    async with self._changed:
                        self.revision = revision
                        self._changed.notify_all()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), POLL_S)
            self._hurry.clear()

    def look(self) -> None:
        """Ask now: something has just been changed here."""
        self._hurry.set()

    async def wait(self, seen: int, *, timeout_s: float) -> int:
        """Return the revision as soon as it is another than `seen`, or after the time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: self.revision != seen)
        return self.revision
