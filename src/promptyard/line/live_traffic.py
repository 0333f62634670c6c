"""Reads live events out of the store, page by page."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from promptyard.protocols import ReleaseStore
from promptyard.records.live import StoredEvent

PAGE = 5_000


async def each_live_event(
    store: ReleaseStore,
    name: str,
    *,
    rollout_id: str | None = None,
    after: int = 0,
    through: int | None = None,
) -> AsyncGenerator[StoredEvent]:
    """Yield the events of a prompt, or of one rollout, in the order of their numbers."""
    while True:
        page = await store.live_events(
            name, rollout_id=rollout_id, after=after, through=through, limit=PAGE
        )
        for event in page:
            yield event
        if len(page) < PAGE:
            return
        after = page[-1].seq
