"""Registers programs as immutable versions and moves pointers between them.

The only mutation in the system is a pointer's move: compare-and-set, with a log that only grows.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import NamedTuple

from promptyard.errors import ApprovalNeeded, ConfigError, Conflict, NotFound
from promptyard.protocols import Store
from promptyard.records.versions import Move, Pointer, PromptVersion, past_numbers

PRODUCTION = "production"
LATEST = "latest"
NUMBER = re.compile(r"v?[0-9]{1,9}")
MAX_POINTER = 64
POINTER_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_POINTER - 1}}}")


class Seen(NamedTuple):
    """Where a pointer was seen by whoever moves it: the version's number, None for not set."""

    number: int | None


async def pointer_named(store: Store, prompt: str, pointer: str) -> Pointer | None:
    """Return a pointer, or None where it was never set."""
    return next((item for item in await store.pointers(prompt) if item.pointer == pointer), None)


async def resolve_version(store: Store, prompt: str, reference: str | int) -> PromptVersion:
    """Find a version by number, pointer name or `latest`; its bytes are proven.

    Raises NotFound saying what exists, Tampered when its bytes are not those of its digest.
    """
    text = str(reference)
    if text == LATEST:
        newest = (await store.versions(prompt))[-1]
        return await store.version(prompt, newest.number)
    if NUMBER.fullmatch(text):
        return await store.version(prompt, int(text.lstrip("v")))
    pointer = await pointer_named(store, prompt, text)
    if pointer is None:
        raise await _no_pointer(store, prompt, text, also=(LATEST,))
    return await store.version(prompt, pointer.number)


async def _no_pointer(
    store: Store, prompt: str, pointer: str, also: Sequence[str] = ()
) -> NotFound:
    names = [item.pointer for item in await store.pointers(prompt)]
    close = difflib.get_close_matches(pointer, [*names, *also], n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"its pointers: {', '.join(names) or 'none'}"
    return NotFound(
        f"prompt '{prompt}' has no pointer '{pointer}'; {hint}; `promptyard prompts log {prompt}` "
        "lists versions and pointers"
    )


def is_pointer_name(reference: str) -> bool:
    """Say whether a reference is read as the name of a pointer, which may move."""
    return reference != LATEST and NUMBER.fullmatch(reference) is None


def check_pointer_name(pointer: str) -> None:
    """Raise ConfigError for a name that would read like a version or like nothing at all."""
    if pointer == LATEST or NUMBER.fullmatch(pointer) or pointer.lstrip("v").isdigit():
        raise ConfigError(f"'{pointer}' reads like a version; name the pointer otherwise")
    if not POINTER_NAME.fullmatch(pointer):
        raise ConfigError(
            f"{pointer!a} is no name for a pointer; use up to {MAX_POINTER} letters, digits and "
            "._- with a letter or digit first"
        )


async def planned_move(
    store: Store,
    prompt: str,
    reference: str | int,
    *,
    pointer: str = PRODUCTION,
    actor: str,
    reason: str,
    evidence: str = "",
) -> Move:
    """Return the move that would point `pointer` at a version from where it is now.

    Raises NotFound, Tampered, or ConfigError for a pointer name that would read like a version.
    """
    check_pointer_name(pointer)
    version = await resolve_version(store, prompt, reference)
    now = await pointer_named(store, prompt, pointer)
    return Move(
        prompt=prompt,
        pointer=pointer,
        from_number=now.number if now else None,
        to_number=version.number,
        actor=actor,
        reason=reason,
        evidence=evidence,
    )


async def promote(
    store: Store,
    prompt: str,
    reference: str | int,
    *,
    pointer: str = PRODUCTION,
    actor: str,
    reason: str,
    evidence: str = "",
    seen: Seen | None = None,
) -> Move:
    """Point `pointer` at a version; where it points there already, nothing moves.

    Raises NotFound, Tampered, Conflict when somebody else moved first or the pointer is not where
    it was `seen`, ApprovalNeeded saying how to ask where the pointer is protected, or ConfigError
    for a pointer name that would read like a version.
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
    if seen is not None and seen.number != move.from_number:
        raise Conflict(
            f"pointer '{pointer}' of prompt '{prompt}' {_place(move.from_number)}, while "
            f"whoever moves it says that it {_place(seen.number)}; look again, then promote"
        )
    if move.from_number == move.to_number:
        return move
    try:
        return await store.move_pointer(move)
    except ApprovalNeeded:
        to = "" if pointer == PRODUCTION else f" --to {pointer}"
        raise ApprovalNeeded(
            f"pointer '{pointer}' of prompt '{prompt}' is protected and was not moved; ask with "
            f"`promptyard prompts request {prompt} {move.to_number}{to}`, and somebody other than "
            f"{actor} approves"
        ) from None


async def rollback(
    store: Store,
    prompt: str,
    *,
    pointer: str = PRODUCTION,
    to_number: int | None = None,
    actor: str,
    reason: str,
) -> Move:
    """Point `pointer` back at the version it had before its present one, or at an earlier one.

    A rollback is a move like any other: it is logged, and the version it returns to is the same
    row, byte for byte. Going back twice goes two versions back; before the first promotion stands
    the version that its version was made from. It needs nobody's approval. Raises NotFound, naming
    those that there are, for a pointer that was never set, Conflict when there is no earlier
    version, or the pointer never was at `to_number`.
    """
    log = await store.moves(prompt, pointer)
    if not log:
        raise await _no_pointer(store, prompt, pointer)
    past = past_numbers(log)
    if len(past) == 1:
        # The first promotion replaced what the version was made from.
        first = next((v for v in await store.versions(prompt) if v.number == past[0]), None)
        if first is not None and first.parent is not None:
            past.insert(0, first.parent)
    if len(past) < 2:
        raise Conflict(
            f"pointer '{pointer}' of prompt '{prompt}' has no earlier version to go back to"
        )
    if to_number is not None and to_number not in past[:-1]:
        before = ", ".join(f"v{number}" for number in dict.fromkeys(reversed(past[:-1])))
        raise Conflict(
            f"pointer '{pointer}' of prompt '{prompt}' cannot go back to version {to_number}; "
            f"it was at {before} before"
        )
    move = Move(
        kind="rollback",
        prompt=prompt,
        pointer=pointer,
        from_number=past[-1],
        to_number=past[-2] if to_number is None else to_number,
        actor=actor,
        reason=reason,
    )
    return await store.move_pointer(move)


def _place(number: int | None) -> str:
    return "is not set" if number is None else f"is at version {number}"
