"""Long work: evals, searches and gates that run in the background of the service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from promptyard.line.jobs import cancel_job as cancel
from promptyard.line.jobs import list_jobs as jobs_of
from promptyard.line.jobs import order_job as order_of
from promptyard.line.jobs import show_job
from promptyard.records.jobs import Job, JobOrder
from promptyard.service.access import STREAMS, caller_of, needs
from promptyard.service.acts import actor_of, store_of
from promptyard.service.pages import (
    TAGGED,
    Cursor,
    JsonAnswer,
    Limit,
    Page,
    page_of,
    place_of,
    tagged,
)
from promptyard.service.paths import API
from promptyard.service.problems import NOT_FOUND
from promptyard.service.requests import ServiceRoute
from promptyard.service.state import ServiceState, state_of
from promptyard.service.streams import HEARTBEAT_S, ServerEvent, event_stream

router = APIRouter(
    prefix=f"{API}/jobs", tags=["jobs"], route_class=ServiceRoute, default_response_class=JsonAnswer
)

FOLLOW_S = 0.3
"""How often a job that is followed is read: another replica may run it."""
JobId = Annotated[
    str, Path(max_length=100, description="The job's id.", examples=["j-20261127-100000-0a1b2c3d"])
]


@router.post("", status_code=202, **needs("write"))
async def order_job(request: Request, response: Response, order: JobOrder) -> Job:
    """Order an eval, a search or a gate; it runs when a replica has room.

    Work with models that cost money needs a budget, of the order or of the task. A gate is ordered
    with `write`: it judges, and moves nothing.
    """
    state = state_of(request)
    job = await order_of(state.store, state.settings.tasks, order, by=actor_of(request))
    request.state.audit = {"job": job.id, "kind": job.kind, "task": job.task}
    state.jobs.look()
    response.headers["Location"] = f"{API}/jobs/{job.id}"
    return job


@router.get("", responses=NOT_FOUND, **needs("read"))
async def list_jobs(
    request: Request,
    limit: Limit = 100,
    cursor: Cursor = None,
    active: Annotated[bool, Query(description="Only jobs that have not ended.")] = False,
) -> Page[Job]:
    """List jobs, newest first, without their results."""
    before = place_of(cursor, str)
    found = await jobs_of(store_of(request), active=active, before=before, limit=limit + 1)
    return page_of(found, limit, lambda job: job.id)


@router.get("/{job_id}", response_model=Job, **needs("write"), responses=TAGGED)
async def read_job(request: Request, job_id: JobId) -> Response:
    """Read a job, its result among it."""
    return tagged(request, await show_job(store_of(request), job_id))


@router.post("/{job_id}/cancel", **needs("write"))
async def cancel_job(request: Request, job_id: JobId) -> Job:
    """Call a job off: one that waits ends now, one that runs within seconds (`cancelling`)."""
    state = state_of(request)
    job = await cancel(state.store, job_id)
    state.jobs.look()
    return job


@router.get(
    "/{job_id}/events",
    response_class=StreamingResponse,
    **needs("read", **STREAMS),
)
async def follow_job(
    request: Request,
    job_id: JobId,
    last_event_id: Annotated[
        str | None, Header(max_length=20, description="Where an earlier stream broke off.")
    ] = None,
) -> StreamingResponse:
    """Follow a job: an event `job` at each change of its state or progress, `end` at its end.

    An event holds the job as it is then, without its result; what changed in between is not told.
    """
    state = state_of(request)
    await show_job(state.store, job_id)
    seen = int(last_event_id) if last_event_id and last_event_id.isdecimal() else -1
    admitted = partial(state.access.still_admits, caller_of(request))
    return event_stream(_changes(state, job_id, seen), state.stopping, admitted)


async def _changes(
    state: ServiceState, job_id: str, seen: int
) -> AsyncGenerator[ServerEvent | None]:
    quiet_s = 0.0
    while not state.stopping.is_set():
        job = await show_job(state.store, job_id)
        data = job.model_copy(update={"result": None}).model_dump(mode="json")
        if job.has_ended:
            yield ServerEvent("end", data, str(job.change))
            return
        if job.change > seen:
            seen, quiet_s = job.change, 0.0
            yield ServerEvent("job", data, str(job.change))
        elif quiet_s >= HEARTBEAT_S:
            quiet_s = 0.0
            yield None
        quiet_s += FOLLOW_S
        await asyncio.sleep(FOLLOW_S)
