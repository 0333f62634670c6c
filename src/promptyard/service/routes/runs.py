"""Runs: what was measured and searched, how it went, what was asked and answered."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import APIRouter, Path, Query, Request, Response

from promptyard.line import run_reading
from promptyard.line.query import show_run
from promptyard.line.run_comparison import RunComparison
from promptyard.line.run_comparison import compare_runs as compared
from promptyard.line.run_log import run_calls, run_events
from promptyard.line.run_reading import CallRow, RunAbout, RunRow
from promptyard.records.calls import StoredCall
from promptyard.records.events import LoggedEvent
from promptyard.records.messages import CallRole
from promptyard.records.runs import Run
from promptyard.records.scores import Trial
from promptyard.service.access import needs
from promptyard.service.acts import store_of
from promptyard.service.pages import (
    TAGGED,
    Cursor,
    JsonAnswer,
    Limit,
    Page,
    number_of,
    page_of,
    part_of,
    place_of,
    tagged,
)
from promptyard.service.parameters import MAX_NAME, NAME_PATTERN
from promptyard.service.paths import API
from promptyard.service.problems import NOT_FOUND
from promptyard.service.requests import ServiceRoute

router = APIRouter(
    prefix=f"{API}/runs",
    tags=["runs"],
    route_class=ServiceRoute,
    default_response_class=JsonAnswer,
)

RunId: TypeAlias = Annotated[
    str,
    Path(
        min_length=1,
        max_length=MAX_NAME,
        pattern=NAME_PATTERN,
        description="The run's id.",
        examples=["20261127-100000-0a1b2c"],
    ),
]
TaskFilter: TypeAlias = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=MAX_NAME,
        pattern=NAME_PATTERN,
        description="Only those of the task of this name.",
    ),
]
RoleFilter: TypeAlias = Annotated[
    CallRole | None, Query(description="Only what this role asked: task, optimizer or judge.")
]
FewBodies: TypeAlias = Annotated[
    int, Query(ge=1, le=100, description="How many items at most; bodies are long.")
]


@router.get("", responses=NOT_FOUND, **needs("read"))
async def list_runs(
    request: Request, task: TaskFilter = None, cursor: Cursor = None, limit: Limit = 100
) -> Page[RunRow]:
    """List runs, newest first."""
    before = place_of(cursor, str)
    found = await run_reading.run_rows(store_of(request), task=task, before=before, limit=limit + 1)
    return page_of(found, limit, lambda row: row.id)


@router.get("/{run_id}", response_model=RunAbout, responses=TAGGED, **needs("read"))
async def show_run_summary(request: Request, run_id: RunId) -> Response:
    """Show how a run was started, how it stands and what its reports came to."""
    return tagged(request, await run_reading.run_about(store_of(request), run_id))


@router.get("/{run_id}/result", response_model=Run, responses=TAGGED, **needs("write"))
async def show_run_result(request: Request, run_id: RunId) -> Response:
    """Show the whole result of a finished search, its decision case by case among it."""
    return tagged(request, await show_run(store_of(request), run_id))


@router.get("/{run_id}/events", **needs("write"))
async def list_run_events(
    request: Request, run_id: RunId, cursor: Cursor = None, limit: Limit = 100
) -> Page[LoggedEvent]:
    """List what happened in a run, oldest first, also of one that has not ended."""
    after = number_of(cursor) or 0
    found = [item for item in await run_events(store_of(request), run_id) if item.seq > after]
    return page_of(found[: limit + 1], limit, lambda item: item.seq)


@router.get("/{run_id}/reports/{number}/trials", **needs("write"))
async def list_trials(
    request: Request,
    run_id: RunId,
    number: Annotated[
        int, Path(ge=1, le=100_000, description="The number of the report.", examples=[1])
    ],
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[Trial]:
    """List the trials of a report: each case with its answer, scores and cost."""
    start = number_of(cursor) or 0
    found = await run_reading.run_trials(
        store_of(request), run_id, number, offset=start, limit=limit + 1
    )
    return part_of(found, start, limit)


@router.get("/{run_id}/calls", **needs("read"))
async def list_calls(
    request: Request,
    run_id: RunId,
    role: RoleFilter = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[CallRow]:
    """List the attempts of a run to reach its models, as started, without their bodies."""
    start = number_of(cursor) or 0
    found = await run_reading.call_rows(
        store_of(request), run_id, role, limit=limit + 1, offset=start
    )
    return part_of(found, start, limit)


@router.get("/{run_id}/requests", **needs("write"))
async def list_requests(
    request: Request,
    run_id: RunId,
    role: RoleFilter = None,
    cursor: Cursor = None,
    limit: FewBodies = 20,
) -> Page[StoredCall]:
    """List the attempts of a run with the exact bodies that were sent and what came back.

    They hold what cases and models say in full, meta-prompts and the judge's instructions too: who
    may only read is not shown them.
    """
    start = number_of(cursor) or 0
    found = await run_calls(store_of(request), run_id, role, limit=limit + 1, offset=start)
    return part_of(found, start, limit)


@router.get("/{run_id}/comparison", response_model=RunComparison, responses=TAGGED, **needs("read"))
async def compare_runs(
    request: Request,
    run_id: RunId,
    baseline: Annotated[
        str,
        Query(
            min_length=1,
            max_length=MAX_NAME,
            pattern=NAME_PATTERN,
            description="The id of the eval to compare with.",
        ),
    ],
) -> Response:
    """Compare an eval with an earlier one of the same task and split, on the cases of both."""
    return tagged(request, await compared(store_of(request), run_id, baseline))
