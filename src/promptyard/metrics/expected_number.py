"""What number a case expects: one, one of several, or one within a range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal

from promptyard.metrics.comparison import accepted_values
from promptyard.metrics.json_text import shorten
from promptyard.metrics.number_text import number_of
from promptyard.metrics.options import Options
from promptyard.records.base import Json, as_object

_EXACT = Context(prec=60)
"""More digits than any double has: sums and products of what people write are exact."""


@dataclass(frozen=True)
class NumberGoal:
    """An inclusive range, of which one end may be open; a single number has two equal ends."""

    low: Decimal | None
    high: Decimal | None

    def __str__(self) -> str:
        """Write the number, or the range in words."""
        if self.low is not None and self.low == self.high:
            return f"{self.low:f}"
        ends = (("at least", self.low), ("at most", self.high))
        return " and ".join(f"{word} {end:f}" for word, end in ends if end is not None)

    def scaled(self, factor: Decimal) -> NumberGoal:
        """Multiply both ends."""
        low, high = (None if end is None else times(end, factor) for end in (self.low, self.high))
        return NumberGoal(low, high)

    def holds(self, number: Decimal) -> bool:
        """Whether a number lies in the range."""
        above = self.low is None or self.low <= number
        return above and (self.high is None or number <= self.high)

    def nearness(self, number: Decimal) -> float:
        """Return 1 - |a - b| / max(|a|, |b|) in [0, 1], b being the nearer end of the range."""
        if self.holds(number):
            return 1.0
        end = self.low if self.low is not None and number < self.low else self.high
        assert end is not None
        largest = max(abs(number), abs(end))
        return max(0.0, 1.0 - float(_EXACT.divide(_distance(number, end), largest)))


@dataclass(frozen=True)
class Closeness:
    """How far a number may be from the expected one: absolutely, or as a share of it."""

    tolerance: Decimal
    relative: Decimal

    @classmethod
    def of(cls, options: Options) -> Closeness:
        """Read the options `tolerance` and `relative`, both 0 or more and 0 by default."""
        given = (options.number(name, least=0.0) for name in ("tolerance", "relative"))
        tolerance, relative = (Decimal(str(value or 0)) for value in given)
        return cls(tolerance, relative)

    def meets(self, number: Decimal, goal: NumberGoal) -> bool:
        """Whether a number is in the goal's range, or near enough to a single number."""
        if goal.holds(number):
            return True
        if goal.low is None or goal.low != goal.high:
            return False
        allowed = max(self.tolerance, times(self.relative, abs(goal.low)))
        return _distance(number, goal.low) <= allowed


def goals_of(expected: Json) -> tuple[NumberGoal, ...]:
    """Read an expected number, `{"any_of": [...]}` or `{"min", "max"}`; empty for all else."""
    goals = tuple(_goal(value) for value in accepted_values(expected, any_of=False))
    known = tuple(goal for goal in goals if goal is not None)
    return known if len(known) == len(goals) else ()


def written(goals: Sequence[NumberGoal]) -> str:
    """Write the goals for a reason."""
    if len(goals) == 1:
        return str(goals[0])
    return "one of " + shorten([str(goal) for goal in goals], 100)


def times(number: Decimal, factor: Decimal) -> Decimal:
    """Multiply exactly."""
    return _EXACT.multiply(number, factor)


def _goal(value: Json) -> NumberGoal | None:
    ends = as_object(value)
    if ends is None:
        number = number_of(value)
        return None if number is None else NumberGoal(number, number)
    if not ends or not set(ends) <= {"min", "max"}:
        return None
    numbers = {name: number_of(end) for name, end in ends.items()}
    if None in numbers.values():
        return None
    low, high = numbers.get("min"), numbers.get("max")
    return None if low is not None and high is not None and low > high else NumberGoal(low, high)


def _distance(one: Decimal, other: Decimal) -> Decimal:
    return abs(_EXACT.subtract(one, other))
