"""The check `equals`: the whole answer is the expected one."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.metrics.check import Check
from promptyard.metrics.comparison import (
    Normalization,
    accepted_values,
    answer_label,
    described,
    label_text,
    same_answer,
)
from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_text import InvalidJson, as_array, parse_json, shorten
from promptyard.records.base import Json, as_object
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score


class Equals(Check):
    """Compare the whole answer with what the case expects.

    Where both are JSON they are compared deeply (an expected text that reads as JSON is parsed,
    so "5" equals "5.0"): types count, the order of keys does not, that of arrays does, 1 equals
    1.0, null is not absent. Else they are compared as texts.

    Options:
        value: the expected value, when it is the same for all cases; default: the case's.
        normalize: `none`, `strip` (default), `casefold` or `squad`, for texts, also those inside
            JSON. Unicode is composed (NFC) in every mode.
        any_of: true makes an expected list a list of alternatives; default false, where it means
            deep equality. An expected `{"any_of": [...]}` always means alternatives.

    Fails with `wrong_value`, and with `invalid_json` too where an object or array was expected
    and the answer is not JSON. Soft, accuracy. Where the case expects a scalar or alternatives,
    `Score.label` is the answer, for confusions. A case that expects nothing is unscored.
    """

    name = "equals"
    tag = "wrong_value"
    option_names = ("value", "normalize", "any_of")

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.normalize: Normalization = self.normalize_option()
        self.any_of = self.options.flag("any_of")
        self.has_value = self.options.has("value")
        if self.has_value and not self._accepted(self.options.value("value")):
            raise self.options.wrong("value", "must be a list with at least one alternative")

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Compare with each accepted value in turn."""
        expected: Json = self.options.value("value") if self.has_value else case.expected
        if expected is None and not self.has_value:
            raise self.ungradable(case, "it expects nothing; give it 'expected'")
        accepted = self._accepted(expected)
        if not accepted:
            raise self.ungradable(case, "'expected' must be a list with at least one alternative")
        for value in accepted:
            if same_answer(value, completion.text, self.normalize):
                return self.passed(label=None if self.has_value else label_text(value))
        return (self._wrong(accepted, completion),)

    def _accepted(self, expected: Json) -> tuple[Json, ...]:
        return accepted_values(expected, any_of=self.any_of)

    def _wrong(self, accepted: Sequence[Json], completion: Completion) -> Score:
        label = None
        if not self.has_value and all(label_text(value) is not None for value in accepted):
            label = answer_label(completion.text, self.normalize, self.context.output.labels)
        return self.failed(
            completion,
            f"expected {described(accepted)}, got {shorten(completion.text)}",
            tags=("invalid_json", self.tag) if _needs_json(accepted, completion) else (),
            label=label,
        )


def _needs_json(accepted: Sequence[Json], completion: Completion) -> bool:
    if not all(as_object(value) is not None or as_array(value) is not None for value in accepted):
        return False
    try:
        parse_json(completion.text)
    except InvalidJson:
        return True
    return False
