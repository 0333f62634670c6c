"""Reads live events out of the store, page by page."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from promptyard.line.query import StoreOrUrl, opened, require_prompt
from promptyard.protocols import ReleaseStore, Store
from promptyard.records.live import StoredEvent

PAGE = 10_000
"""Live events that are read at once."""


async def live_pages(
    store: ReleaseStore,
    name: str,
    *,
    rollout_id: str | None = None,
    after: int = 0,
    through: int | None = None,
    size: int = PAGE,
) -> AsyncGenerator[Sequence[StoredEvent]]:
    """Yield the events of a prompt, or of one rollout, in the order of their numbers, by pages.

    A page holds `size` events, the last one fewer or none. `after` is left out, `through` is not.
    """
    while True:
        page = await store.live_events(
            name, rollout_id=rollout_id, after=after, through=through, limit=size
        )
        yield page
        if len(page) < size:
            return
        after = page[-1].seq


async def list_live_events(
    url: StoreOrUrl, name: str, *, rollout_id: str | None = None, after: int = 0, limit: int = 100
) -> Sequence[StoredEvent]:
    """List events of a prompt, or of one rollout, with numbers above `after`, in their order.

    Raises NotFound for an unknown prompt.
    """
    async with opened(url) as store:
        await require_prompt(store, name)
        return await store.live_events(name, rollout_id=rollout_id, after=after, limit=limit)


async def all_live_events(
    store: ReleaseStore, name: str, *, rollout_id: str | None = None, through: int | None = None
) -> list[StoredEvent]:
    """Return all events of a prompt, or of one rollout, in the order of their numbers."""
    pages = live_pages(store, name, rollout_id=rollout_id, through=through)
    return [event async for page in pages for event in page]


async def sampled_live_events(
    store: Store, name: str, *, after: int, most: int
) -> tuple[list[StoredEvent], float]:
    """Return outcomes of a prompt with their feedback, some `most` events, and their share.

    A sample is drawn by a hash of the outcome, so that its feedback is in it as well.
    """
    n_events = await store.n_events(name, after=after)
    share = min(1.0, most / max(1, n_events))
    found: list[StoredEvent] = []
    while True:
        page, after = await store.event_sample(name, share=share, after=after)
        found += page
        if not after:
            return found, share
