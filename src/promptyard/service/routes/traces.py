"""Traces: what applications' telemetry says of their work, and of ours in it."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import APIRouter, Path, Query, Request, Response

from promptyard.line import trace_reading
from promptyard.line.trace_reading import Trace, TraceRow
from promptyard.records.spans import StoredSpan
from promptyard.service.access import needs
from promptyard.service.acts import store_of
from promptyard.service.pages import (
    TAGGED,
    Cursor,
    JsonAnswer,
    Limit,
    Page,
    cursor_of,
    number_of,
    page_of,
    tagged,
)
from promptyard.service.parameters import LARGEST, PromptFilter
from promptyard.service.paths import API
from promptyard.service.requests import ServiceRoute

router = APIRouter(
    prefix=API, tags=["traces"], route_class=ServiceRoute, default_response_class=JsonAnswer
)

VersionFilter: TypeAlias = Annotated[
    int | None, Query(ge=1, le=LARGEST, description="Only those of this version of the prompt.")
]
OnlyErrors: TypeAlias = Annotated[bool, Query(description="Only those that ended in an error.")]
FewTraces: TypeAlias = Annotated[int, Query(ge=1, le=200, description="How many items at most.")]


@router.get("/traces", **needs("read"))
async def list_traces(
    request: Request,
    prompt: PromptFilter = None,
    version: VersionFilter = None,
    errors: OnlyErrors = False,
    cursor: Cursor = None,
    limit: FewTraces = 50,
) -> Page[TraceRow]:
    """List traces, newest first. A page may be short, or empty, and yet have a next one."""
    found = await trace_reading.list_traces(
        store_of(request),
        prompt=prompt,
        version=version,
        only_errors=errors,
        before=number_of(cursor),
        limit=limit,
    )
    following = None if found.before is None else cursor_of(found.before)
    return Page(items=found.traces, next=following)


@router.get("/traces/{trace_id}", response_model=Trace, responses=TAGGED, **needs("write"))
async def show_trace(
    request: Request,
    trace_id: Annotated[
        str,
        Path(
            pattern=r"^[0-9a-f]{32}$",
            description="The trace's id: 32 hex digits.",
            examples=["4bf92f3577b34da6a3ce929d0e0e4736"],
        ),
    ],
) -> Response:
    """Show a trace: its spans, by their start."""
    return tagged(request, await trace_reading.show_trace(store_of(request), trace_id))


@router.get("/spans", **needs("write"))
async def list_spans(
    request: Request,
    prompt: PromptFilter = None,
    version: VersionFilter = None,
    errors: OnlyErrors = False,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[StoredSpan]:
    """List spans, newest first."""
    found = await trace_reading.list_spans(
        store_of(request),
        prompt=prompt,
        version=version,
        only_errors=errors,
        before=number_of(cursor),
        limit=limit + 1,
    )
    return page_of(found, limit, lambda item: item.seq)
