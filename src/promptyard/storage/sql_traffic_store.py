"""The store's part for retention: what is too old becomes totals by hours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy import Connection

from promptyard.records.live import StoredEvent
from promptyard.records.traffic import Folded, TrafficHour
from promptyard.storage import live, traffic
from promptyard.storage.event_sums import EventFold, part_of_prompt
from promptyard.storage.feedback import FeedbackReading, delete_feedback
from promptyard.storage.sql_access import Result, SqlAccess
from promptyard.storage.stored_text import check_names
from promptyard.storage.tables import live_events, spans


class SqlTrafficStore(SqlAccess):
    """`TrafficStore` in SQLite or PostgreSQL."""

    async def event_number_at(self, at: str) -> int:
        """Return the number of the last live event that was stored before a time, 0 of none."""
        return await self._read(lambda connection: traffic.number_at(connection, live_events, at))

    async def n_events(self, name: str, *, after: int = 0) -> int:
        """How many live events of a prompt have numbers above `after`."""
        check_names(prompt=name)
        return await self._read(lambda connection: traffic.count_events(connection, name, after))

    async def event_sample(
        self, name: str, *, share: float, after: int = 0, limit: int = 2_000
    ) -> tuple[Sequence[StoredEvent], int]:
        """Return a share of the outcomes among the next `limit` events, and feedback on such.

        Returns the number up to which was looked as well; 0 where nothing is left.
        """
        check_names(prompt=name)
        return await self._read(
            lambda connection: live.sample_events(connection, name, share, after, limit)
        )

    async def span_number_at(self, at: str) -> int:
        """Return the number of the last span that was stored before a time, 0 of none."""
        return await self._read(lambda connection: traffic.number_at(connection, spans, at))

    async def event_rollouts(self) -> Sequence[str]:
        """Ids of all rollouts that live events name, those that nobody started among them."""
        return await self._read(traffic.list_event_rollouts)

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

        `limit` at most, oldest first, from the number `after` on, in one transaction; of feedback
        on them, which there may be more of, the rest goes right after it, `limit` at a time.
        """
        check_names(rollout=rollout_id or "")
        fold = EventFold(rollout_id, before, after, limit, dry_run)
        part = await self._read(fold.part)
        reading = part.reading(limit)
        await self._read_feedback(reading)
        while (step := await self._fold(partial(fold.run, part, reading), dry_run)) is None:
            reading.go_on(await self._read(partial(traffic.last_number, table=live_events)))
            await self._read_feedback(reading)
        outcomes, has_more = step.outcomes, step.has_more
        while has_more:
            n_deleted = await self._fold(
                lambda connection: delete_feedback(connection, outcomes, limit), dry_run
            )
            has_more = n_deleted == limit
        return step.folded

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

        None that was stored at `spare_from` or later. In steps, as `fold_events` does; they are
        counted in their hours.
        """
        fold = traffic.SpanFold(keep, before, spare_from, after, limit, dry_run)
        return await self._fold(fold.run, dry_run)

    async def _fold(self, run: Callable[[Connection], Result], dry_run: bool) -> Result:
        if dry_run:
            return await self._read(run)
        return await self._write(run, lock="live events")

    async def _read_feedback(self, reading: FeedbackReading) -> None:
        """Read page by page, so that others get at the database in between."""
        while not reading.is_done:
            reading.take(await self._read(reading.page))

    async def folded_hours(self, name: str, *, since: str, until: str) -> Sequence[TrafficHour]:
        """What was deleted of a prompt, by hours from `since` up to before `until`."""
        check_names(prompt=name)
        return await self._read(
            lambda connection: traffic.list_hours(connection, name, since, until)
        )

    async def present_hours(
        self, name: str, *, after: int, through: int, limit: int = 1_000
    ) -> tuple[Sequence[TrafficHour], int]:
        """Add up to `limit` events of a prompt up that are still there, with what was said of them.

        Returns the hours, and the number up to which was read; 0 where nothing was left to read.
        """
        check_names(prompt=name)
        which = traffic.Part(after, through, limit)
        part = await self._read(lambda connection: part_of_prompt(connection, name, which))
        reading = part.reading(limit)
        await self._read_feedback(reading)
        # Not in the event loop: a part takes some 20 ms.
        hours = await asyncio.to_thread(part.hours, reading)
        return hours, 0 if part.is_done else part.after

    async def present_spans(
        self, name: str, *, after: int, through: int, limit: int = 5_000
    ) -> tuple[Sequence[TrafficHour], int]:
        """Count spans of a prompt that are still there, as `present_hours` does events.

        An empty name means the spans that name no version of the registry.
        """
        check_names(prompt=name)
        part = traffic.Part(after, through, limit)
        return await self._read(lambda connection: traffic.count_spans(connection, name, part))
