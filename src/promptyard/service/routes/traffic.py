"""What traffic came to by hours, whether it is deleted already or still there."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from promptyard.line.traffic import list_traffic
from promptyard.records.traffic import TrafficRow
from promptyard.service.access import needs
from promptyard.service.pages import Cursor, Limit, Page, slice_of
from promptyard.service.problems import refusals
from promptyard.service.requests import ServiceRoute
from promptyard.service.state import state_of

router = APIRouter(prefix="/api/v1/traffic", tags=["traffic"], route_class=ServiceRoute)

PromptName = Annotated[
    str,
    Query(
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="A prompt; empty for spans that name no version of the registry.",
    ),
]
Since = Annotated[
    str | None,
    Query(max_length=40, description="From when, ISO 8601; by default 24 hours before `until`."),
]
Until = Annotated[
    str | None, Query(max_length=40, description="Up to when, ISO 8601; by default now.")
]


@router.get("", **needs("read"), responses=refusals(400, 409))
async def read_traffic(
    request: Request,
    prompt: PromptName,
    since: Since = None,
    until: Until = None,
    cursor: Cursor = None,
    limit: Limit = 1_000,
) -> Page[TrafficRow]:
    """Return totals by hour, version and arm, at most 31 days of them; each outcome counts once."""
    rows = await list_traffic(state_of(request).store, prompt, since=since, until=until)
    return slice_of(rows, cursor, limit)
