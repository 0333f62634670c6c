"""Shows the background work, who does what and how it went; and how much there is of what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import get_args

from promptyard.line.query import StoreOrUrl, opened
from promptyard.records.base import Record
from promptyard.records.jobs import JOB_ENDED, JobState
from promptyard.records.leases import WORK, Lease
from promptyard.records.rollouts import RolloutState
from promptyard.records.webhooks import WEBHOOK_STATES

MANY = 1_000


class StoreFigures(Record):
    """How much there is: rollouts, jobs and webhooks by state; leases of background work by name.

    `n_given_up` counts events that the webhooks there are were given up on.
    """

    revision: int
    rollouts: Mapping[str, int]
    jobs: Mapping[str, int]
    work: tuple[Lease, ...]
    webhooks: Mapping[str, int]
    n_given_up: int


async def list_leases(url: StoreOrUrl) -> Sequence[Lease]:
    """Return leases by name: those that are held, and after them those that have run out.

    At most 1,000.
    """
    async with opened(url) as store:
        found = await store.leases()
    return sorted(found, key=lambda lease: lease.ends_in_s <= 0)[:MANY]


async def other_replica(url: StoreOrUrl) -> Lease | None:
    """Return a lease of background work on an SQLite store that somebody holds, or None.

    For who is about to start: over SQLite there is to be one replica, over PostgreSQL None is
    returned. One that was killed holds its leases until they end.
    """
    async with opened(url) as store:
        if store.url.startswith("postgresql:"):
            return None
        held = (item for item in await store.leases() if item.name in WORK and item.ends_in_s > 0)
        return next(held, None)


async def store_figures(url: StoreOrUrl, *, known: StoreFigures | None = None) -> StoreFigures:
    """Count rollouts, jobs that have not ended, webhooks, and leases of background work.

    `known` is what was found before: rollouts are not read again while nothing was decided.
    """
    async with opened(url) as store:
        revision = await store.revision()
        if known is not None and known.revision == revision:
            rollouts = known.rollouts
        else:
            states = Counter(item.last.state for item in await store.rollouts(last_only=True))
            rollouts = {state: states[state] for state in get_args(RolloutState)}
        active = Counter(job.state for job in await store.jobs(active=True, limit=MANY))
        jobs = {state: active[state] for state in get_args(JobState) if state not in JOB_ENDED}
        work = tuple(lease for lease in await store.leases() if lease.name in WORK)
        webhooks = await store.webhooks()
    told = Counter(webhook.state for webhook in webhooks)
    return StoreFigures(
        revision=revision,
        rollouts=rollouts,
        jobs=jobs,
        work=work,
        webhooks={state: told[state] for state in WEBHOOK_STATES},
        n_given_up=sum(webhook.n_given_up for webhook in webhooks),
    )
