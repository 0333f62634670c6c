"""Reads what a run wrote down as it went on: its events, and what it asked its models."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.line.query import StoreOrUrl, last_run, opened
from promptyard.protocols import Store
from promptyard.records.calls import StoredCall
from promptyard.records.events import LoggedEvent, journaled
from promptyard.records.messages import CallRole


async def run_events(url: StoreOrUrl, run_id: str) -> Sequence[LoggedEvent]:
    """Return the events of a run in order, also of one that has not ended.

    Of a run that was resumed they are those of all sessions. `last` is the newest finished run.
    Raises NotFound.
    """
    async with opened(url) as store:
        entries = await store.journal(await _known(store, run_id))
    found = [(entry, journaled(entry["kind"], entry["payload"])) for entry in entries]
    return [
        LoggedEvent(seq=entry["seq"], at=entry["at"], event=event)
        for entry, event in found
        if event is not None
    ]


async def run_calls(
    url: StoreOrUrl, run_id: str, role: CallRole | None, *, limit: int, offset: int
) -> Sequence[StoredCall]:
    """Return a page of a run's attempts in order, with the bodies as sent and what came back.

    Answers that came out of the store were asked for in the run that paid for them, and are shown
    there. Raises NotFound.
    """
    async with opened(url) as store:
        return await store.calls(await _known(store, run_id), role, limit=limit, offset=offset)


async def _known(store: Store, run_id: str) -> str:
    if run_id == "last":
        return (await last_run(store)).id
    return (await store.run_header(run_id)).id
