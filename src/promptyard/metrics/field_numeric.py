"""The check `field_numeric`: one field of a JSON answer is the expected number."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from promptyard.metrics.amounts import SCALES, scale_factor
from promptyard.metrics.check import JsonCheck
from promptyard.metrics.context import MetricContext
from promptyard.metrics.expected_number import Closeness, NumberGoal, goals_of, times, written
from promptyard.metrics.json_text import ABSENT, lookup, path_parts, pointer, shorten
from promptyard.metrics.number_text import number_of
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score


class FieldNumeric(JsonCheck):
    """Compare the number in one field of a JSON answer with the one that the case expects there.

    A number may also be written as a text, as in `numeric`; whether that is allowed is for
    `json_schema` to say. A bool is no number, null is not absent.

    Options:
        field: the field, as a dotted path (`total`, `lines.0.price`).
        value: the expected number, when it is the same for all cases, without a scale; default:
            the case's expected value at `field`: a number, a text that is one,
            `{"any_of": [...]}` or the inclusive range `{"min", "max"}`.
        tolerance: the largest difference that counts as equal, default 0.
        relative: the same as a share of the expected number, default 0; either suffices.
        scale: another field, whose word (percent, hundred, thousand, million, billion, trillion;
            absent, null or "" for none) multiplies the number, in the answer and in the
            expectation: 1.2 million is 1200 thousand.
        allow_fence: as in `is_json`.

    Fails with `wrong_value` and the field; an absent field has `missing_required_field`, one that
    is no number `wrong_type`, an unknown scale `invalid_enum`, too. Not JSON: `invalid_json`.
    Soft, accuracy. A case whose expectation has no number there is unscored.
    """

    name = "field_numeric"
    tag = "wrong_value"
    option_names = ("field", "value", "tolerance", "relative", "scale", "allow_fence")

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.field = self.options.text("field")
        self.closeness = Closeness.of(self.options)
        self.scale = self.options.text("scale") if self.options.has("scale") else None
        self.has_value = self.options.has("value")
        if self.has_value and not goals_of(self.options.value("value")):
            raise self.options.wrong(
                "value", "must be a number, {any_of} or {min, max}", self.options.value("value")
            )

    def require(self, case: Case) -> None:
        """A case without an expectation is unscored whatever the answer."""
        self._goals(case)

    def grade(self, case: Case, completion: Completion, value: Json) -> Sequence[Score]:
        """Compare the field, scaled, with each accepted number."""
        goals = self._goals(case)
        got = lookup(value, path_parts(value, self.field))
        number = number_of(got)
        if got is ABSENT:
            why = f"is missing; expected {written(goals)}"
            return (self._wrong(completion, value, why, "missing_required_field"),)
        if number is None:
            why = f"is no number; expected {written(goals)}, got {shorten(got)}"
            return (self._wrong(completion, value, why, "wrong_type"),)
        factor = self._factor(value)
        if factor is None:
            why = f"has an unknown scale in '{self.scale}'; known: {', '.join(SCALES)[2:]}"
            return (self._wrong(completion, value, why, "invalid_enum"),)
        scaled = times(number, factor)
        if any(self.closeness.meets(scaled, goal) for goal in goals):
            return self.passed(field=self.field)
        said = f"should be {written(goals)}, is {scaled:f}"
        return (self._wrong(completion, value, said),)

    def _wrong(self, completion: Completion, value: Json, why: str, *causes: str) -> Score:
        return self.failed(
            completion,
            f"the field '{self.field}' {why}",
            tags=(*causes, self.tag),
            field=self.field,
            path=pointer(path_parts(value, self.field)),
        )

    def _goals(self, case: Case) -> tuple[NumberGoal, ...]:
        if self.has_value:
            return goals_of(self.options.value("value"))
        gold = lookup(case.expected, path_parts(case.expected, self.field))
        goals = () if gold is ABSENT else goals_of(gold)
        factor = self._factor(case.expected)
        if not goals or factor is None:
            what = "number" if not goals else f"known scale in '{self.scale}' for the number"
            why = f"'expected' has no {what} in '{self.field}'; add it or give option 'value'"
            raise self.ungradable(case, why)
        return tuple(goal.scaled(factor) for goal in goals)

    def _factor(self, value: Json) -> Decimal | None:
        """Return what the scale field of an answer or expectation multiplies by."""
        if self.scale is None:
            return Decimal(1)
        return scale_factor(lookup(value, path_parts(value, self.scale)))
