"""Takes the live events of applications: exposures, outcomes, feedback."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from promptyard.line.take_events import TakenEvents, take_events
from promptyard.service.access import needs
from promptyard.service.paths import API
from promptyard.service.problems import RequestRefused
from promptyard.service.requests import ServiceRoute
from promptyard.service.state import state_of

MEDIA_TYPES = ("application/x-ndjson", "application/jsonl")

router = APIRouter(prefix=f"{API}/events", tags=["events"], route_class=ServiceRoute)

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One LiveEvent as JSON a line; `Content-Encoding: gzip` is understood.",
        "content": {kind: {"schema": {"type": "string"}} for kind in MEDIA_TYPES},
    }
}
_NEEDS = needs("report")
_NEEDS["openapi_extra"] = {**_NEEDS["openapi_extra"], **_BODY}


@router.post("", **_NEEDS)
async def report_events(request: Request) -> TakenEvents:
    """Store live events; answered when they are committed. One that is sent again counts once.

    Lines that are no events are counted and answered with the reason; the others are stored.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in MEDIA_TYPES:
        detail = f"the body is {MEDIA_TYPES[0]}; the Content-Type is {kind[:100] or 'missing'!r}"
        raise RequestRefused(415, "media-type", detail)
    state = state_of(request)
    taken = await take_events(state.store, await request.body())
    state.counts.events += taken.n_new
    state.counts.rejected += taken.n_rejected
    return taken
