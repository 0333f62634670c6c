"""Running sums of one value a subject, per dimension and arm; values may change and go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from promptyard.records.guard_dimensions import HARD_FAILURES
from promptyard.release.standing import Column
from promptyard.stats.confidence_sequence import Sample

Pair: TypeAlias = tuple[float | None, float | None]
"""A value of the control and one of the treatment."""

NOTHING: Pair = (None, None)


@dataclass(slots=True)
class _Sums:
    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    def replace(self, before: float | None, after: float | None) -> None:
        if before is not None:
            self.n -= 1
            self.total -= before
            self.squares -= before * before
        if after is not None:
            self.n += 1
            self.total += after
            self.squares += after * after
        if not self.n:  # nothing is left of rounding either
            self.total = self.squares = 0.0

    def sample(self) -> Sample:
        return Sample.of_sums(self.n, self.total, self.squares)


_Cell: TypeAlias = list[float]
"""The answers of one subject in one dimension: number and sum in the control, in the treatment.

A plain list, as a rollout has one for each subject and dimension.
"""


@dataclass(slots=True)
class _Column:
    arms: tuple[_Sums, _Sums] = field(default_factory=lambda: (_Sums(), _Sums()))
    difference: _Sums = field(default_factory=_Sums)
    cells: dict[str, _Cell] = field(default_factory=dict[str, _Cell])


class Columns:
    """One column a dimension. A subject's value is the mean of its answers.

    For hard failures it is 1 if any answer failed. With `is_paired` the caller moves pairs: then
    the differences within subjects are summed, too.
    """

    def __init__(self, *, is_paired: bool) -> None:
        self._is_paired = is_paired
        self._columns: dict[str, _Column] = {}

    def move(self, name: str, subject: str, before: Pair, after: Pair) -> None:
        """Put one answer's (or pair's) value in the place of the one it had; None is none."""
        if before == after:
            return
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = _Column()
        cell = column.cells.get(subject)
        if cell is None:
            cell = column.cells[subject] = [0, 0.0, 0, 0.0]
        any_counts = name == HARD_FAILURES
        earlier = _difference(cell, any_counts=any_counts) if self._is_paired else None
        for arm in (0, 1):
            if before[arm] == after[arm]:
                continue
            old = _value(cell, arm, any_counts=any_counts)
            _replace(cell, arm, before[arm], after[arm])
            new = _value(cell, arm, any_counts=any_counts)
            if old != new:
                column.arms[arm].replace(old, new)
        if self._is_paired:
            column.difference.replace(earlier, _difference(cell, any_counts=any_counts))

    def samples(self) -> dict[str, Column]:
        """Return the columns that have a value, as samples."""
        return {
            name: Column(
                control=column.arms[0].sample(),
                treatment=column.arms[1].sample(),
                difference=column.difference.sample() if self._is_paired else None,
            )
            for name, column in self._columns.items()
            if column.arms[0].n or column.arms[1].n
        }


def _value(cell: _Cell, arm: int, *, any_counts: bool) -> float | None:
    n, total = cell[2 * arm], cell[2 * arm + 1]
    if not n:
        return None
    return float(total > 0.0) if any_counts else total / n


def _replace(cell: _Cell, arm: int, before: float | None, after: float | None) -> None:
    n, total = 2 * arm, 2 * arm + 1
    if before is not None:
        cell[n] -= 1
        cell[total] -= before
    if after is not None:
        cell[n] += 1
        cell[total] += after
    if not cell[n]:  # nothing is left of rounding either
        cell[total] = 0.0


def _difference(cell: _Cell, *, any_counts: bool) -> float | None:
    control = _value(cell, 0, any_counts=any_counts)
    treatment = _value(cell, 1, any_counts=any_counts)
    return None if control is None or treatment is None else treatment - control
