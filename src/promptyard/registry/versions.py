"""Registers programs as immutable versions and moves pointers between them.

The only mutation in the system is a pointer's move: compare-and-set, with a log that only grows.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from promptyard.errors import ConfigError, Conflict, NotFound
from promptyard.protocols import Store
from promptyard.records.prompts import Program
from promptyard.records.versions import Move, Pointer, PromptVersion

PRODUCTION = "production"
LATEST = "latest"
NUMBER = re.compile(r"v?[0-9]{1,9}")


async def pointer_named(store: Store, prompt: str, pointer: str) -> Pointer | None:
    """Return a pointer, or None where it was never set."""
    return next((item for item in await store.pointers(prompt) if item.pointer == pointer), None)


async def resolve_version(store: Store, prompt: str, reference: str | int) -> PromptVersion:
    """Find a version by number, pointer name or `latest`. Raises NotFound saying what exists."""
    text = str(reference)
    if text == LATEST:
        return (await store.versions(prompt))[-1]
    if NUMBER.fullmatch(text):
        return await store.version(prompt, int(text.lstrip("v")))
    pointer = await pointer_named(store, prompt, text)
    if pointer is None:
        names = [item.pointer for item in await store.pointers(prompt)]
        close = difflib.get_close_matches(text, [*names, LATEST], n=1)
        hint = (
            f"did you mean '{close[0]}'?"
            if close
            else f"its pointers: {', '.join(names) or 'none'}"
        )
        raise NotFound(
            f"prompt '{prompt}' has no pointer '{text}'; {hint}; `promptyard prompts log {prompt}` "
            "lists versions and pointers"
        )
    return await store.version(prompt, pointer.number)


async def promote(
    store: Store,
    prompt: str,
    reference: str | int,
    *,
    pointer: str = PRODUCTION,
    actor: str,
    reason: str,
    evidence: str = "",
) -> Move:
    """Point `pointer` at a version; where it points there already, nothing moves.

    Raises NotFound, Conflict when somebody else moved first, or ConfigError for a pointer name that
    would read like a version.
    """
    if pointer == LATEST or pointer.lstrip("v").isdigit():
        raise ConfigError(f"'{pointer}' reads like a version; name the pointer otherwise")
    version = await resolve_version(store, prompt, reference)
    now = await pointer_named(store, prompt, pointer)
    move = Move(
        prompt=prompt,
        pointer=pointer,
        from_number=now.number if now else None,
        to_number=version.number,
        actor=actor,
        reason=reason,
        evidence=evidence,
    )
    if now is not None and now.number == version.number:
        return move
    return await store.move_pointer(move)


async def rollback(
    store: Store, prompt: str, *, pointer: str = PRODUCTION, actor: str, reason: str
) -> Move:
    """Point `pointer` back at the version it had before its present one.

    A rollback is a move like any other: it is logged, and the version it returns to is the same
    row, byte for byte. Going back twice goes two versions back; before the first promotion stands
    the version that its version was made from. Raises Conflict when there is no earlier one.
    """
    log = await store.moves(prompt, pointer)
    past: list[int] = []
    for move in log:
        if move.kind == "rollback":
            past = past[:-1] or [move.to_number]
        elif not past or past[-1] != move.to_number:
            past.append(move.to_number)
    if len(past) == 1:
        # The first promotion replaced what the version was made from.
        parent = (await store.version(prompt, past[0])).parent
        if parent is not None:
            past.insert(0, parent)
    if len(past) < 2:
        raise Conflict(
            f"pointer '{pointer}' of prompt '{prompt}' has no earlier version to go back to"
        )
    move = Move(
        kind="rollback",
        prompt=prompt,
        pointer=pointer,
        from_number=past[-1],
        to_number=past[-2],
        actor=actor,
        reason=reason,
    )
    return await store.move_pointer(move)


def diff_programs(old: Program, new: Program, *, old_name: str, new_name: str) -> str:
    """Write the unified diff of two programs, step by step; empty when they are equal."""
    names = list(dict.fromkeys(step.name for step in (*old.steps, *new.steps)))
    pieces: list[str] = []
    for name in names:
        before = _lines(old, name)
        after = _lines(new, name)
        suffix = "" if names == ["main"] else f"/{name}"
        pieces += difflib.unified_diff(
            before, after, f"{old_name}{suffix}", f"{new_name}{suffix}", lineterm=""
        )
    return "\n".join(pieces)


def _lines(program: Program, name: str) -> Sequence[str]:
    for step in program.steps:
        if step.name == name:
            return step.prompt.text.splitlines()
    return ()
