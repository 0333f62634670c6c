"""Prompt versions, the pointers to them, and the log of their moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from pydantic import Field

from promptyard.records.base import Json, Record
from promptyard.records.origins import Origin
from promptyard.records.prompts import Program

VersionStatus: TypeAlias = Literal["seed", "passed", "failed", "inconclusive", "manual"]


class PromptVersion(Record):
    """An immutable version: what was registered, by whom, out of what, and how it measured.

    `number` counts up from 1 per name. `digest` is the program's id. `scores` maps split to mean
    score; `buckets` maps bucket names to failing cases on dev. `origins` say where its sentences
    come from, those of its parent that still stand included; one without is the seed's.
    """

    name: str
    number: int
    digest: str
    program: Program
    author: str
    parent: int | None = None
    run_id: str | None = None
    hypothesis: str = ""
    scores: Mapping[str, float] = Field(default_factory=dict)
    buckets: Mapping[str, int] = Field(default_factory=dict)
    eval_set_version: str = ""
    status: VersionStatus = "manual"
    created_at: str = ""
    verdict: Mapping[str, Json] | None = None
    origins: tuple[Origin, ...] = ()


class Pointer(Record):
    """A movable name (`production`, `canary`, `staging`, your own) for one version."""

    prompt: str
    pointer: str
    number: int
    moved_at: str


class Move(Record):
    """One entry of the append-only log: a pointer went from one version to another.

    A protected pointer is promoted only with `approved_by`, a second name. `request_id` is the
    request that was approved, `rollout_id` the rollout that decided.
    """

    kind: Literal["promote", "rollback"] = "promote"
    prompt: str
    pointer: str
    from_number: int | None
    to_number: int
    actor: str
    reason: str
    evidence: str = ""
    moved_at: str = ""
    approved_by: str = ""
    request_id: str = ""
    rollout_id: str = ""


class Protection(Record):
    """From `at` on a pointer is protected, or no longer; the last entry of the log counts.

    A promotion of a protected pointer, a rollout behind it and the end of the protection need the
    consent of a second person. A rollback never does. `asks_end` says that the actor asks for the
    end of a protection that still holds.
    """

    prompt: str
    pointer: str
    is_protected: bool
    actor: str
    reason: str = ""
    approved_by: str = ""
    at: str = ""
    asks_end: bool = False


class MoveRequest(Record):
    """A promotion of a protected pointer that waits for a second name.

    It can be approved while the pointer is where it was (`move.from_number`).
    """

    id: str
    move: Move
    at: str = ""


def past_numbers(log: Sequence[Move]) -> list[int]:
    """Return the versions that a pointer was at and has not gone back behind, oldest first.

    `log` are all moves of the pointer, oldest first; the last number is where it is now. A version
    that it went back from is not among them: to return there is a move forward.
    """
    past: list[int] = []
    for move in log:
        if move.kind == "rollback":
            while past and past[-1] != move.to_number:
                past.pop()
            past = past or [move.to_number]
        elif not past or past[-1] != move.to_number:
            past.append(move.to_number)
    return past
