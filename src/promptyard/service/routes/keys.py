"""Keys: who may use the service."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from promptyard.line.api_keys import (
    DEFAULT_GRACE_S,
    MAX_GRACE_S,
    MAX_LIFE_S,
    MAX_NAME_CHARS,
    create_key,
    list_keys,
    revoke_key,
    rotate_key,
)
from promptyard.records.api_keys import KeyInfo, MadeKey, Scope
from promptyard.records.base import Record
from promptyard.service.access import caller_of, needs
from promptyard.service.pages import Cursor, Limit, Page, slice_of
from promptyard.service.paths import API
from promptyard.service.problems import refusals
from promptyard.service.requests import ServiceRoute
from promptyard.service.state import state_of

router = APIRouter(prefix=f"{API}/keys", tags=["keys"], route_class=ServiceRoute)

KeyId = Annotated[str, Path(pattern="^[0-9a-f]{12}$", description="The key's id.")]


class NewKey(Record):
    """What key is to be made."""

    name: str = Field(
        min_length=1, max_length=MAX_NAME_CHARS, description="Who acts with it, in every log."
    )
    scopes: tuple[Scope, ...] = Field(
        min_length=1,
        max_length=10,
        description="read; report (send traces and events); write (register, run jobs); release "
        "(move pointers and rollouts); admin (all). write and release include read.",
    )
    expires_in_s: float | None = Field(
        default=None, ge=1, le=MAX_LIFE_S, description="Seconds that it works; None: for ever."
    )


class Rotation(Record):
    """How a key is to be replaced."""

    grace_s: float = Field(
        default=DEFAULT_GRACE_S, ge=0, le=MAX_GRACE_S, description="Seconds the old one works on."
    )
    expires_in_s: float | None = Field(
        default=None,
        ge=1,
        le=MAX_LIFE_S,
        description="Seconds that the new one works; None: as long as the old one was to.",
    )


@router.get("", **needs("admin"), responses=refusals())
async def list_all_keys(
    request: Request, cursor: Cursor = None, limit: Limit = 100
) -> Page[KeyInfo]:
    """List keys, oldest first, those that have ended among them; no secret is kept."""
    return slice_of(await list_keys(state_of(request).store), cursor, limit)


@router.post("", status_code=201, **needs("admin"), responses=refusals())
async def make_key(request: Request, response: Response, wanted: NewKey) -> MadeKey:
    """Make a key; its text is in this answer and nowhere else."""
    state = state_of(request)
    made = await create_key(
        state.store,
        wanted.name,
        wanted.scopes,
        actor=caller_of(request).name,
        expires_in_s=wanted.expires_in_s,
    )
    return _handed_out(request, response, made)


@router.post("/{key_id}/rotate", status_code=201, **needs("admin"), responses=refusals(404, 409))
async def replace_key(
    request: Request, response: Response, key_id: KeyId, wanted: Rotation
) -> MadeKey:
    """Make a key in the place of another, which works on for a while."""
    made = await rotate_key(
        state_of(request).store,
        key_id,
        actor=caller_of(request).name,
        grace_s=wanted.grace_s,
        expires_in_s=wanted.expires_in_s,
    )
    return _handed_out(request, response, made)


@router.delete("/{key_id}", **needs("admin"), responses=refusals(404, 409))
async def end_key(request: Request, key_id: KeyId) -> KeyInfo:
    """Revoke a key; other replicas take it for at most 2 seconds more."""
    state = state_of(request)
    ended, _ = await revoke_key(state.store, key_id)
    state.access.forget()
    return ended


def _handed_out(request: Request, response: Response, made: MadeKey) -> MadeKey:
    state_of(request).access.forget()
    request.state.audit = {"key": made.key.id, "name": made.key.name, "scopes": made.key.scopes}
    response.headers["Cache-Control"] = "no-store"
    return made
