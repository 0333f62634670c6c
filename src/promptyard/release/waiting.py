"""Who owes an outcome: subjects (split) or pairs (shadow) whose outcome window is over."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from promptyard.records.guard_dimensions import FEWER, MISSING
from promptyard.release.columns import NOTHING, Columns, Pair

MOST_COUNTED = 1000
"""Outcomes of one subject beyond which more say nothing: they are a machine's."""


@dataclass(slots=True)
class _Wait:
    """Which arms owe an outcome to whom, and how many of each arm have come."""

    unit: str
    owes: tuple[int, ...]
    has: list[int] = field(default_factory=lambda: [0, 0])
    is_due: bool = False

    @property
    def missing(self) -> Pair:
        """1.0 for an arm that owes an outcome, 0.0 where it came, None where it is not due."""
        if not self.is_due:
            return NOTHING
        values = [float(not self.has[arm]) if arm in self.owes else None for arm in (0, 1)]
        return values[0], values[1]

    @property
    def counted(self) -> Pair:
        """ln(1 + outcomes) of an arm that owes any and is due; in pairs, which have one, nothing.

        A logarithm, so that few who call often do not hide what the others lose.
        """
        if not self.is_due or len(self.owes) > 1:
            return NOTHING
        values = [
            math.log1p(min(self.has[arm], MOST_COUNTED)) if arm in self.owes else None
            for arm in (0, 1)
        ]
        return values[0], values[1]


class Waiting:
    """Keeps the columns of missing and of fewer outcomes: who is due counts, with any or none.

    Those whose window is not over yet count in neither way: an outcome comes early or not at all,
    so counting the early ones would make every rate of missing ones too small.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._waits: dict[str, _Wait] = {}
        self._queue: deque[tuple[float, str]] = deque()

    def __contains__(self, key: str) -> bool:
        return key in self._waits

    def start(self, key: str, unit: str, owes: tuple[int, ...], at: float) -> None:
        """Wait for the outcomes of some arms from a time on, in seconds."""
        self._waits[key] = _Wait(unit, owes)
        latest = self._queue[-1][0] if self._queue else at
        self._queue.append((max(at, latest), key))  # a clock that was set back changes no order

    def arrive(self, key: str, arm: int) -> None:
        """Note that an outcome has come, late or in time."""
        wait = self._waits[key]
        missing, counted = wait.missing, wait.counted
        wait.has[arm] += 1
        self._columns.move(MISSING, wait.unit, missing, wait.missing)
        self._columns.move(FEWER, wait.unit, counted, wait.counted)

    def take_out(self, key: str) -> None:
        """Count somebody no more."""
        wait = self._waits.pop(key)
        self._columns.move(MISSING, wait.unit, wait.missing, NOTHING)
        self._columns.move(FEWER, wait.unit, wait.counted, NOTHING)

    def come_due(self, started_until: float) -> None:
        """Count all who have waited since that time or longer; it never goes back."""
        while self._queue and self._queue[0][0] <= started_until:
            _, key = self._queue.popleft()
            wait = self._waits.get(key)
            if wait is not None:
                wait.is_due = True
                self._columns.move(MISSING, wait.unit, NOTHING, wait.missing)
                self._columns.move(FEWER, wait.unit, NOTHING, wait.counted)
