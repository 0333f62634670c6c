"""Tasks: the folders that jobs may run, what each measures, and their cases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from promptyard.line import task_reading
from promptyard.line.case_files import Change
from promptyard.line.check import TaskCheck
from promptyard.line.sent_cases import add_sent_cases, add_sent_lines, retire_named_cases
from promptyard.line.task_folders import task_folder_named
from promptyard.line.task_reading import TaskAbout, TaskRow
from promptyard.records.base import Json, Record
from promptyard.records.cases import SplitName
from promptyard.service.access import needs
from promptyard.service.acts import actor_of, store_of
from promptyard.service.pages import TAGGED, Cursor, JsonAnswer, Limit, Page, slice_of, tagged
from promptyard.service.parameters import MAX_NAME, MAX_REASON, NAME_PATTERN
from promptyard.service.paths import API
from promptyard.service.problems import RequestRefused, refusals
from promptyard.service.requests import ServiceRoute
from promptyard.service.state import state_of

router = APIRouter(
    prefix=f"{API}/tasks",
    tags=["tasks"],
    route_class=ServiceRoute,
    default_response_class=JsonAnswer,
)

TaskName: TypeAlias = Annotated[
    str,
    Path(
        min_length=1,
        max_length=MAX_NAME,
        pattern=NAME_PATTERN,
        description="The task's folder, as the list of tasks names it.",
        examples=["support-tickets"],
    ),
]
_Word: TypeAlias = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
LINE_TYPES = ("application/x-ndjson", "application/jsonl")
_EXPORT_TYPES = {"jsonl": LINE_TYPES[0], "csv": "text/csv", "promptfoo": "application/yaml"}
_EXPORTED: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {kind: {"schema": {"type": "string"}} for kind in _EXPORT_TYPES.values()},
        "description": "The file.",
        "headers": {
            "X-Promptyard-Notes": {
                "description": "What the format cannot say, percent-encoded.",
                "schema": {"type": "string"},
            }
        },
    }
}
_LINES = needs(
    "write",
    requestBody={
        "required": True,
        "description": "A case as JSON a line; `Content-Encoding: gzip` is understood.",
        "content": {kind: {"schema": {"type": "string"}} for kind in LINE_TYPES},
    },
)


class NewCases(Record):
    """Cases that are to be added."""

    rows: tuple[Mapping[str, Json], ...] = Field(
        min_length=1,
        max_length=10_000,
        description="Rows as in a case file, without checks of their own; images are URLs.",
        examples=[[{"input": {"ticket": "..."}, "expected": "refund"}]],
    )
    split: SplitName | None = Field(
        default=None, description="The split of the rows that give none; left out, by hash."
    )
    tags: tuple[_Word, ...] = Field(
        default=(), max_length=50, description="Tags that all of them get."
    )
    into: _Word | None = Field(
        default=None, description="The case file, where the task has several: its name."
    )
    force: bool = Field(
        default=False, description="Add rows whose input the eval set has already, too."
    )


class Retirement(Record):
    """Cases that are to be taken out of use."""

    case_ids: tuple[_Word, ...] = Field(
        min_length=1, max_length=10_000, description="Ids of the cases."
    )
    reason: str = Field(
        min_length=1, max_length=MAX_REASON, description="Why; it stays with the case."
    )


@router.get("", **needs("read"))
async def list_tasks(request: Request, cursor: Cursor = None, limit: Limit = 100) -> Page[TaskRow]:
    """List the tasks of this service, by folder."""
    found = await task_reading.list_tasks(state_of(request).settings.tasks)
    return slice_of(found, cursor, limit)


@router.get("/{task}", response_model=TaskAbout, responses=TAGGED, **needs("read"))
async def show_task(request: Request, task: TaskName) -> Response:
    """Show what a task measures, on which cases, and what a gate asks of it."""
    return tagged(request, await task_reading.show_task(state_of(request).settings.tasks, task))


@router.get("/{task}/check", response_model=TaskCheck, responses=TAGGED, **needs("read"))
async def check_task(request: Request, task: TaskName) -> Response:
    """Check a task's names, cases and statistical power. Costs no call to a model."""
    return tagged(request, await task_reading.check_task(state_of(request).settings.tasks, task))


@router.get(
    "/{task}/export",
    response_class=Response,
    responses={**refusals(404), **_EXPORTED},
    **needs("write"),
)
async def export_cases(
    request: Request,
    task: TaskName,
    format: Annotated[
        Literal["jsonl", "csv", "promptfoo"], Query(description="As what it is written.")
    ] = "jsonl",
) -> Response:
    """Write the eval set of a task as a file: all its cases, those of the holdout among them."""
    exported = await task_reading.export_cases(state_of(request).settings.tasks, task, format)
    headers = {"X-Promptyard-Notes": quote("; ".join(exported.notes)[:2_000])}
    return Response(exported.text, media_type=_EXPORT_TYPES[format], headers=headers)


@router.post("/{task}/cases/import", status_code=201, responses=refusals(404, 409), **_LINES)
async def import_cases(
    request: Request,
    task: TaskName,
    into: Annotated[
        _Word | None, Query(description="The case file, where the task has several: its name.")
    ] = None,
    force: Annotated[
        bool, Query(description="Add rows whose input the eval set has already, too.")
    ] = False,
) -> Change:
    """Append the cases of a JSONL file, as an export writes it, to the task's files: all or none.

    Checks of their own and images that are files are refused, as where rows are sent.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in LINE_TYPES:
        detail = f"the body is {LINE_TYPES[0]}; the Content-Type is {kind[:100] or 'missing'!a}"
        raise RequestRefused(415, "media-type", detail)
    actor_of(request, into=into)
    folder = task_folder_named(state_of(request).settings.tasks, task)
    content = await request.body()
    return await add_sent_lines(folder, content, into=into, force=force, store=store_of(request))


@router.post("/{task}/cases", status_code=201, **needs("write"))
async def add_cases(request: Request, task: TaskName, body: NewCases) -> Change:
    """Append cases to the task's files and record the version that they make: all or none."""
    actor_of(request, n_rows=len(body.rows))
    return await add_sent_cases(
        task_folder_named(state_of(request).settings.tasks, task),
        body.rows,
        split=body.split,
        tags=body.tags,
        into=body.into,
        force=body.force,
        store=store_of(request),
    )


@router.post("/{task}/cases/retire", **needs("write"))
async def retire_cases(request: Request, task: TaskName, body: Retirement) -> Change:
    """Take cases out of use: their rows stay, with the reason, and no run takes them any more."""
    actor_of(request, n_cases=len(body.case_ids), reason=body.reason)
    return await retire_named_cases(
        task_folder_named(state_of(request).settings.tasks, task),
        body.case_ids,
        reason=body.reason,
        store=store_of(request),
    )
