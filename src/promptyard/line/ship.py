"""Moves pointers: promote, roll back, protect, ask and approve; each move is published.

What a verb has changed stands, whatever becomes of its publication.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from promptyard.line.publish import Publication, publish_after
from promptyard.line.query import StoreOrUrl, opened, require_prompt
from promptyard.line.rollouts import By, end_rollout_behind
from promptyard.records.base import Record
from promptyard.records.versions import Move, MoveRequest, PromptVersion, Protection
from promptyard.registry import protection
from promptyard.registry.versions import (
    PRODUCTION,
    Seen,
    pointer_named,
    promote,
    resolve_version,
    rollback,
)


class Shipped(Record):
    """A move that was made, and where clients can see it.

    `ended_rollout` is the id of the rollout that a rollback ended.
    """

    move: Move
    publication: Publication
    ended_rollout: str = ""


async def promote_version(
    url: StoreOrUrl,
    name: str,
    reference: str,
    *,
    pointer: str,
    actor: str,
    reason: str,
    seen: Seen | None = None,
) -> Shipped:
    """Point `pointer` at a version; the version's own verdict is noted as evidence.

    With `seen` it moves from there alone. Raises NotFound, Tampered, Conflict or ApprovalNeeded;
    nothing is then written.
    """
    async with opened(url) as store:
        await require_prompt(store, name)
        version = await resolve_version(store, name, reference)
        move = await promote(
            store,
            name,
            version.number,
            pointer=pointer,
            actor=actor,
            reason=reason,
            evidence=_evidence(version),
            seen=seen,
        )
        return Shipped(move=move, publication=await publish_after(store))


async def roll_back(
    url: StoreOrUrl,
    name: str,
    *,
    pointer: str = PRODUCTION,
    to_number: int | None = None,
    actor: str,
    reason: str,
) -> Shipped:
    """Point `pointer` back at the version before, or at an earlier one, `to_number`.

    While a rollout is running behind it, the newest version is the rollout's: that is ended, and
    the pointer, which still is at the version before, stays, unless `to_number` names another.
    Needs the store and nothing else: no approval, no gate, no model, no place to publish to. Raises
    Conflict when there is no such version.
    """
    async with opened(url) as store:
        await require_prompt(store, name)
        by = By(actor, reason)
        ended = await end_rollout_behind(store, name, pointer, by)
        place = await pointer_named(store, name, pointer)
        if ended is not None and place is not None and to_number in {None, place.number}:
            stayed = Move(
                kind="rollback",
                prompt=name,
                pointer=pointer,
                from_number=place.number,
                to_number=place.number,
                actor=actor,
                reason=reason,
                rollout_id=ended.rollout_id,
            )
            return Shipped(
                move=stayed,
                publication=await publish_after(store),
                ended_rollout=ended.rollout_id,
            )
        move = await rollback(
            store, name, pointer=pointer, to_number=to_number, actor=actor, reason=reason
        )
        return Shipped(
            move=move,
            publication=await publish_after(store),
            ended_rollout="" if ended is None else ended.rollout_id,
        )


async def protect_pointer(
    url: StoreOrUrl, name: str, pointer: str, *, actor: str, reason: str
) -> Protection:
    """Protect a pointer: from now on a promotion of it needs a second name."""
    async with opened(url) as store:
        await require_prompt(store, name)
        return await protection.protect(store, name, pointer, actor=actor, reason=reason)


async def unprotect_pointer(
    url: StoreOrUrl, name: str, pointer: str, *, actor: str, approved_by: str, reason: str
) -> Protection:
    """End the protection of a pointer, with the consent of a second person."""
    async with opened(url) as store:
        await require_prompt(store, name)
        return await protection.unprotect(
            store, name, pointer, actor=actor, approved_by=approved_by, reason=reason
        )


async def unprotect_together(
    url: StoreOrUrl, name: str, pointer: str, *, actor: str, reason: str
) -> Protection:
    """Ask that a protection ends; where somebody else has asked before, it ends."""
    async with opened(url) as store:
        await require_prompt(store, name)
        return await protection.unprotect_together(store, name, pointer, actor=actor, reason=reason)


async def list_protections(
    url: StoreOrUrl, name: str, pointer: str | None = None
) -> Sequence[Protection]:
    """Return what was said of the protection of pointers, or of one, oldest first."""
    async with opened(url) as store:
        await require_prompt(store, name)
        log = await store.protections(name)
        return [item for item in log if pointer in {None, item.pointer}]


async def request_version(
    url: StoreOrUrl, name: str, reference: str, *, pointer: str, actor: str, reason: str
) -> MoveRequest:
    """Ask that a protected pointer be promoted to a version."""
    async with opened(url) as store:
        await require_prompt(store, name)
        version = await resolve_version(store, name, reference)
        return await protection.request_promotion(
            store,
            name,
            version.number,
            pointer=pointer,
            request_id=secrets.token_hex(4),
            actor=actor,
            reason=reason,
            evidence=_evidence(version),
        )


async def approve_request(url: StoreOrUrl, request_id: str, *, approver: str) -> Shipped:
    """Make a move that somebody else asked for."""
    async with opened(url) as store:
        request = await protection.waiting_request(store, request_id)
        move = await protection.approve(store, request, approver=approver)
        return Shipped(move=move, publication=await publish_after(store))


async def list_requests(url: StoreOrUrl, name: str) -> Sequence[MoveRequest]:
    """Return the moves of a prompt that wait for a second name, oldest first."""
    async with opened(url) as store:
        await require_prompt(store, name)
        return await protection.requests_of(store, name)


def _evidence(version: PromptVersion) -> str:
    return f"run {version.run_id}, {version.status}" if version.run_id else version.status
