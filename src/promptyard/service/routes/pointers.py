"""Pointers: where they are, to promote them, to roll them back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from promptyard.line import prompt_log
from promptyard.line.prompt_log import PointerState
from promptyard.line.ship import Shipped, roll_back
from promptyard.line.ship import promote_version as promote
from promptyard.records.base import Record
from promptyard.registry.versions import Seen
from promptyard.service.access import needs
from promptyard.service.acts import actor_of, changed, store_of
from promptyard.service.pages import TAGGED, Cursor, JsonAnswer, Limit, Page, slice_of, tagged
from promptyard.service.parameters import LARGEST, PointerName, PromptName, Reason, VersionText
from promptyard.service.paths import API
from promptyard.service.requests import ServiceRoute

router = APIRouter(
    prefix=API, tags=["pointers"], route_class=ServiceRoute, default_response_class=JsonAnswer
)


class Promotion(Record):
    """Which version a pointer is to be moved to, and from where."""

    version: VersionText
    seen: Annotated[
        int | None,
        Field(
            alias="from",
            ge=1,
            le=LARGEST,
            description="The number that the pointer is at now, null for not set: it moves from "
            "there alone, else 409. Left out, it moves from wherever it is.",
            examples=[1],
        ),
    ] = None
    reason: Reason = "promoted over HTTP"


class Rollback(Record):
    """Which earlier version a pointer is to go back to."""

    version: Annotated[
        int | None,
        Field(
            ge=1,
            le=LARGEST,
            description="The number of an earlier version of the pointer; null: the one before.",
            examples=[1],
        ),
    ] = None
    reason: Reason = "rolled back over HTTP"


@router.get("/prompts/{name}/pointers", **needs("read"))
async def list_pointers(
    request: Request, name: PromptName, cursor: Cursor = None, limit: Limit = 100
) -> Page[PointerState]:
    """List a prompt's pointers by name, those that are protected before they are set among them."""
    return slice_of(await prompt_log.list_pointers(store_of(request), name), cursor, limit)


@router.get(
    "/prompts/{name}/pointers/{pointer}",
    response_model=PointerState,
    responses=TAGGED,
    **needs("read"),
)
async def show_pointer(request: Request, name: PromptName, pointer: PointerName) -> Response:
    """Show where a pointer is, and whether it is protected."""
    return tagged(request, await prompt_log.show_pointer(store_of(request), name, pointer))


@router.post("/prompts/{name}/pointers/{pointer}/promote", **needs("release"))
async def promote_version(
    request: Request, name: PromptName, pointer: PointerName, body: Promotion
) -> Shipped:
    """Point a pointer at a version; the move is logged and published.

    A protected pointer is moved by a request that somebody else approves, not by this.
    """
    shipped = await promote(
        store_of(request),
        name,
        body.version,
        pointer=pointer,
        actor=actor_of(request, version=body.version, reason=body.reason),
        reason=body.reason,
        seen=Seen(body.seen) if "seen" in body.model_fields_set else None,
    )
    changed(request)
    return shipped


@router.post("/prompts/{name}/pointers/{pointer}/rollback", **needs("release"))
async def roll_back_pointer(
    request: Request, name: PromptName, pointer: PointerName, body: Rollback
) -> Shipped:
    """Point a pointer back at the version before; the exact bytes return.

    Needs nobody's approval. A rollout that is running behind the pointer is ended first.
    """
    shipped = await roll_back(
        store_of(request),
        name,
        pointer=pointer,
        to_number=body.version,
        actor=actor_of(request, version=body.version, reason=body.reason),
        reason=body.reason,
    )
    changed(request)
    return shipped
