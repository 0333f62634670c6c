"""Hands the cases of a run out to its workers, looked up in the store a chunk at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import islice
from typing import TypeAlias

from promptyard.records.cases import Case

LookUp: TypeAlias = Callable[[Sequence[Case]], Awaitable[None]]


class CaseFeed:
    """Gives each case to one of any number of workers, in order, with its index.

    `look_up` is awaited for a chunk of cases before its first one is given: one query serves all
    of it, the first call need not wait for the last case, and no more than a chunk is held ready.
    """

    def __init__(self, cases: Sequence[Case], chunk: int, look_up: LookUp) -> None:
        self._queue: Iterator[tuple[int, Case]] = iter(enumerate(cases))
        self._chunk = chunk
        self._look_up = look_up
        self._ready: deque[tuple[int, Case]] = deque()
        self._refill = asyncio.Lock()

    async def take(self) -> tuple[int, Case] | None:
        """Return the next case, None when there is none left."""
        while not self._ready:
            async with self._refill:
                if self._ready:
                    continue
                taken = list(islice(self._queue, self._chunk))
                if not taken:
                    return None
                await self._look_up([case for _, case in taken])
                self._ready.extend(taken)
        return self._ready.popleft()
