"""The check `range`: the answer, or one field of it, is a number within bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from promptyard.metrics.context import MetricContext
from promptyard.metrics.expected_number import NumberGoal, goals_of, written
from promptyard.metrics.extraction import NumberReader
from promptyard.metrics.field_rule import FIELD_OPTIONS, Breach, FieldRule
from promptyard.metrics.json_text import ABSENT, lookup, path_parts, shorten
from promptyard.metrics.number_text import number_of
from promptyard.metrics.options import Options
from promptyard.records.base import Json, as_object
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score

BOUNDS: tuple[str, ...] = ("min", "max", "exclusive_min", "exclusive_max")


class Range(FieldRule):
    """Check that the answer is a number within bounds.

    Numbers are read as in `numeric`; a bool is none, nor is NaN.

    Options:
        min: the least number allowed.
        max: the greatest number allowed.
        exclusive_min: every number allowed is greater.
        exclusive_max: every number allowed is less.
        field: a dotted path, to check one field of a JSON answer; default: the whole answer.
        extract: as in `numeric`, for whole answers; default `whole`.
        allow_null: true lets the field be null; default false.
        allow_absent: true lets the field be absent; default false.
        allow_fence: as in `is_json`; only with `field`.

    Without bounds, those of the case count: the expected value (at `field`) must then be
    `{"min", "max"}`, of which one may be missing, or `{"any_of": [...]}` of several such ranges.

    Fails with `constraint_violation` outside of the bounds, with `wrong_type` where there is no
    number, with `missing_required_field` where the field is absent, with `invalid_json` where a
    field is asked for and the answer is not JSON. Hard, validity. A case without a range is
    unscored where the check has no bounds.
    """

    name = "range"
    option_names = (*BOUNDS, "extract", *FIELD_OPTIONS)

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.bounds = Bounds.of(self.options)
        self.reader = NumberReader(self, self.options)
        if self.field is not None and self.options.has("extract"):
            raise self.options.wrong("extract", "is for whole answers, not for a field")

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Find the bounds first, then the number."""
        goals = self._goals(case)
        if self.field is not None:
            return await super().score(case, completion)
        number, tag = await self.reader.read(case, completion.text)
        if number is None:
            what = "holds nothing that matches" if tag == "pattern_mismatch" else "is no number"
            return self.told(completion, Breach(tag, f"{what}; got {shorten(completion.text)}"))
        return self.told(completion, self._outside(number, goals))

    def breach(self, case: Case, got: Json) -> Breach | None:
        """Compare the field with the bounds."""
        number = number_of(got)
        if number is None:
            return Breach("wrong_type", f"must be a number, got {shorten(got)}")
        return self._outside(number, self._goals(case))

    def _outside(self, number: Decimal, goals: Sequence[NumberGoal]) -> Breach | None:
        if self.bounds is not None:
            within, allowed = self.bounds.hold(number), str(self.bounds)
        else:
            within, allowed = any(goal.holds(number) for goal in goals), written(goals)
        if within:
            return None
        return Breach("constraint_violation", f"must be {allowed}, got {number:f}")

    def _goals(self, case: Case) -> Sequence[NumberGoal]:
        if self.bounds is not None:
            return ()
        expected = case.expected
        if self.field is not None:
            expected = lookup(expected, path_parts(expected, self.field))
        goals = goals_of(expected) if as_object(expected) is not None else ()
        if not goals:
            got = "nothing" if expected is ABSENT else shorten(expected)
            why = f"'expected' must have min or max, got {got}; or give the check bounds"
            raise self.ungradable(case, why)
        return goals


@dataclass(frozen=True)
class Bounds:
    """Up to four bounds on a number; those that were not given are None."""

    least: Decimal | None
    most: Decimal | None
    above: Decimal | None
    below: Decimal | None

    @classmethod
    def of(cls, options: Options) -> Bounds | None:
        """Read the options; None where none was given. Raises ConfigError for an empty range."""
        given = [options.number(name) for name in BOUNDS]
        if all(value is None for value in given):
            return None
        found = cls(*(None if value is None else Decimal(str(value)) for value in given))
        low, high = found.least, found.most
        if low is not None and high is not None and low > high:
            raise options.wrong("min", f"must not be more than 'max' ({high:f})", given[0])
        return found

    def hold(self, number: Decimal) -> bool:
        """Whether a number is within all bounds."""
        return (
            (self.least is None or number >= self.least)
            and (self.most is None or number <= self.most)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
        )

    def __str__(self) -> str:
        """Write the bounds in words."""
        bounds = (
            ("at least", self.least),
            ("more than", self.above),
            ("at most", self.most),
            ("less than", self.below),
        )
        return " and ".join(f"{word} {end:f}" for word, end in bounds if end is not None)
