"""Takes live events that somebody sends, by the parser that reads spools; each counts once."""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice

from pydantic import Field

from promptyard.errors import ConfigError
from promptyard.protocols import ReleaseStore
from promptyard.records.base import Record
from promptyard.records.live import LiveEvent
from promptyard.traces.collect import Rejected, read_lines

MAX_LINES = 50_000
"""How many lines are taken at once: what only looks like events takes time to refuse, too."""
BATCH = 1_000
MAX_TOLD = 100


class RejectedLine(Record):
    """A line that is no event: its number from 1, what it is in a word, and why."""

    line_number: int
    kind: str
    reason: str


class TakenEvents(Record):
    """What became of the lines that were sent; all of it is committed.

    `n_new` events were stored now, `n_repeated` had been before; `n_rejected` lines are no events,
    counted in `kinds` by what they are. `rejected` are the first of them, 100 at most.
    """

    n_new: int = 0
    n_repeated: int = 0
    n_rejected: int = 0
    kinds: Mapping[str, int] = Field(default_factory=dict)
    rejected: tuple[RejectedLine, ...] = ()


async def take_events(store: ReleaseStore, content: bytes) -> TakenEvents:
    """Store the events in lines of JSON; a bad line keeps no other from being stored.

    Raises ConfigError for more than `MAX_LINES` lines, StorageError when the store fails: then some
    of the events may be stored, and sending all of them again counts them once.
    """
    n_lines = content.count(b"\n")
    if n_lines > MAX_LINES:
        raise ConfigError(f"{n_lines:,} lines are sent; at most {MAX_LINES:,} are taken at once")
    lines = read_lines(io.BytesIO(content))
    n_new = n_events = 0
    kinds: Counter[str] = Counter()
    told: list[RejectedLine] = []
    while batch := await asyncio.to_thread(_take, lines):
        events: list[LiveEvent] = [item for item in batch if not isinstance(item, Rejected)]
        n_events += len(events)
        if events:
            n_new += await store.add_live_events(events)
        for item in batch:
            if isinstance(item, Rejected):
                kinds[item.kind] += 1
                if len(told) < MAX_TOLD:
                    number, kind, reason = item.line_number, item.kind, item.reason
                    told.append(RejectedLine(line_number=number, kind=kind, reason=reason))
    return TakenEvents(
        n_new=n_new,
        n_repeated=n_events - n_new,
        n_rejected=sum(kinds.values()),
        kinds=dict(kinds),
        rejected=tuple(told),
    )


def _take(lines: Iterator[LiveEvent | Rejected]) -> list[LiveEvent | Rejected]:
    return list(islice(lines, BATCH))
