"""Gates, and what they said of versions. To let them judge is a job."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from promptyard.line.gating import NamedGate
from promptyard.line.gating import list_gates as all_gates
from promptyard.line.prompt_log import VersionVerdict, version_verdict
from promptyard.service.access import needs
from promptyard.service.acts import store_of
from promptyard.service.pages import TAGGED, Cursor, JsonAnswer, Limit, Page, slice_of, tagged
from promptyard.service.parameters import PromptName, VersionReference
from promptyard.service.paths import API
from promptyard.service.requests import ServiceRoute

router = APIRouter(
    prefix=API, tags=["gates"], route_class=ServiceRoute, default_response_class=JsonAnswer
)


@router.get("/gates", **needs("read"))
async def list_gates(cursor: Cursor = None, limit: Limit = 100) -> Page[NamedGate]:
    """List the gates, in the order in which they judge."""
    return slice_of(all_gates(), cursor, limit)


@router.get(
    "/prompts/{name}/versions/{reference}/verdict",
    response_model=VersionVerdict,
    responses=TAGGED,
    **needs("read"),
)
async def show_verdict(request: Request, name: PromptName, reference: VersionReference) -> Response:
    """Show what was said of a version when its run ended. It is stored: nothing is judged anew."""
    return tagged(request, await version_verdict(store_of(request), name, reference))
