"""The manifest, out of which clients resolve prompts, and the word that there is another one."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncGenerator
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from promptyard.records.manifest import Manifest
from promptyard.service.access import STREAMS, caller_of, needs
from promptyard.service.manifest import ManifestBoard
from promptyard.service.paths import API
from promptyard.service.problems import RequestRefused
from promptyard.service.requests import ServiceRoute
from promptyard.service.state import state_of
from promptyard.service.streams import HEARTBEAT_S, ServerEvent, event_stream

STREAM_S = 3600.0
"""After so long a stream ends, and its client comes again: its key is looked at anew."""

router = APIRouter(prefix=f"{API}/manifest", tags=["manifest"], route_class=ServiceRoute)

_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": Manifest, "description": "The manifest, with its ETag."},
    304: {"description": "The caller has it already: `If-None-Match` names it."},
}
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"text/event-stream": {}},
        "description": "An event `manifest` with revision and etag, at once and at each change.",
    }
}


@router.get("", **needs("read"), response_class=Response, responses=_ANSWERS)
async def get_manifest(request: Request) -> Response:
    """Return the manifest: what pointers and running rollouts refer to, as clients read it."""
    board = state_of(request).manifest
    served = await board.get()
    if served is None:
        detail = board.trouble or "the manifest has not been built yet"
        raise RequestRefused(503, "no-manifest", detail, retry_after_s=1)
    headers = {"ETag": served.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if _has_it(request.headers.get("if-none-match", ""), served.etag):
        return Response(status_code=304, headers=headers)
    content = served.content
    if served.compressed is not None and _takes_gzip(request.headers.get("accept-encoding", "")):
        content = served.compressed
        headers["Content-Encoding"] = "gzip"
    return Response(content, media_type="application/json", headers=headers)


@router.get(
    "/events", **needs("read", **STREAMS), response_class=StreamingResponse, responses=_EVENTS
)
async def watch_manifest(request: Request) -> StreamingResponse:
    """Say when there is another manifest, until either side ends it."""
    state = state_of(request)
    admitted = partial(state.access.still_admits, caller_of(request))
    return event_stream(_events(state.manifest), state.stopping, admitted)


async def _events(board: ManifestBoard) -> AsyncGenerator[ServerEvent | None]:
    # Not all at once: who came together should not come again together.
    end_s = time.monotonic() + STREAM_S * random.uniform(0.8, 1.0)
    seen = ""
    while time.monotonic() < end_s:
        served = await board.wait(seen, timeout_s=HEARTBEAT_S)
        if served is None or served.etag == seen:
            yield None
            continue
        seen = served.etag
        data = {"revision": served.revision, "etag": served.etag}
        yield ServerEvent("manifest", data, id=str(served.revision))


def _has_it(header: str, etag: str) -> bool:
    """Whether If-None-Match names this manifest; compared weakly, as RFC 9110 (13.1.2) says."""
    names = [item.strip().removeprefix("W/") for item in header.split(",")]
    return etag.removeprefix("W/") in names or names == ["*"]


def _takes_gzip(header: str) -> bool:
    """Whether Accept-Encoding names gzip, and not with weight 0."""
    for item in header.lower().split(","):
        coding, _, weight = item.partition(";")
        if coding.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
