"""Protected pointers: two people for a promotion, and two for the end of a protection.

Who acts is the name of the key, so a second name is a second key's.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import APIRouter, Path, Request

from promptyard.line import ship
from promptyard.line.ship import Shipped
from promptyard.records.base import Record
from promptyard.records.versions import MoveRequest, Protection
from promptyard.registry.versions import PRODUCTION
from promptyard.service.access import needs
from promptyard.service.acts import actor_of, changed, store_of
from promptyard.service.pages import Cursor, JsonAnswer, Limit, Page, log_of, slice_of
from promptyard.service.parameters import (
    PointerFilter,
    PointerName,
    PointerText,
    PromptName,
    Reason,
    VersionText,
)
from promptyard.service.paths import API
from promptyard.service.requests import ServiceRoute

router = APIRouter(
    prefix=API, tags=["protections"], route_class=ServiceRoute, default_response_class=JsonAnswer
)

RequestId: TypeAlias = Annotated[
    str,
    Path(
        max_length=64,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="The id of a request that waits.",
        examples=["4f1c09ab"],
    ),
]


class Because(Record):
    """Why it is done."""

    reason: Reason = ""


class WantedMove(Record):
    """A promotion that somebody else is asked to approve."""

    version: VersionText
    pointer: PointerText = PRODUCTION
    reason: Reason = "requested over HTTP"


@router.get("/prompts/{name}/protections", **needs("read"))
async def list_protections(
    request: Request,
    name: PromptName,
    pointer: PointerFilter = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[Protection]:
    """List which pointers were protected when and by whom, newest first; the newest word counts."""
    return log_of(await ship.list_protections(store_of(request), name, pointer), cursor, limit)


@router.post("/prompts/{name}/pointers/{pointer}/protect", **needs("release"))
async def protect_pointer(
    request: Request, name: PromptName, pointer: PointerName, body: Because
) -> Protection:
    """Protect a pointer: a promotion of it then needs a second name, a rollback does not.

    A wish to end the protection, which nobody else has shared yet, is withdrawn by it.
    """
    actor = actor_of(request, reason=body.reason)
    return await ship.protect_pointer(
        store_of(request), name, pointer, actor=actor, reason=body.reason
    )


@router.post("/prompts/{name}/pointers/{pointer}/unprotect", **needs("release"))
async def unprotect_pointer(
    request: Request, name: PromptName, pointer: PointerName, body: Because
) -> Protection:
    """Ask that a protection ends; it does when a second name has asked for it, too.

    The answer says by `is_protected` whether it still holds.
    """
    actor = actor_of(request, reason=body.reason)
    return await ship.unprotect_together(
        store_of(request), name, pointer, actor=actor, reason=body.reason
    )


@router.get("/prompts/{name}/move-requests", **needs("read"))
async def list_move_requests(
    request: Request, name: PromptName, cursor: Cursor = None, limit: Limit = 100
) -> Page[MoveRequest]:
    """List the promotions of a prompt that wait for a second name, oldest first."""
    return slice_of(await ship.list_requests(store_of(request), name), cursor, limit)


@router.post("/prompts/{name}/move-requests", status_code=201, **needs("release"))
async def request_move(request: Request, name: PromptName, body: WantedMove) -> MoveRequest:
    """Ask that a protected pointer be promoted; somebody else approves."""
    return await ship.request_version(
        store_of(request),
        name,
        body.version,
        pointer=body.pointer,
        actor=actor_of(request, version=body.version, pointer=body.pointer, reason=body.reason),
        reason=body.reason,
    )


@router.post("/move-requests/{request_id}/approve", **needs("release"))
async def approve_move(request: Request, request_id: RequestId) -> Shipped:
    """Approve a promotion that somebody else asked for, and make it."""
    shipped = await ship.approve_request(store_of(request), request_id, approver=actor_of(request))
    changed(request)
    return shipped
