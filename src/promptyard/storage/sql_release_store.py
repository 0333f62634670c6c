"""The store's part for releases: versions, pointers, rollouts, live events, alerts."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.records.alerts import Alert
from promptyard.records.live import LiveEvent, StoredEvent
from promptyard.records.rollouts import Decision, Rollout, RolloutRecord
from promptyard.records.versions import (
    Move,
    MoveRequest,
    Pointer,
    PromptVersion,
    Protection,
)
from promptyard.storage import live, rollouts, versions
from promptyard.storage.sql_access import SqlAccess
from promptyard.storage.stored_text import check_characters, check_names

MOVES_LOG = "log:moves"
DECISIONS_LOG = "log:decisions"
ALERTS_LOG = "log:alerts"
"""Who appends to a log that is read on from its last number holds its lock until the commit: else
PostgreSQL could commit a lower number after a higher one, and the reader would miss it."""


class SqlReleaseStore(SqlAccess):
    """`ReleaseStore` in SQLite or PostgreSQL."""

    async def add_version(self, version: PromptVersion) -> PromptVersion:
        """Register a program under the next number; its time is now unless it has one.

        The same digest again returns the version that is there, unchanged.
        """
        check_names(prompt=version.name, digest=version.digest)
        at = self._clock()
        return await self._write(
            lambda connection: versions.insert_version(connection, version, at),
            lock=f"prompt:{version.name}",
        )

    async def versions(self, name: str) -> Sequence[PromptVersion]:
        """All versions of a prompt, oldest first."""
        check_names(prompt=name)
        return await self._read(lambda connection: versions.list_versions(connection, name))

    async def newest_versions(
        self, name: str, *, before: int | None = None, limit: int = 100
    ) -> Sequence[PromptVersion]:
        """Versions of a prompt below the number `before`, newest first, to be looked at."""
        check_names(prompt=name)
        return await self._read(
            lambda connection: versions.list_newest_versions(connection, name, before, limit)
        )

    async def version(self, name: str, number: int) -> PromptVersion:
        """One version, its bytes proven. Raises NotFound naming the numbers there are, Tampered."""
        check_names(prompt=name)
        return await self._read(
            lambda connection: versions.require_version(connection, name, number)
        )

    async def prompt_names(self) -> Sequence[str]:
        """Names of all prompts with versions, sorted."""
        return await self._read(versions.list_prompt_names)

    async def pointers(self, name: str) -> Sequence[Pointer]:
        """All pointers of a prompt, by name."""
        check_names(prompt=name)
        return await self._read(lambda connection: versions.list_pointers(connection, name))

    async def move_pointer(self, move: Move) -> Move:
        """Compare-and-set: move the pointer if it still is at `from_number`, and log it.

        A `from_number` of None says that the pointer does not exist yet. Returns the move with its
        time. Raises Conflict saying where the pointer is, NotFound when the target does not exist.
        """
        check_names(prompt=move.prompt, pointer=move.pointer)
        at = self._clock()
        return await self._write(
            lambda connection: versions.apply_move(connection, move, at),
            lock=(f"prompt:{move.prompt}", MOVES_LOG),
        )

    async def moves(self, name: str, pointer: str | None = None) -> Sequence[Move]:
        """The log of moves, oldest first."""
        check_names(prompt=name, pointer=pointer or "")
        return await self._read(lambda connection: versions.list_moves(connection, name, pointer))

    async def protect(self, protection: Protection) -> Protection:
        """Log that a pointer is protected or no longer; returns it with its time.

        Raises ApprovalNeeded when a protection would end without the consent of a second person.
        """
        check_names(prompt=protection.prompt, pointer=protection.pointer)
        at = self._clock()
        return await self._write(
            lambda connection: versions.insert_protection(connection, protection, at),
            lock=f"prompt:{protection.prompt}",
        )

    async def protections(self, name: str) -> Sequence[Protection]:
        """The log of protections of a prompt, oldest first."""
        check_names(prompt=name)
        return await self._read(lambda connection: versions.list_protections(connection, name))

    async def request_move(self, request: MoveRequest) -> MoveRequest:
        """Store a move that waits for approval. Raises NotFound when the target does not exist."""
        check_names(request=request.id, prompt=request.move.prompt, pointer=request.move.pointer)
        at = self._clock()
        return await self._write(
            lambda connection: versions.insert_request(connection, request, at),
            lock=f"prompt:{request.move.prompt}",
        )

    async def move_requests(self, name: str) -> Sequence[MoveRequest]:
        """The moves of a prompt that wait and still can be made, oldest first."""
        check_names(prompt=name)
        return await self._read(lambda connection: versions.list_requests(connection, name))

    async def revision(self) -> int:
        """How many moves and decisions the store holds: grows with every change for clients."""
        return await self._read(rollouts.count_changes)

    async def publications(self) -> Sequence[str]:
        """Where manifests are published: absolute paths, sorted."""
        return await self._read(rollouts.list_publications)

    async def set_publication(self, target: str, *, active: bool) -> None:
        """Add a place to publish manifests to, or take it out."""
        check_characters(place=target)
        at = self._clock()
        await self._write(
            lambda connection: rollouts.insert_publication(connection, target, active, at)
        )

    async def start_rollout(self, rollout: Rollout, first: Decision) -> RolloutRecord:
        """Store a new rollout with its first decision.

        Raises NotFound for an unknown version, Conflict when another rollout of this pointer has
        not ended or the pointer is not at the control version, ApprovalNeeded when the pointer is
        protected and the first decision does not wait for approval.
        """
        check_names(rollout=rollout.id, prompt=rollout.prompt, pointer=rollout.pointer)
        return await self._write(
            lambda connection: rollouts.insert_rollout(connection, rollout, first),
            lock=(f"prompt:{rollout.prompt}", DECISIONS_LOG),
        )

    async def rollout(self, rollout_id: str, *, last_only: bool = False) -> RolloutRecord:
        """Return a rollout with its decisions, or with the last one. Raises NotFound."""
        check_names(rollout=rollout_id)
        return await self._read(
            lambda connection: rollouts.read_rollout(connection, rollout_id, last_only=last_only)
        )

    async def rollouts(
        self, name: str | None = None, *, last_only: bool = False
    ) -> Sequence[RolloutRecord]:
        """Rollouts of one prompt or of all, oldest first, with all decisions or the last one."""
        check_names(prompt=name or "")
        return await self._read(
            lambda connection: rollouts.list_rollouts(connection, name, last_only=last_only)
        )

    async def decisions(
        self, rollout_id: str, *, before: int | None = None, limit: int = 100
    ) -> Sequence[Decision]:
        """Decisions below the number `before`, newest first; none of an unknown rollout."""
        check_names(rollout=rollout_id)
        return await self._read(
            lambda connection: rollouts.list_decisions(connection, rollout_id, before, limit)
        )

    async def decide(self, decision: Decision) -> Decision:
        """Append a decision and, in the same transaction, make its move.

        Raises Conflict, with nothing written, when `seq` is not the next number, the rollout has
        ended, or the pointer is not where the move says; ApprovalNeeded without a second name where
        the pointer is protected.
        """
        check_names(rollout=decision.rollout_id)
        at = self._clock()
        record = await self.rollout(decision.rollout_id, last_only=True)
        return await self._write(
            lambda connection: rollouts.insert_decision(connection, decision, at),
            lock=(f"prompt:{record.rollout.prompt}", MOVES_LOG, DECISIONS_LOG),
        )

    async def add_live_events(self, events: Sequence[LiveEvent]) -> int:
        """Store live events, each id once; returns how many are new."""
        live.check_event_names(events)
        at = self._clock()
        return await self._write(
            lambda connection: live.insert_events(connection, events, at), lock="live events"
        )

    async def live_events(
        self,
        name: str,
        *,
        rollout_id: str | None = None,
        after: int = 0,
        through: int | None = None,
        limit: int = 10_000,
    ) -> Sequence[StoredEvent]:
        """Events of a prompt, or of a rollout (feedback on its outcomes included), by number.

        `after` is left out and `through` is included. Feedback that was stored before its outcome
        gets a number behind it when that is stored.
        """
        check_names(prompt=name, rollout=rollout_id or "")
        window = live.Window(after=after, through=through, limit=limit)
        return await self._read(
            lambda connection: live.list_events(connection, name, rollout_id, window)
        )

    async def unjoined_feedback(self, name: str | None = None) -> int:
        """Count feedback, of one prompt or of all, on outcomes that the prompt does not have."""
        check_names(prompt=name or "")
        return await self._read(lambda connection: live.count_unjoined(connection, name))

    async def add_alert(self, alert: Alert) -> Alert:
        """Store what a monitor found; returns it with its time."""
        check_names(prompt=alert.prompt)
        at = self._clock()
        return await self._write(
            lambda connection: live.insert_alert(connection, alert, at), lock=ALERTS_LOG
        )

    async def alerts(self, name: str, limit: int = 100) -> Sequence[Alert]:
        """Alerts of a prompt, newest first."""
        check_names(prompt=name)
        return await self._read(lambda connection: live.list_alerts(connection, name, limit))
