"""Decides a rollout again, from the events that were stored, and says where that differs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from promptyard.records.base import Json
from promptyard.records.live import StoredEvent
from promptyard.records.rollouts import ENGINE, Decision, RolloutRecord
from promptyard.release.look import look
from promptyard.release.tally import Tally

_SET_BY_THE_STORE = frozenset({"moved_at", "approved_by", "request_id"})


@dataclass(frozen=True)
class ReplayedDecision:
    """A stored decision beside the one that its events give now.

    `again` is None for a decision of a person (`is_by_hand`), which nothing is computed for, and
    where a look at these events decides nothing. `differences` name the fields that differ.
    """

    stored: Decision
    again: Decision | None
    is_by_hand: bool
    differences: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether the replay gives what was stored."""
        return not self.differences


def replay(record: RolloutRecord, events: Sequence[StoredEvent]) -> tuple[ReplayedDecision, ...]:
    """Decide again after each stored decision what the engine decided next.

    `events` are all live events of the rollout, in the order of their numbers; each decision sees
    those up to its `through`, at its own time. Decisions of anybody but the engine are taken as
    they are. Figures count as equal to 1 part in a billion: other machines round otherwise. Raises
    ValueError where the numbers of the events do not ascend. Costs no calls.
    """
    numbers = [event.seq for event in events]
    if any(b <= a for a, b in itertools.pairwise(numbers)):
        raise ValueError("events are replayed in the order of their numbers, each once")
    tally = Tally(record.rollout)
    waiting = iter(events)
    ahead = next(waiting, None)
    found: list[ReplayedDecision] = []
    for number, stored in enumerate(record.decisions[1:], start=1):
        while ahead is not None and ahead.seq <= stored.through:
            tally.add(ahead)
            ahead = next(waiting, None)
        if stored.actor != ENGINE:
            found.append(ReplayedDecision(stored, None, is_by_hand=True))
            continue
        known = RolloutRecord(rollout=record.rollout, decisions=record.decisions[:number])
        moved = stored.action == "abort"
        again = look(
            known,
            tally,
            now=stored.at,
            pointer_number=stored.pointer_at if moved else record.rollout.control,
            actor=stored.actor,
        )
        found.append(_compared(stored, again))
    return tuple(found)


def _compared(stored: Decision, again: Decision | None) -> ReplayedDecision:
    if again is None:
        return ReplayedDecision(stored, None, is_by_hand=False, differences=("no decision",))
    one, two = stored.model_dump(mode="json"), again.model_dump(mode="json")
    return ReplayedDecision(stored, again, is_by_hand=False, differences=tuple(_differ(one, two)))


def _differ(one: Json, two: Json, where: str = "") -> Iterator[str]:
    """Yield the paths at which two JSON values differ."""
    if isinstance(one, Mapping) and isinstance(two, Mapping):
        first, second = cast("Mapping[str, Json]", one), cast("Mapping[str, Json]", two)
        for key in sorted({*first, *second} - _SET_BY_THE_STORE):
            path = f"{where}.{key}" if where else key
            yield from _differ(first.get(key), second.get(key), path)
    elif isinstance(one, list) and isinstance(two, list) and len(one) == len(two):  # pyright: ignore[reportUnknownArgumentType]
        rows = zip(cast("list[Json]", one), cast("list[Json]", two), strict=True)
        for number, (mine, theirs) in enumerate(rows):
            yield from _differ(mine, theirs, f"{where}[{number}]")
    elif not _is_same(one, two):
        yield where


def _is_same(one: Json, two: Json) -> bool:
    if isinstance(one, float) and isinstance(two, float):
        return math.isclose(one, two, rel_tol=1e-9, abs_tol=1e-12)
    return bool(one == two)
