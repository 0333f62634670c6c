"""Runs jobs: takes those that wait, each in a process of its own, and says how they stand.

All replicas take from one store, by compare-and-set. A job that runs belongs to its replica by the
lease `job:<id>`; where that has run out the replica is gone, and any other says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from promptyard.config.service_shape import ServiceConfig
from promptyard.errors import Conflict, PromptyardError, StorageError
from promptyard.line.jobs import MAX_WAITING, change_job, changed, ended, now_text
from promptyard.line.task_folders import task_folder_named
from promptyard.protocols import Store
from promptyard.records.jobs import JOB_ORDERS, Job, JobState
from promptyard.service.http_words import http_line
from promptyard.service.job_child import JobChild
from promptyard.service.job_messages import INTERRUPTED, JobSpec

POLL_S = 1.0
"""How often jobs that wait are looked for; one ordered here is seen at once."""
FOLLOW_S = 0.3
"""How often a running job is looked after."""
LEASE_S = 15.0
END_TRIES_S = 600.0
"""How long a store that fails is waited for with the end of a job."""
GRACE_S = 6.0
"""How long a job may take to stop before it is killed; less than the service has for its end."""

log = logging.getLogger("promptyard.service")


class Jobs:
    """The jobs that one replica runs."""

    def __init__(
        self, store: Store, settings: ServiceConfig, replica: str, stopping: asyncio.Event
    ) -> None:
        self._store = store
        self._settings = settings
        self._replica = replica
        self._stopping = stopping
        self._ending = False
        self._hurry = asyncio.Event()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._children: dict[str, JobChild] = {}
        self._swept_s = float("-inf")

    def look(self) -> None:
        """Look now: a job was ordered or called off."""
        self._hurry.set()

    def processes(self) -> dict[str, int]:
        """Return the processes of the jobs that run here, by the job's id."""
        found = {job_id: child.pid for job_id, child in self._children.items()}
        return {job_id: pid for job_id, pid in found.items() if pid is not None}

    async def run(self) -> None:
        """Take jobs and run them until cancelled or the service ends; then interrupt them."""
        try:
            while not self._stopping.is_set():
                self._hurry.clear()
                try:
                    await self._sweep()
                    await self._take()
                except PromptyardError as error:
                    log.warning("jobs could not be looked at: %s", error)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._hurry.wait(), POLL_S)
        finally:
            self._ending = True
            # Whoever cannot wait so long must kill us: each job is to be marked.
            while self._running:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait(self._running.values())

    @property
    def _must_end(self) -> bool:
        return self._ending or self._stopping.is_set()

    async def _take(self) -> None:
        """Take the oldest jobs that wait, as many as there is room for."""
        free = self._settings.jobs - len(self._running)
        if free <= 0 or self._settings.tasks is None:
            return
        active = await self._store.jobs(active=True, limit=2 * MAX_WAITING)
        waiting = [job for job in reversed(active) if job.state == "queued"]
        for job in waiting:
            if free <= 0:
                return
            if await self._store.take_lease(_lease(job), self._replica, for_s=LEASE_S) is None:
                continue
            mine = changed(job, state="running", owner=self._replica, started_at=now_text())
            try:
                mine = await self._store.save_job(mine)
            except Conflict:
                await self._store.forget_lease(_lease(job), self._replica)
                continue
            free -= 1
            task = asyncio.create_task(self._work(mine), name=f"job {job.id}")
            self._running[job.id] = task
            task.add_done_callback(lambda _, job_id=job.id: self._done(job_id))

    def _done(self, job_id: str) -> None:
        self._running.pop(job_id, None)
        self._children.pop(job_id, None)
        self._hurry.set()

    async def _sweep(self) -> None:
        """Say of jobs whose replica is gone that they were interrupted."""
        if time.monotonic() - self._swept_s < LEASE_S / 3:
            return
        for job in await self._store.jobs(active=True, limit=2 * MAX_WAITING):
            if job.state == "queued" or job.id in self._running:
                continue
            if await self._store.take_lease(_lease(job), self._replica, for_s=LEASE_S) is None:
                continue
            log.warning("job %s: its replica %s is gone", job.id, job.owner)
            await self._end(job, "interrupted", "the replica that ran it is gone")
        self._swept_s = time.monotonic()

    async def _work(self, job: Job) -> None:
        """Run one job that is ours until it has ended, whatever happens."""
        watched = _Watched(self._store, job, self._replica, lambda: self._must_end)
        self._children[job.id] = watched.child
        try:
            folder = task_folder_named(self._settings.tasks, job.task)
            order = JOB_ORDERS.validate_python(
                {"kind": job.kind, "task": job.task, "options": job.options}
            )
            spec = JobSpec(
                store=self._store.connect_url, task=str(folder), order=order, lease_s=LEASE_S
            )
            state, error = await watched.run(spec)
        except PromptyardError as failure:
            state, error = "failed", http_line(failure)
        except Exception:
            log.exception("job %s could not be run", job.id)
            state, error = "failed", "the service failed; its log has the reason"
        await self._end_surely(job, state, error, watched.child)

    async def _end_surely(self, job: Job, state: JobState, error: str, child: JobChild) -> None:
        """Write how a job ended, again and again while the store fails: its result was paid for.

        Given up when the service ends or after `END_TRIES_S`; then another replica says that this
        one is gone.
        """
        until_s = time.monotonic() + END_TRIES_S
        while True:
            try:
                return await self._end(job, state, error, child)
            except PromptyardError as failure:
                log.warning("job %s: how it ended could not be stored: %s", job.id, failure)
                if self._must_end or time.monotonic() > until_s:
                    return None
            with contextlib.suppress(PromptyardError):  # tried again with the end itself
                await self._store.take_lease(_lease(job), self._replica, for_s=LEASE_S)
            await asyncio.sleep(POLL_S)

    async def _end(
        self, job: Job, state: JobState, error: str, child: JobChild | None = None
    ) -> None:
        """Write how a job ended, and of its run that it stands; neither where another replica has.

        Such a run may have been taken up since, and be at work.
        """
        is_ours = False

        def after(now: Job) -> Job | None:
            nonlocal is_ours
            is_ours = not now.has_ended and now.owner == job.owner
            if not is_ours:
                return None
            final = state
            if now.state == "cancelling" and state != "done":
                final = "cancelled"
            closed = ended(now, final, "" if final == "cancelled" else error)
            if child is None:
                return closed
            result = child.finished.result if child.finished else None
            return changed(
                closed,
                run_id=child.run_id or now.run_id,
                progress=child.progress or now.progress,
                result=result,
            )

        now = await change_job(self._store, job.id, after)
        if is_ours and now.run_id is not None and now.state != "done":
            with contextlib.suppress(StorageError):  # it has finished, or was marked by its process
                await self._store.set_run_status(now.run_id, "interrupted")
        await self._store.forget_lease(_lease(job), self._replica)


