"""Deletes what is too old or too much, a little at a time; what traffic came to stays, by hours.

Events of a rollout stay until it has ended and `keep_rollouts_days` have gone by: until then it can
be replayed. A job that waits or runs stays. What makes the audit log shorter is logged in it first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from promptyard.config.service_shape import RetentionConfig
from promptyard.line.api_keys import BY_HAND
from promptyard.line.query import StoreOrUrl, opened
from promptyard.protocols import Store
from promptyard.records.audit import AuditEntry
from promptyard.records.base import Json, Record
from promptyard.records.rollouts import RolloutRecord
from promptyard.records.traffic import Folded

STEP = 500
"""Rows of one transaction: some 20 ms, in which nothing else can be written."""
JOBS_STEP = 20
"""Jobs of one transaction: their results may have megabytes."""
AUDIT_EVERY_DAYS = 1.0
"""So much older entries of the audit log become before they go together: each time is logged."""
RETENTION = "retention"
"""Who acts where nobody does."""
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
    n_jobs: int = 0
    n_audit: int = 0

    @property
    def n_rows(self) -> int:
        """How many rows of the store that is."""
        traffic = self.n_spans + self.n_outcomes + self.n_feedback + self.n_exposures
        return traffic + self.n_jobs + self.n_audit


async def prune(
    url: StoreOrUrl,
    kept: RetentionConfig,
    *,
    now: str | None = None,
    dry_run: bool = False,
    actor: str = RETENTION,
) -> Pruned:
    """Delete what `kept` says is not to be kept `now` (UTC, ISO 8601; by default: now).

    What came within the last `RESENT_S` seconds stays in any case. Others get as much time of the
    store as this takes. Stopped at any moment, it goes on the next time. With `dry_run` nothing is
    changed. `actor` stands in the audit log where that gets shorter. Costs no model call. Raises
    NotFound, StorageError.
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
            # For the longer time: before, part of it would be old enough, and a replay go astray.
            keep_days = max(kept.keep_rollouts_days, kept.outcome_days)
            if record is not None and not _is_over(record, at, keep_days):
                n_kept += 1
                continue
            steps += await _fold_events(store, rollout_id, at, kept, dry_run=dry_run)
        n_jobs = await _prune_jobs(store, _days_before(at, kept.keep_jobs_days), dry_run=dry_run)
        n_audit = await _prune_audit(store, at, kept.keep_audit_days, actor, dry_run=dry_run)
    names = ("n_spans", "n_outcomes", "n_feedback", "n_exposures", "n_damaged")
    counts = {name: sum(getattr(step, name) for step in steps) for name in names}
    return Pruned(**counts, kept_rollouts=n_kept, n_jobs=n_jobs, n_audit=n_audit)


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


async def _prune_jobs(store: Store, before: str, *, dry_run: bool) -> int:
    if dry_run:
        return await store.n_ended_jobs(before=before)
    return await _until_none(lambda: store.prune_jobs(before=before, limit=JOBS_STEP), JOBS_STEP)


async def _prune_audit(
    store: Store, at: datetime, keep_days: float, actor: str, *, dry_run: bool
) -> int:
    """Let old entries go, once some are a day older than they are kept: one entry a day says so."""
    before = _days_before(at, keep_days)
    is_due = await store.n_audit(before=_days_before(at, keep_days + AUDIT_EVERY_DAYS)) > 0
    if dry_run:
        return await store.n_audit(before=before) if is_due else 0
    if is_due:
        detail: dict[str, Json] = {"before": before, "n": await store.n_audit(before=before)}
        entry = AuditEntry(
            actor=actor, action="prune_audit", target="audit", status=BY_HAND, detail=detail
        )
        await store.shorten_audit(entry, before=before)
    return await _until_none(lambda: store.prune_audit(limit=STEP), STEP)


async def _until_none(prune_some: Callable[[], Awaitable[int]], step: int) -> int:
    n_all = 0
    while True:
        began_s = time.monotonic()
        n = await prune_some()
        n_all += n
        if n < step:
            return n_all
        await asyncio.sleep(time.monotonic() - began_s)


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
