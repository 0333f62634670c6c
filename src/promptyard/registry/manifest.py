"""Builds the manifest: what pointers and running rollouts refer to, in the bytes of its file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from promptyard.errors import Tampered
from promptyard.records.base import content_hash
from promptyard.records.manifest import (
    Manifest,
    ManifestPrompt,
    ManifestRollout,
    ManifestVersion,
)
from promptyard.records.rollouts import RolloutRecord
from promptyard.records.versions import Move, Pointer, PromptVersion


@dataclass(frozen=True)
class PromptSnapshot:
    """One prompt at one revision: its pointers, its rollouts, and the versions they refer to."""

    versions: Sequence[PromptVersion]
    pointers: Sequence[Pointer]
    rollouts: Sequence[RolloutRecord] = ()


def build_manifest(
    prompts: Mapping[str, PromptSnapshot], *, revision: int, issued_at: str, store: str = ""
) -> Manifest:
    """Build the manifest of all prompts that have a pointer. Pure.

    `store` tells revisions of this store from those of others; see `store_identity`.

    A rollout is in it while it runs and its control version is where its pointer is: a pointer that
    was moved by hand is where everybody goes, whatever a rollout says that has not noticed yet.
    Raises Tampered for a version whose bytes are not those of its digest.
    """
    unsigned = Manifest(
        revision=revision,
        issued_at=issued_at,
        store=store,
        prompts={
            name: _prompt(name, snapshot)
            for name, snapshot in sorted(prompts.items())
            if snapshot.pointers
        },
        checksum="",
    )
    checksum = Manifest.checksum_of(unsigned.model_dump(mode="json"))
    return unsigned.model_copy(update={"checksum": checksum})


def store_identity(moves: Iterable[Move]) -> str:
    """Name a store by its first move; empty where none was made.

    The log only grows, so every process and every restored copy of a store finds the same name.
    `moves` are at least the first ones of all prompts.
    """
    first = min(moves, key=lambda move: (move.moved_at, move.prompt, move.pointer), default=None)
    if first is None:
        return ""
    said = (first.prompt, first.pointer, first.to_number, first.actor, first.reason, first.moved_at)
    return content_hash(list(said))


def manifest_text(manifest: Manifest) -> str:
    """Write a manifest as its file has it: one line of JSON that UTF-8 can always encode."""
    value = manifest.model_dump(mode="json")
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate in a prompt
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return f"{text}\n"


def referred_numbers(pointers: Iterable[Pointer], rollouts: Iterable[RolloutRecord]) -> list[int]:
    """Return the numbers of the versions that a manifest of these would hold, ascending."""
    numbers = {pointer.number for pointer in pointers}
    for record in rollouts:
        numbers |= {record.rollout.control, record.rollout.treatment}
    return sorted(numbers)


def running_rollouts(
    rollouts: Iterable[RolloutRecord], pointers: Sequence[Pointer]
) -> list[RolloutRecord]:
    """Return the rollouts that clients take part in, each behind a pointer at its control."""
    at = {pointer.pointer: pointer.number for pointer in pointers}
    return [
        record
        for record in rollouts
        if record.is_active
        and record.last.state != "awaiting_approval"
        and at.get(record.rollout.pointer) == record.rollout.control
    ]


def _prompt(name: str, snapshot: PromptSnapshot) -> ManifestPrompt:
    running = running_rollouts(snapshot.rollouts, snapshot.pointers)
    by_number = {version.number: version for version in snapshot.versions}
    numbers = referred_numbers(snapshot.pointers, running)
    return ManifestPrompt(
        pointers={item.pointer: item.number for item in snapshot.pointers},
        rollouts=tuple(_rollout(record) for record in running),
        versions={number: _version(name, by_number[number]) for number in numbers},
    )


def _rollout(record: RolloutRecord) -> ManifestRollout:
    rollout = record.rollout
    return ManifestRollout(
        id=rollout.id,
        pointer=rollout.pointer,
        control=rollout.control,
        treatment=rollout.treatment,
        enrolled=record.last.enrolled,
        mode=rollout.plan.mode,
    )


def _version(name: str, version: PromptVersion) -> ManifestVersion:
    if version.digest != version.program.id:
        raise Tampered(
            f"version {version.number} of prompt '{name}' is not what was registered: its bytes do "
            "not have its digest; restore the store from a copy"
        )
    return ManifestVersion(
        number=version.number,
        digest=version.digest,
        program=version.program.model_dump(mode="json", by_alias=True),
    )
