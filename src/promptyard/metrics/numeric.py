"""The checks `numeric` and `numeric_diff`: the answer is a number, equal to or near a known one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from decimal import Decimal

from promptyard.metrics.check import Check
from promptyard.metrics.context import MetricContext
from promptyard.metrics.expected_number import Closeness, NumberGoal, goals_of, written
from promptyard.metrics.extraction import NumberReader
from promptyard.metrics.json_text import shorten
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score


class NumberCheck(Check):
    """Read one number out of the answer and grade it against the case's.

    Subclasses say what a number is worth.
    """

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.reader = NumberReader(self, self.options)
        self.has_value = self.options.has("value")
        if self.has_value and not goals_of(self.options.value("value")):
            raise self.options.wrong(
                "value", "must be a number, {any_of} or {min, max}", self.options.value("value")
            )

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Find the expectation first: a case without one is unscored whatever the answer."""
        goals = await self._goals(case)
        number, tag = await self.reader.read(case, completion.text)
        if number is None:
            what = "holds nothing that matches" if tag == "pattern_mismatch" else "is no number"
            how = "" if self.reader.way == "whole" else f" (extract: {self.reader.way})"
            reason = f"the output {what}{how}; got {shorten(completion.text)}"
            return (self.failed(completion, reason, tags=(tag, self.tag)),)
        return (self.graded(completion, number, goals),)

    @abstractmethod
    def graded(self, completion: Completion, number: Decimal, goals: Sequence[NumberGoal]) -> Score:
        """Grade the number."""

    async def _goals(self, case: Case) -> Sequence[NumberGoal]:
        expected: Json = self.options.value("value") if self.has_value else case.expected
        goals = goals_of(expected)
        if not goals and isinstance(expected, str) and self.reader.way != "whole":
            number, _ = await self.reader.read(case, expected)
            goals = goals_of(None if number is None else str(number))
        if not goals:
            raise self.ungradable(
                case, f"'expected' must be a number, any_of or min and max, got {shorten(expected)}"
            )
        return goals


class Numeric(NumberCheck):
    """Check that the answer is a number equal to the expected one, or near enough.

    A number may have a sign, thousands in groups (`1,234`), a decimal point, an exponent (`1e6`,
    `1.5 × 10^6`), a currency sign, a percent sign (45% is 45) and a full stop at its end. `1,5`
    is no number, nor are NaN, infinity and true. Numbers are compared in decimal, so that 1.01
    is within 0.01 of 1.

    Options:
        value: the expected number, when it is the same for all cases; default: the case's, as a
            number, a text that is one, `{"any_of": [...]}` or the inclusive range
            `{"min", "max"}`, of which one may be missing.
        tolerance: the largest difference that counts as equal, default 0.
        relative: the same as a share of the expected number, default 0; either suffices. Neither
            widens a range.
        extract: `whole` (default: the answer is the number), `first` or `last` number in the
            answer, or a regular expression, of whose last match the first group (else the whole
            match) must be a number; it may take 1 s. An expected text is read in the same way.

    Fails with `wrong_value`; where there is no number with `wrong_type`, too, or with
    `pattern_mismatch` where the expression does not match. Soft, accuracy. A case without an
    expected number is unscored.
    """

    name = "numeric"
    tag = "wrong_value"
    option_names = ("value", "tolerance", "relative", "extract")

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.closeness = Closeness.of(self.options)

    def graded(self, completion: Completion, number: Decimal, goals: Sequence[NumberGoal]) -> Score:
        """Pass where the number meets one of the goals."""
        if any(self.closeness.meets(number, goal) for goal in goals):
            return self.passed()[0]
        return self.failed(completion, f"expected {written(goals)}, got {number:f}")


class NumericDiff(NumberCheck):
    """Grade how near a number comes: 1 - |a - b| / max(|a|, |b|), never below 0.

    Equal numbers give 1, also two zeros; numbers of different sign give 0. Of alternatives the
    nearest counts, and within a range every number gives 1, outside its distance to the nearer
    end counts. Numbers are read as in `numeric`.

    Options:
        value: the expected number, as in `numeric`; default: the case's.
        threshold: at or above it the value is 1.0; default 1.
        extract: as in `numeric`, default `whole`.

    Below 1.0 it has the tag `low_overlap`; an answer without a number (NaN is none) is 0 and has
    `wrong_type` or `pattern_mismatch`, too. Soft, accuracy.
    """

    name = "numeric_diff"
    tag = "low_overlap"
    option_names = ("value", "threshold", "extract")

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.threshold = self.options.share("threshold", default=1.0)

    def graded(self, completion: Completion, number: Decimal, goals: Sequence[NumberGoal]) -> Score:
        """Take the nearest goal."""
        value = max(goal.nearness(number) for goal in goals)
        if value >= self.threshold:
            return self.passed()[0]
        reason = f"expected {written(goals)}, got {number:f}: {value:.3g} near"
        return self.partly(completion, value, reason)
