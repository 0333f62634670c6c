"""Background work: each piece in whichever replica holds its lease, again and again.

A lease only saves work. What makes two replicas that both think they hold one harmless stands in
the line: decisions are compare-and-set by their number, alerts are found known, feedback has ids of
its own, a deletion and its totals are one transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeAlias

from pydantic import ValidationError

from promptyard.config.service_shape import ServiceConfig
from promptyard.errors import PromptyardError, StorageError
from promptyard.records.leases import Lease, WorkNote
from promptyard.service.state import ServiceState

BEATS = 4
"""Leases are renewed so many times while they last, less one: one may fail without harm."""
MAX_TEXT = 500
MAX_TURN_S = 3600.0
"""After so long a turn is given up: it hangs, and would hold its lease for ever."""

log = logging.getLogger("promptyard.service")


class Did(NamedTuple):
    """What a turn did, in one line; `trouble` is what it could not do.

    `changed` says that clients have to read the manifest anew.
    """

    said: str
    trouble: str = ""
    changed: bool = False


Turn: TypeAlias = Callable[[], Awaitable[Did]]


@dataclass(frozen=True)
class Worker:
    """One piece of background work.

    `begin` returns what is done at each turn; it may keep what it has read from one turn to the
    next. A turn may raise: that is noted, and the next one comes as if it had not.
    """

    name: str
    every_s: Callable[[ServiceConfig], float]
    begin: Callable[[ServiceState], Turn]


async def run_background(state: ServiceState, workers: Sequence[Worker]) -> None:
    """Work until cancelled, then give the leases back. A store that fails is tried again."""
    works = [_Work(state, worker) for worker in workers]
    tasks = [asyncio.create_task(work.run(), name=work.name) for work in works]
    tasks.append(asyncio.create_task(_beat(state, works), name="leases"))
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(work.give_back() for work in works))


async def _beat(state: ServiceState, works: Sequence[_Work]) -> None:
    """Take or renew all leases together, so that it costs one commit; their notes with them."""
    pause_s = state.settings.lease_s / BEATS
    while True:
        began_s = time.monotonic()
        await asyncio.gather(*(work.beat() for work in works))
        await asyncio.sleep(max(pause_s / 2, began_s + pause_s - time.monotonic()))


class _Work:
    """One worker in this replica: whether it holds the lease, and when its next turn is."""

    def __init__(self, state: ServiceState, worker: Worker) -> None:
        self.name = worker.name
        self._state = state
        self._turn = worker.begin(state)
        self._every_s = worker.every_s(state.settings)
        # A lease ends that much before it is due elsewhere: found free at the next beat of another.
        self._for_s = state.settings.lease_s * (1 - 1 / BEATS)
        self._until_s = -1.0
        self._held = asyncio.Event()
        self._due_s = 0.0
        self._note = WorkNote()
        self._is_noted = True

    async def run(self) -> None:
        """Take turns whenever the lease is held and one is due, until cancelled."""
        while True:
            await self._held.wait()
            await asyncio.sleep(max(0.0, self._due_s - time.monotonic()))
            if self._state.stopping.is_set():
                return
            if not self._is_ours():
                self._held.clear()
                continue
            await self._take_turn()

    async def beat(self) -> None:
        """Take or renew the lease and write the note; whoever holds it goes on if that fails."""
        store, owner = self._state.store, self._state.replica
        began_s = time.monotonic()
        try:
            lease, _ = await asyncio.gather(
                store.take_lease(self.name, owner, for_s=self._for_s), self._write_note()
            )
        except Exception as error:  # noqa: BLE001 (whatever it is, the next beat tries again)
            self._state.counts.store_errors += 1
            log.warning("the lease of %s could not be renewed: %s", self.name, error)
            return
        if lease is None:
            self._until_s = -1.0
            self._held.clear()
            return
        if not self._is_ours():
            self._go_on_from(lease)
        self._until_s = began_s + self._for_s
        self._held.set()

    async def give_back(self) -> None:
        """Let another replica go on at once."""
        if not self._is_ours():
            return
        with contextlib.suppress(Exception):  # it runs out by itself
            await self._write_note()
            await self._state.store.release_lease(self.name, self._state.replica)

    def _is_ours(self) -> bool:
        return time.monotonic() < self._until_s

    def _go_on_from(self, lease: Lease) -> None:
        """Be due when the owner before would have been, or at once where that says nothing."""
        self._due_s = time.monotonic()
        try:
            before = WorkNote.model_validate(dict(lease.note))
            next_at = datetime.fromisoformat(before.next_at)
            wait_s = (next_at - datetime.now(UTC)).total_seconds()
        except (ValidationError, ValueError, TypeError):
            return  # written by nobody yet, or by another version of this
        self._due_s += min(max(0.0, wait_s), self._every_s)
        self._note = before.model_copy(update={"n_turns": 0, "n_failed": 0})

    async def _take_turn(self) -> None:
        began_s, last_at = time.monotonic(), _utc(0.0)
        did, failure = Did(""), ""
        try:
            async with asyncio.timeout(MAX_TURN_S):
                did = await self._turn()
            failure = did.trouble[:MAX_TEXT]
        except PromptyardError as error:
            failure = _line(error)
            self._state.counts.store_errors += isinstance(error, StorageError)
        except Exception as error:
            failure = f"{type(error).__name__}: {_line(error)}"
            if failure != self._note.error:
                log.exception("%s failed", self.name)
        if failure and failure != self._note.error:  # said once, however often it happens
            log.warning("%s: %s", self.name, failure)
        if did.changed:
            self._state.changes.look()
        now_s = time.monotonic()
        self._due_s = max(began_s + self._every_s, now_s)
        self._note = WorkNote(
            last_at=last_at,
            next_at=_utc(self._due_s - now_s),
            took_s=round(now_s - began_s, 3),
            did=did.said or self._note.did,
            error=failure,
            n_turns=self._note.n_turns + 1,
            n_failed=self._note.n_failed + bool(failure),
        )
        self._is_noted = False

    async def _write_note(self) -> None:
        if self._is_noted:
            return
        self._is_noted = True
        note = self._note.model_dump()
        try:
            await self._state.store.note_lease(self.name, self._state.replica, note)
        except Exception:
            self._is_noted = False
            raise


def _utc(in_s: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=in_s)).isoformat(timespec="milliseconds")


def _line(error: Exception) -> str:
    """Return the first line of an error, short enough for a note."""
    return (str(error).splitlines() or [type(error).__name__])[0][:MAX_TEXT]
