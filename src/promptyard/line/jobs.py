"""Orders long work, follows it and calls it off. Who runs it is another's business."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from promptyard.errors import ConfigError, Conflict
from promptyard.line.job_admission import require_doable
from promptyard.line.query import StoreOrUrl, opened
from promptyard.line.task import load_task
from promptyard.line.task_folders import task_folder_named
from promptyard.protocols import Store
from promptyard.records.jobs import Job, JobOrder, JobState, OptimizeOptions

MAX_WAITING = 1_000
"""How many jobs may wait or run at once: more would never be looked at."""


async def order_job(url: StoreOrUrl, tasks: str | None, order: JobOrder, *, by: str) -> Job:
    """Check an order and store it as a job that waits; whoever has a place runs it.

    Work with models that cost money needs a budget, of the order or of the task, that limits task
    calls, tokens, USD or seconds. `resume: true` becomes the id of the run that is meant. Raises
    NotFound for an unknown task, run or version, ConfigError for a task that cannot be read or has
    no budget, Conflict where `MAX_WAITING` jobs have not ended, and all else that would keep the
    work from its first call (`require_doable`).
    """
    folder = task_folder_named(tasks, order.task)
    async with opened(url) as store:
        if store.connect_url == ":memory:":
            raise ConfigError("a store in memory has no room for jobs, which run beside it")
        header = await require_doable(store, await asyncio.to_thread(load_task, folder), order)
        options = order.options
        if isinstance(options, OptimizeOptions) and options.resume:
            options = options.model_copy(update={"resume": header.id})
        if len(await store.jobs(active=True, limit=MAX_WAITING)) >= MAX_WAITING:
            raise Conflict(f"{MAX_WAITING:,} jobs wait already; cancel some, or wait")
        job = Job(
            id=f"j-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}",
            kind=order.kind,
            task=order.task,
            options=options.model_dump(mode="json", exclude_defaults=True),
            requested_by=by,
            created_at=now_text(),
        )
        return await store.add_job(job)


async def list_jobs(
    url: StoreOrUrl, *, active: bool = False, before: str | None = None, limit: int = 100
) -> Sequence[Job]:
    """List jobs, newest first, without their results. Raises NotFound for an unknown `before`."""
    async with opened(url) as store:
        found = await store.jobs(active=active, before=before, limit=limit)
        return [job.model_copy(update={"result": None}) for job in found]


async def show_job(url: StoreOrUrl, job_id: str) -> Job:
    """Return a job with its result. Raises NotFound."""
    async with opened(url) as store:
        return await store.job(job_id)


async def cancel_job(url: StoreOrUrl, job_id: str) -> Job:
    """Call a job off: one that waits ends now, one that runs as soon as its process has ended.

    Calling it off again changes nothing. Raises NotFound, Conflict for a job that has ended.
    """

    def cancelled(job: Job) -> Job | None:
        if job.has_ended:
            raise Conflict(f"the job '{job_id}' has ended already: it is {job.state}")
        if job.state == "queued":
            return ended(job, "cancelled")
        return None if job.state == "cancelling" else changed(job, state="cancelling")

    async with opened(url) as store:
        return await change_job(store, job_id, cancelled)


async def change_job(store: Store, job_id: str, change: Callable[[Job], Job | None]) -> Job:
    """Change a job as it is now, by compare-and-set; None of `change` leaves it as it is."""
    while True:
        job = await store.job(job_id)
        after = change(job)
        if after is None:
            return job
        try:
            return await store.save_job(after)
        except Conflict:
            continue  # somebody was faster; each of us gets its turn


def changed(job: Job, **changes: object) -> Job:
    """Return a job with other values."""
    return job.model_copy(update=changes)


def ended(job: Job, state: JobState, error: str = "") -> Job:
    """Return a job as it is once it has ended."""
    return changed(job, state=state, error=error, ended_at=now_text())


def now_text() -> str:
    """Return the time, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
