"""Deletes what is too old or too much, a little at a time; what it came to stays, by hours.

Events of a rollout stay until it has ended and `keep_rollouts_days` have gone by: until then it can
be replayed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from promptyard.config.service_shape import RetentionConfig
from promptyard.line.query import StoreOrUrl, opened
from promptyard.protocols import Store
from promptyard.records.base import Record
from promptyard.records.rollouts import RolloutRecord
from promptyard.records.traffic import Folded

STEP = 500
"""Rows of one transaction: some 20 ms, in which nothing else can be written."""
RESENT_S = 3600.0
"""So long nothing that was sent is deleted, whatever is to be kept: what is known counts once, and
who had no answer sends again. OpenTelemetry's Collector tries for 5 minutes, its SDKs for less."""


class Pruned(Record):
    """What was deleted and added to the hours; or would have been.

    `n_damaged` rows cannot be read: they stay. `kept_rollouts` have events that stay although they
    are old enough otherwise, as they can still be replayed.
    """

    n_spans: int = 0
    n_outcomes: int = 0
    n_feedback: int = 0
    n_exposures: int = 0
    n_damaged: int = 0
    kept_rollouts: int = 0

    @property
    def n_rows(self) -> int:
        """How many rows of the store that is."""
        return self.n_spans + self.n_outcomes + self.n_feedback + self.n_exposures


async def prune(
    url: StoreOrUrl, kept: RetentionConfig, *, now: str | None = None, dry_run: bool = False
) -> Pruned:
    """Delete what `kept` says is not to be kept `now` (UTC, ISO 8601; by default: now).

    What came within the last `RESENT_S` seconds stays in any case. Others get as much time of the
    store as this takes. Stopped at any moment, it goes on the next time. With `dry_run` nothing is
    changed. Costs no model call. Raises NotFound, StorageError.
    """
    at = datetime.fromisoformat(now) if now else datetime.now(UTC)
    async with opened(url) as store:

        async def fold_spans(after: int) -> Folded:
            return await store.fold_spans(
                before=_days_before(at, kept.trace_days),
                keep=kept.max_spans,
                spare_from=_spared_from(at),
                after=after,
                limit=STEP,
                dry_run=dry_run,
            )

        steps = await _to_the_end(fold_spans)
        n_kept = 0
        rollouts = {record.rollout.id: record for record in await store.rollouts(last_only=True)}
        for rollout_id in (None, *await store.event_rollouts()):
            record = rollouts.get(rollout_id or "")
            if record is not None and not _is_over(record, at, kept.keep_rollouts_days):
                n_kept += 1
                continue
            steps += await _fold_events(store, rollout_id, at, kept, dry_run=dry_run)
    names = ("n_spans", "n_outcomes", "n_feedback", "n_exposures", "n_damaged")
    counts = {name: sum(getattr(step, name) for step in steps) for name in names}
    return Pruned(**counts, kept_rollouts=n_kept)


async def _fold_events(
    store: Store, rollout_id: str | None, at: datetime, kept: RetentionConfig, *, dry_run: bool
) -> list[Folded]:
    async def fold(after: int) -> Folded:
        return await store.fold_events(
            rollout_id,
            before=min(_days_before(at, kept.outcome_days), _spared_from(at)),
            after=after,
            limit=STEP,
            dry_run=dry_run,
        )

    return await _to_the_end(fold)


async def _to_the_end(fold: Callable[[int], Awaitable[Folded]]) -> list[Folded]:
    steps: list[Folded] = []
    while not steps or not steps[-1].is_done:
        began_s = time.monotonic()
        steps.append(await fold(steps[-1].after if steps else 0))
        if not steps[-1].is_done:
            await asyncio.sleep(time.monotonic() - began_s)
    return steps


def _is_over(record: RolloutRecord, at: datetime, keep_days: float) -> bool:
    return record.last.is_final and record.last.at < _days_before(at, keep_days)


def _spared_from(at: datetime) -> str:
    return _days_before(at, RESENT_S / 86_400)


def _days_before(at: datetime, days: float) -> str:
    try:
        return (at - timedelta(days=days)).isoformat(timespec="microseconds")
    except OverflowError:  # longer than there are dates: for ever
        return ""
