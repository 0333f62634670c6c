"""The check `field_equals`: one field of a JSON answer has the expected value."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.metrics.check import JsonCheck
from promptyard.metrics.comparison import (
    Normalization,
    accepted_values,
    described,
    label_text,
    same_json,
)
from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_text import ABSENT, find, path_parts, pointer, shorten
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score


class FieldEquals(JsonCheck):
    """Compare one field of a JSON answer with the same field of what the case expects.

    Compared deeply, as in `equals`: types count (true is not 1, "1" is not 1), null is not
    absent, arrays keep their order. An expected `{"any_of": [...]}` accepts each alternative.

    Options:
        field: the field, as a dotted path (`customer.name`, `lines.0.price`).
        value: the expected value, when it is the same for all cases; default: the case's
            expected value at `field`. A case whose expectation lacks the field is unscored.
        normalize: `none`, `strip` (default), `casefold` or `squad`, for the texts in it.
        allow_fence: as in `is_json`.

    Fails with `wrong_value` and the field; an absent field has `missing_required_field`, too. Not
    JSON: `invalid_json`. Soft, accuracy. A scalar answer is also given as `Score.label`.
    """

    name = "field_equals"
    tag = "wrong_value"
    option_names = ("field", "value", "normalize", "allow_fence")

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.field = self.options.text("field")
        self.normalize: Normalization = self.normalize_option()
        self.has_value = self.options.has("value")
        if self.has_value and not accepted_values(self.options.value("value"), any_of=False):
            raise self.options.wrong("value", "needs at least one alternative in 'any_of'")

    def require(self, case: Case) -> None:
        """A case without an expectation is unscored whatever the answer."""
        self._accepted(case)

    def grade(self, case: Case, completion: Completion, value: Json) -> Sequence[Score]:
        """Compare the field with each accepted value in turn."""
        accepted = self._accepted(case)
        got = find(value, self.field)
        if got is ABSENT:
            return (
                self.failed(
                    completion,
                    f"the field '{self.field}' is missing; expected {described(accepted)}",
                    tags=("missing_required_field", self.tag),
                    field=self.field,
                    path=pointer(path_parts(value, self.field)),
                ),
            )
        for gold in accepted:
            if same_json(gold, got, self.normalize):
                return self.passed(field=self.field, label=label_text(gold))
        return (
            self.failed(
                completion,
                f"the field '{self.field}': expected {described(accepted)}, got {shorten(got)}",
                field=self.field,
                path=pointer(path_parts(value, self.field)),
                label=label_text(got),
            ),
        )

    def _accepted(self, case: Case) -> tuple[Json, ...]:
        gold = self.options.value("value") if self.has_value else find(case.expected, self.field)
        if gold is ABSENT:
            why = f"'expected' has no field '{self.field}'; add it or give option 'value'"
            raise self.ungradable(case, why)
        accepted = accepted_values(gold, any_of=False)
        if not accepted:
            raise self.ungradable(case, f"'expected.{self.field}' has an empty 'any_of'")
        return accepted