class _Watched:
    """A job's process, looked after: its progress stored, its lease renewed, ended when asked."""

    def __init__(self, store: Store, job: Job, replica: str, must_end: Callable[[], bool]) -> None:
        self.child = JobChild()
        self._store = store
        self._job = job
        self._replica = replica
        self._must_end = must_end
        self._renewed_s = time.monotonic()
        self._asked_s: float | None = None
        self._why = ""

    async def run(self, spec: JobSpec) -> tuple[JobState, str]:
        """Run the process to its end; returns how the job ended and a line about it."""
        await self.child.start(spec)
        try:
            while not await self.child.wait(FOLLOW_S):
                await self._look_after()
        finally:
            self.child.kill()
        return self._outcome()

    def _outcome(self) -> tuple[JobState, str]:
        child = self.child
        if child.finished is not None:
            return "done", ""
        if self._why:
            return "interrupted", self._why
        if child.error:
            return "failed", child.error
        if (child.code or 0) < 0 or child.code == INTERRUPTED:
            return "interrupted", child.end_said()
        return "failed", child.end_said()

    async def _look_after(self) -> None:
        try:
            await self._renew()
            await self._tell()
        except PromptyardError as error:
            log.warning("job %s: the store failed: %s", self._job.id, error)
        now_s = time.monotonic()
        if not self._why:
            if self._must_end():
                self._why = "the service ended"
            elif now_s - self._renewed_s > LEASE_S:
                self._why = "its lease was lost"
            elif self._job.state != "running":
                self._why = f"it is {self._job.state}"
        if self._why and self._asked_s is None:
            self._asked_s = now_s
            self.child.interrupt()
        elif self._asked_s is not None and now_s - self._asked_s > GRACE_S:
            self.child.kill()

    async def _renew(self) -> None:
        if time.monotonic() - self._renewed_s < LEASE_S / 3:
            return
        if await self._store.take_lease(_lease(self._job), self._replica, for_s=LEASE_S) is None:
            self._why = self._why or "its lease was lost"
        else:
            self._renewed_s = time.monotonic()
            self.child.renew()

    async def _tell(self) -> None:
        """Store how far it is where that is news; and see what others made of the job."""
        child = self.child

        def news(now: Job) -> Job | None:
            known = (now.run_id, now.progress)
            told = (child.run_id, child.progress)
            if now.state != "running" or now.owner != self._replica or told == known:
                return None
            return changed(now, run_id=child.run_id, progress=child.progress)

        self._job = await change_job(self._store, self._job.id, news)


def _lease(job: Job) -> str:
    return f"job:{job.id}"
