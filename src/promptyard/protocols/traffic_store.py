"""What traffic leaves behind when it is deleted: totals by hours, and how it gets there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from promptyard.records.live import StoredEvent
from promptyard.records.traffic import Folded, TrafficHour


class TrafficStore(Protocol):
    """The part of the store that retention needs."""

    async def event_number_at(self, at: str) -> int:
        """Return the number of the last live event that was stored before a time, 0 of none."""
        ...

    async def n_events(self, name: str, *, after: int = 0) -> int:
        """How many live events of a prompt have numbers above `after`."""
        ...

    async def event_sample(
        self, name: str, *, share: float, after: int = 0, limit: int = 2_000
    ) -> tuple[Sequence[StoredEvent], int]:
        """Return a share of the outcomes among the next `limit` events, and feedback on such.

        Drawn by a hash of the outcome: the same ones each time, whoever asks, and all of a smaller
        share are in a larger one. Returns the number up to which was looked as well; 0 where
        nothing is left.
        """
        ...

    async def span_number_at(self, at: str) -> int:
        """Return the number of the last span that was stored before a time, 0 of none."""
        ...

    async def event_rollouts(self) -> Sequence[str]:
        """Ids of all rollouts that live events name, those that nobody started among them."""
        ...

    async def fold_events(
        self,
        rollout_id: str | None,
        *,
        before: str,
        after: int = 0,
        limit: int = 1_000,
        dry_run: bool = False,
    ) -> Folded:
        """Delete events of a rollout, or of none, stored before a time; add them to their hours.

        `limit` at most, oldest first, from the number `after` on, in one transaction: outcomes,
        counted with all that was said of them, exposures, and feedback whose outcome is not there.
        Feedback on the outcomes goes with them; what is more than `limit` right after them, in
        transactions of its own. With `dry_run` nothing is changed, only counted.
        """
        ...

    async def fold_spans(
        self,
        *,
        before: str,
        keep: int,
        spare_from: str,
        after: int = 0,
        limit: int = 1_000,
        dry_run: bool = False,
    ) -> Folded:
        """Delete spans stored before a time, and those below the `keep` newest numbers.

        None that was stored at `spare_from` or later: whoever sent it may do so again, and what is
        known counts once. In steps, as `fold_events` does; they are counted in their hours.
        """
        ...

    async def folded_hours(self, name: str, *, since: str, until: str) -> Sequence[TrafficHour]:
        """What was deleted of a prompt, by hours from `since` up to before `until`."""
        ...

    async def present_hours(
        self, name: str, *, after: int, through: int, limit: int = 1_000
    ) -> tuple[Sequence[TrafficHour], int]:
        """Add up to `limit` events of a prompt up that are still there, with what was said of them.

        That is read page by page, in readings of its own; what is deleted meanwhile may be in it in
        part, so `folded_hours` is to be the same before and after. Returns the hours, and the
        number up to which was read; 0 where nothing was left to read.
        """
        ...

    async def present_spans(
        self, name: str, *, after: int, through: int, limit: int = 5_000
    ) -> tuple[Sequence[TrafficHour], int]:
        """Count spans of a prompt that are still there, as `present_hours` does events.

        An empty name means the spans that name no version of the registry.
        """
        ...
