"""What a release writes and reads: versions, pointers, rollouts, live events, alerts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

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


class ReleaseStore(Protocol):
    """The part of the store that a release needs. All logs are append-only."""

    # versions and pointers
    async def add_version(self, version: PromptVersion) -> PromptVersion:
        """Register a program; assigns number and time. The same digest returns its version."""
        ...

    async def versions(self, name: str) -> Sequence[PromptVersion]:
        """All versions of a prompt, oldest first, to be looked at; to serve one, ask for it."""
        ...

    async def newest_versions(
        self, name: str, *, before: int | None = None, limit: int = 100
    ) -> Sequence[PromptVersion]:
        """Versions of a prompt below the number `before`, newest first, to be looked at."""
        ...

    async def version(self, name: str, number: int) -> PromptVersion:
        """One version. Raises NotFound naming the numbers there are, Tampered for other bytes."""
        ...

    async def prompt_names(self) -> Sequence[str]:
        """Names of all prompts with versions."""
        ...

    async def pointers(self, name: str) -> Sequence[Pointer]:
        """All pointers of a prompt."""
        ...

    async def move_pointer(self, move: Move) -> Move:
        """Compare-and-set: move the pointer if it still is at `from_number`, and log it.

        Raises Conflict when it is not, NotFound when the target version does not exist.
        """
        ...

    async def moves(self, name: str, pointer: str | None = None) -> Sequence[Move]:
        """The log of moves, oldest first."""
        ...

    async def protect(self, protection: Protection) -> Protection:
        """Log that a pointer is protected or no longer; returns it with its time.

        Raises ApprovalNeeded when a protection would end without the consent of a second person.
        """
        ...

    async def protections(self, name: str) -> Sequence[Protection]:
        """The log of protections of a prompt, oldest first."""
        ...

    async def request_move(self, request: MoveRequest) -> MoveRequest:
        """Store a move that waits for approval. Raises NotFound when the target does not exist."""
        ...

    async def move_requests(self, name: str) -> Sequence[MoveRequest]:
        """The moves of a prompt that wait and still can be made, oldest first."""
        ...

    async def revision(self) -> int:
        """How many moves and decisions the store holds: grows with every change for clients."""
        ...

    async def publications(self) -> Sequence[str]:
        """Where manifests are published: absolute paths, sorted."""
        ...

    async def set_publication(self, target: str, *, active: bool) -> None:
        """Add a place to publish manifests to, or take it out."""
        ...

    # rollouts
    async def start_rollout(self, rollout: Rollout, first: Decision) -> RolloutRecord:
        """Store a new rollout with its first decision.

        Raises NotFound for an unknown version, Conflict when another rollout of this pointer has
        not ended or the pointer is not at the control version, ApprovalNeeded when the pointer is
        protected and the first decision does not wait for approval.
        """
        ...

    async def rollout(self, rollout_id: str, *, last_only: bool = False) -> RolloutRecord:
        """Return a rollout with its decisions, or with the last one only. Raises NotFound."""
        ...

    async def rollouts(
        self, name: str | None = None, *, last_only: bool = False
    ) -> Sequence[RolloutRecord]:
        """Rollouts of one prompt or of all, oldest first.

        `last_only` leaves all decisions out but the last, which is all that most readers need.
        """
        ...

    async def decisions(
        self, rollout_id: str, *, before: int | None = None, limit: int = 100
    ) -> Sequence[Decision]:
        """Decisions below the number `before`, newest first; none of an unknown rollout."""
        ...

    async def decide(self, decision: Decision) -> Decision:
        """Append a decision and, in the same transaction, make its move.

        Raises Conflict, with nothing written, when `seq` is not the next number, the rollout has
        ended, or the pointer is not where the move says; ApprovalNeeded when whoever started a
        rollout behind a protected pointer would let it run or promote it without a second name.
        """
        ...

    # live traffic
    async def add_live_events(self, events: Sequence[LiveEvent]) -> int:
        """Store live events, each id once; returns how many are new."""
        ...

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
        gets a number behind it when that is stored: whoever reads on from the last number misses
        nothing, and sees the same as who starts anew.
        """
        ...

    async def unjoined_feedback(self, name: str | None = None) -> int:
        """Count feedback, of one prompt or of all, on outcomes that the prompt does not have.

        It may be on its way, its outcome in a spool that is not collected yet; or it names an
        outcome or a prompt that it does not belong to.
        """
        ...

    async def add_alert(self, alert: Alert) -> Alert:
        """Store what a monitor found; returns it with its time."""
        ...

    async def alerts(self, name: str, limit: int = 100) -> Sequence[Alert]:
        """Alerts of a prompt, newest first."""
        ...
