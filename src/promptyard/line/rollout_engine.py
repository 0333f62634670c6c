"""Lets a rollout decide by itself: reads what is new, looks, and stores what follows.

Everything that a decision rests on is in the store, so whoever watches may be killed and started
again, and two may watch at once: a decision that came second is not stored, and looked for anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from promptyard.errors import ApprovalNeeded, Conflict, NotFound, Tampered
from promptyard.line.collect import Collected
from promptyard.line.live_traffic import all_live_events, live_pages
from promptyard.line.publish import Publication
from promptyard.line.query import StoreOrUrl, opened
from promptyard.line.rollout_finding import find_rollout
from promptyard.line.rollouts import MAX_TRIES, utc_now
from promptyard.protocols import Store
from promptyard.records.base import Record
from promptyard.records.rollouts import Action, Decision, Rollout, RolloutRecord
from promptyard.registry.versions import pointer_named
from promptyard.release.look import look
from promptyard.release.replay import ReplayedDecision, replay
from promptyard.release.tally import Tally


class Looked(Record):
    """One look at a rollout: its last decision, and the one that this look added, if any.

    `blocked` says why a promotion that the numbers allow could not be made: it waits for approval.
    `damaged` says which stored bytes are not those that were written: nothing is decided on them.
    """

    record: RolloutRecord
    decision: Decision | None = None
    n_events: int = 0
    blocked: str = ""
    damaged: str = ""


class Ticked(Record):
    """One tick: what was collected, the looks that followed, and what was published at last."""

    collected: Collected | None = None
    looks: tuple[Looked, ...] = ()
    publication: Publication | None = None
    trouble: str = ""


class OtherDecision(Record):
    """A stored decision that its events do not give again: the fields that differ."""

    seq: int
    action: Action
    again: Action | None
    fields: tuple[str, ...]


class Replayed(Record):
    """A rollout decided again: whether every decision of the engine came out the same.

    `n_by_hand` of the `n_decisions` are people's, the start included; nothing is computed for them.
    """

    rollout_id: str
    equal: bool
    n_decisions: int
    n_by_hand: int
    different: tuple[OtherDecision, ...]


TickSink: TypeAlias = Callable[[Ticked], None]


class Engine:
    """Looks at one rollout again and again; every event is read once."""

    def __init__(self, store: Store, rollout: Rollout) -> None:
        self._store = store
        self._rollout = rollout
        self._tally = Tally(rollout)
        self._n_events = 0
        self._now = ""

    async def look(self) -> Looked:
        """Read what is new, decide, and store the decision unless another came first.

        Raises StorageError when the store fails.
        """
        try:
            return await self._look()
        except Tampered as error:
            record = await self._store.rollout(self._rollout.id, last_only=True)
            return Looked(record=record, n_events=self._n_events, damaged=str(error))

    async def _look(self) -> Looked:
        rollout = self._rollout
        for _ in range(MAX_TRIES):
            record = await self._store.rollout(rollout.id, last_only=True)
            if not record.is_active:
                return Looked(record=record, n_events=self._n_events)
            for number in (rollout.control, rollout.treatment):
                await self._store.version(rollout.prompt, number)
            await self._read_on()
            place = await pointer_named(self._store, rollout.prompt, rollout.pointer)
            # A clock that is set back, or behind that of another engine, stops time, no more.
            self._now = max(self._now, record.last.at, utc_now())
            decision = look(
                record,
                self._tally,
                now=self._now,
                pointer_number=None if place is None else place.number,
            )
            if decision is None:
                return Looked(record=record, n_events=self._n_events)
            try:
                stored = await self._store.decide(await self._with_approval(decision))
            except ApprovalNeeded as error:
                return Looked(record=record, n_events=self._n_events, blocked=str(error))
            except Conflict:
                continue  # somebody decided or moved the pointer meanwhile: look anew
            after = RolloutRecord(rollout=rollout, decisions=(stored,))
            return Looked(record=after, decision=stored, n_events=self._n_events)
        raise Conflict(f"rollout '{rollout.id}' is decided on faster than one can look; try again")

    async def _read_on(self) -> None:
        rollout, after = self._rollout, self._tally.through
        pages = live_pages(self._store, rollout.prompt, rollout_id=rollout.id, after=after)
        async for page in pages:
            for event in page:
                self._tally.add(event)
            self._n_events += len(page)

    async def _with_approval(self, decision: Decision) -> Decision:
        """Add to a promotion who approved its rollout: that stands further back in the log."""
        if decision.move is None or decision.move.kind != "promote" or decision.move.approved_by:
            return decision
        record = await self._store.rollout(self._rollout.id)
        names = [item.actor for item in record.decisions if item.action == "approve"]
        if not names:
            return decision
        move = decision.move.model_copy(update={"approved_by": names[-1]})
        return decision.model_copy(update={"move": move})


async def replay_rollout(
    url: StoreOrUrl, reference: str, *, pointer: str | None = None
) -> tuple[RolloutRecord, tuple[ReplayedDecision, ...]]:
    """Decide a rollout again from its stored events. Costs no model call.

    Raises NotFound, also where retention has deleted events that it was decided on.
    """
    async with opened(url) as store:
        found = await find_rollout(store, reference, pointer)
        record = await store.rollout(found.rollout.id)
        rollout, through = record.rollout, record.last.through
        events = await all_live_events(
            store, rollout.prompt, rollout_id=rollout.id, through=through
        )
        # Every decision says the number of the last event that it knew.
        if not {item.through for item in record.decisions if item.through} <= {
            event.seq for event in events
        }:
            raise NotFound(
                f"rollout '{rollout.id}' cannot be replayed: its events have been deleted "
                "(`service.retention` says when); its decisions stay, "
                f"`promptyard canary status {rollout.id}` shows them"
            )
        # Elsewhere: it takes as long as all its looks together, and others want to be answered.
        return record, await asyncio.to_thread(replay, record, events)


async def replay_in_short(
    url: StoreOrUrl, reference: str, *, pointer: str | None = None
) -> Replayed:
    """Decide a rollout again and say where that differs. Raises NotFound. Costs no model call."""
    record, replayed = await replay_rollout(url, reference, pointer=pointer)
    different = tuple(
        OtherDecision(
            seq=item.stored.seq,
            action=item.stored.action,
            again=None if item.again is None else item.again.action,
            fields=item.differences,
        )
        for item in replayed
        if not item.equal
    )
    return Replayed(
        rollout_id=record.rollout.id,
        equal=not different,
        n_decisions=len(record.decisions),
        n_by_hand=sum(item.is_by_hand for item in replayed) + 1,  # the start is somebody's, too
        different=different,
    )
