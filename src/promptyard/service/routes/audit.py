"""The audit log: what was asked for, by whom, and how it ended."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from promptyard.line.api_keys import list_audit
from promptyard.records.audit import AuditEntry
from promptyard.service.access import needs
from promptyard.service.pages import Cursor, Limit, Page, cursor_of, place_of
from promptyard.service.paths import API
from promptyard.service.problems import refusals
from promptyard.service.requests import ServiceRoute
from promptyard.service.state import state_of

router = APIRouter(prefix=f"{API}/audit", tags=["audit"], route_class=ServiceRoute)

Actor = Annotated[
    str | None, Query(min_length=1, max_length=200, description="Only what this name did.")
]


@router.get("", **needs("admin"), responses=refusals())
async def list_acts(
    request: Request, actor: Actor = None, cursor: Cursor = None, limit: Limit = 100
) -> Page[AuditEntry]:
    """List acts, newest first, refused ones among them."""
    before = place_of(cursor, int)
    store = state_of(request).store
    found = await list_audit(store, actor=actor, before=before, limit=limit + 1)
    more = len(found) > limit
    kept = found[:limit]
    return Page(items=tuple(kept), next=cursor_of(kept[-1].seq) if more else None)
