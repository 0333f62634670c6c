"""Moves pointers: promote a version, roll a pointer back."""

from __future__ import annotations

from promptyard.line.query import opened, require_prompt
from promptyard.records.versions import Move
from promptyard.registry.versions import promote, resolve_version, rollback


async def promote_version(
    url: str | None, name: str, reference: str, *, pointer: str, actor: str, reason: str
) -> Move:
    """Point `pointer` at a version; the version's own verdict is noted as evidence.

    Raises NotFound or Conflict; nothing is then written.
    """
    async with opened(url) as store:
        await require_prompt(store, name)
        version = await resolve_version(store, name, reference)
        evidence = f"run {version.run_id}, {version.status}" if version.run_id else version.status
        return await promote(
            store,
            name,
            version.number,
            pointer=pointer,
            actor=actor,
            reason=reason,
            evidence=evidence,
        )


async def roll_back(url: str | None, name: str, *, pointer: str, actor: str, reason: str) -> Move:
    """Point `pointer` back at the version before. Raises Conflict when there is none."""
    async with opened(url) as store:
        await require_prompt(store, name)
        return await rollback(store, name, pointer=pointer, actor=actor, reason=reason)
