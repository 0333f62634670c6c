"""What a process serves right now: every pointer with its version and, maybe, its rollout.

A view is built when other contents arrive, so that a resolution is two look-ups and two hashes.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

from promptyard.client.contents import Contents, PromptContents, RunningRollout, Served
from promptyard.stats.assignment import ARM, ENROL, HALF, UNIT, PreparedHash

if TYPE_CHECKING:
    from promptyard.records.live import Arm

Origin: TypeAlias = Literal["source", "snapshot", "fallback"]
Reason: TypeAlias = Literal["static", "pointer", "split", "cached", "stale", "snapshot", "fallback"]
"""Why a version was served: asked for by number; where the pointer is; by hash into an arm of a
rollout; and, where the source does not confirm what is served: out of memory, out of memory for
longer than `stale_after_s` (or the control, since so old a copy runs no rollout), out of the
snapshot, out of what is bundled with the application."""

REMEMBERED_SUBJECTS = 200_000


class Seen:
    """The subjects whose exposure was recorded, as 53 bits each: the last 100,000 to 200,000.

    Whoever has been forgotten is recorded again, under the same id, which counts once.
    """

    __slots__ = ("_limit", "old", "young")

    def __init__(self, limit: int = REMEMBERED_SUBJECTS) -> None:
        self._limit = limit // 2
        self.young: set[int] = set()
        self.old: set[int] = set()

    def add(self, bits: int) -> None:
        """Remember a subject; the older half goes when the younger one is full."""
        if len(self.young) >= self._limit:
            self.old = self.young
            self.young = set()
        self.young.add(bits)


class Split:
    """A running rollout, prepared for many subjects."""

    __slots__ = (
        "arm_hash",
        "control",
        "enrol_hash",
        "enrolled",
        "is_shadow",
        "name",
        "rollout_id",
        "seen",
        "threshold",
        "treatment",
    )

    def __init__(self, rollout: RunningRollout, prompt: PromptContents, seen: Seen) -> None:
        self.rollout_id = rollout.id
        self.control = prompt.versions[rollout.control]
        self.treatment = prompt.versions[rollout.treatment]
        self.name = self.control.name
        self.is_shadow = rollout.is_shadow
        self.enrolled = rollout.enrolled
        self.threshold = rollout.enrolled * UNIT
        self.enrol_hash = PreparedHash(rollout.id, ENROL)
        self.arm_hash = PreparedHash(rollout.id, ARM)
        self.seen = seen

    def served(self, arm: Arm) -> Served:
        """Return the version of an arm."""
        return self.treatment if arm == "treatment" else self.control

    def arm_of(self, key: bytes) -> Arm | None:
        """Return the arm of a subject that was `written`, None where it takes no part.

        `Promptyard.prompt` says the same in place, since it is asked so often. In shadow mode
        everybody who takes part is served the control.
        """
        if self.enrol_hash.bits(key) >= self.threshold:
            return None
        return "treatment" if not self.is_shadow and self.arm_hash.bits(key) < HALF else "control"


class Entry:
    """What is served behind one pointer, and since when."""

    __slots__ = ("pointer", "served", "since", "since_s", "split")

    def __init__(self, pointer: str, served: Served, split: Split | None) -> None:
        self.pointer = pointer
        self.served = served
        self.split = split
        self.since = datetime.now(UTC).isoformat(timespec="seconds")
        self.since_s = time.monotonic()


class View:
    """One state of everything. Only `confirmed_s` and `reason` change while it is in use.

    `confirmed_s` is when the source was last known to say this, by the monotonic clock; None where
    that cannot be said. `reason` is why it is served though the source does not confirm it, None
    where it does.
    """

    __slots__ = ("confirmed_s", "contents", "entries", "origin", "reason")

    def __init__(
        self,
        contents: Contents,
        origin: Origin,
        confirmed_s: float | None,
        *,
        seen: dict[str, Seen],
        before: View | None = None,
    ) -> None:
        self.contents = contents
        self.origin: Origin = origin
        self.confirmed_s = confirmed_s
        self.reason: Reason | None = None if origin == "source" else origin
        # What is bundled with an application is as old as that; its rollouts have long ended.
        has_rollouts = origin != "fallback"
        self.entries: dict[tuple[str, str], Entry] = {}
        for name, prompt in contents.prompts.items():
            splits: Mapping[str, Split] = {}
            if has_rollouts:
                splits = {
                    rollout.pointer: Split(rollout, prompt, seen.setdefault(rollout.id, Seen()))
                    for rollout in prompt.rollouts
                }
            for pointer, number in prompt.pointers.items():
                served = prompt.versions[number]
                self.entries[name, pointer] = Entry(pointer, served, splits.get(pointer))
        if before is not None:
            self._keep_since(before)

    def age_s(self) -> float | None:
        """Seconds since the source was last known to say this; None where that is not known."""
        confirmed_s = self.confirmed_s
        if confirmed_s is None:
            return None
        age_s = time.monotonic() - confirmed_s
        return age_s if age_s > 0.0 else 0.0

    def warm(self) -> None:
        """Build what rendering needs before it is asked for: records, programs, YAML."""
        for entry in self.entries.values():
            split = entry.split
            for served in {entry.served, *((split.control, split.treatment) if split else ())}:
                with contextlib.suppress(Exception):  # whoever renders it is told
                    for step in served.program.steps:
                        _ = (step.prompt.layout, step.prompt.front_matter)

    def rollout_ids(self) -> set[str]:
        """Ids of the rollouts that are running."""
        return {entry.split.rollout_id for entry in self.entries.values() if entry.split}

    def _keep_since(self, before: View) -> None:
        for key, entry in self.entries.items():
            old = before.entries.get(key)
            if old is not None and old.served.digest == entry.served.digest:
                entry.since, entry.since_s = old.since, old.since_s
