"""Protected pointers: who asks for a promotion, who approves it, who takes a protection away.

Whether a move is allowed is decided in the store, in the transaction that makes it; here stands
what a person does about it. Names are taken as they are given: they keep an oversight from reaching
production, not an impostor.
"""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.errors import Advised, ApprovalNeeded, Conflict, NotFound
from promptyard.protocols import Store
from promptyard.records.person_names import is_same_person
from promptyard.records.versions import Move, MoveRequest, Protection
from promptyard.registry.versions import PRODUCTION, check_pointer_name, planned_move


async def protected_pointers(store: Store, prompt: str) -> tuple[str, ...]:
    """Return the names of the pointers of a prompt that are protected now, sorted."""
    last = {item.pointer: item.is_protected for item in await store.protections(prompt)}
    return tuple(sorted(pointer for pointer, is_protected in last.items() if is_protected))


async def protect(
    store: Store, prompt: str, pointer: str, *, actor: str, reason: str = ""
) -> Protection:
    """Protect a pointer, which need not be set yet; somebody's wish to end that is withdrawn.

    Raises Conflict where it is protected and nobody asks for the end.
    """
    check_pointer_name(pointer)
    last = await _last_word(store, prompt, pointer)
    if last is not None and last.is_protected and not last.asks_end:
        raise Conflict(f"pointer '{pointer}' of prompt '{prompt}' is protected already")
    return await store.protect(
        Protection(prompt=prompt, pointer=pointer, is_protected=True, actor=actor, reason=reason)
    )


async def unprotect(
    store: Store, prompt: str, pointer: str, *, actor: str, approved_by: str, reason: str = ""
) -> Protection:
    """End a protection, which needs the name of a second person.

    Raises ApprovalNeeded without one, Conflict where the pointer is not protected.
    """
    if pointer not in await protected_pointers(store, prompt):
        raise Conflict(f"pointer '{pointer}' of prompt '{prompt}' is not protected")
    try:
        return await store.protect(
            Protection(
                prompt=prompt,
                pointer=pointer,
                is_protected=False,
                actor=actor,
                reason=reason,
                approved_by=approved_by,
            )
        )
    except ApprovalNeeded:
        raise ApprovalNeeded(
            Advised(
                f"the protection of pointer '{pointer}' of prompt '{prompt}' ends only with the "
                f"consent of somebody other than {actor}",
                ": --approved-by NAME",
                "; somebody else asks for it, too",
            )
        ) from None


async def unprotect_together(
    store: Store, prompt: str, pointer: str, *, actor: str, reason: str = ""
) -> Protection:
    """Ask that a protection ends; where somebody else has asked before, it ends.

    So each of the two speaks for himself. Raises ApprovalNeeded for who asks twice, Conflict where
    the pointer is not protected.
    """
    asked = await _last_word(store, prompt, pointer)
    if asked is None or not asked.asks_end:
        if asked is None or not asked.is_protected:
            raise Conflict(f"pointer '{pointer}' of prompt '{prompt}' is not protected")
        wish = Protection(
            prompt=prompt,
            pointer=pointer,
            is_protected=True,
            actor=actor,
            reason=reason,
            asks_end=True,
        )
        return await store.protect(wish)
    if is_same_person(actor, asked.actor):
        raise ApprovalNeeded(
            f"{asked.actor} has asked already that pointer '{pointer}' of prompt '{prompt}' is "
            "protected no longer; it ends when somebody else asks for it, too"
        )
    return await store.protect(
        Protection(
            prompt=prompt,
            pointer=pointer,
            is_protected=False,
            actor=asked.actor,
            reason=reason or asked.reason,
            approved_by=actor,
        )
    )


async def _last_word(store: Store, prompt: str, pointer: str) -> Protection | None:
    log = [item for item in await store.protections(prompt) if item.pointer == pointer]
    return log[-1] if log else None


async def request_promotion(
    store: Store,
    prompt: str,
    reference: str | int,
    *,
    pointer: str = PRODUCTION,
    request_id: str,
    actor: str,
    reason: str,
    evidence: str = "",
) -> MoveRequest:
    """Ask for a promotion of a pointer from where it is now; nothing moves yet.

    Raises NotFound, Tampered, or Conflict where the pointer is at the version already.
    """
    move = await planned_move(
        store,
        prompt,
        reference,
        pointer=pointer,
        actor=actor,
        reason=reason,
        evidence=evidence,
    )
    if move.from_number == move.to_number:
        raise Conflict(
            f"pointer '{pointer}' of prompt '{prompt}' is at version {move.to_number} already; "
            "there is nothing to ask for"
        )
    return await store.request_move(MoveRequest(id=request_id, move=move))


async def waiting_request(store: Store, request_id: str) -> MoveRequest:
    """Find a request that waits. Raises NotFound naming those that do."""
    waiting: list[MoveRequest] = []
    for name in await store.prompt_names():
        waiting += await store.move_requests(name)
    for request in waiting:
        if request.id == request_id:
            return request
    known = ", ".join(request.id for request in waiting) or "none"
    raise NotFound(
        f"no request '{request_id}' waits: it was made, or its pointer has moved since, or there "
        f"never was one; those that wait: {known}"
    )


async def approve(store: Store, request: MoveRequest, *, approver: str) -> Move:
    """Make the move that was asked for, in the name of both.

    Raises ApprovalNeeded when nobody else approves, Conflict when the pointer has moved since.
    """
    asked = request.move
    if is_same_person(approver, asked.actor):
        raise ApprovalNeeded(
            Advised(
                f"{asked.actor} asked for this promotion, so somebody else must approve it; ",
                "another person runs this command, or is named with --as",
                "with the key of another name",
            )
        )
    approved = asked.model_copy(update={"approved_by": approver, "request_id": request.id})
    return await store.move_pointer(approved)


async def requests_of(store: Store, prompt: str) -> Sequence[MoveRequest]:
    """Return the promotions of a prompt that wait and still can be made, oldest first."""
    return await store.move_requests(prompt)
