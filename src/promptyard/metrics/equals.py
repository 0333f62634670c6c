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
    normalized,
    same_answer,
)
from promptyard.metrics.context import MetricContext
from promptyard.metrics.extraction import last_match, pattern_option
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
        as_text: true compares an expected text, number or boolean as the text it is, also where
            both read as JSON, so "5" is not "5.0"; default false.
        extract: a regular expression, whose last match in the answer is compared instead of all of
            it: the first group, else the whole match. `[(][A-D][)]` finds the choice at the end
            of a chain of thought. Expected texts go through it, too, where it matches them. It
            may take 1 s; flags are written inside (`(?i)`).

    Fails with `wrong_value`, and with `invalid_json` too where an object or array was expected
    and the answer is not JSON, or with `pattern_mismatch` where `extract` finds nothing. Soft,
    accuracy. Where the case expects a scalar or alternatives, `Score.label` is the answer, for
    confusions. A case that expects nothing is unscored.
    """

    name = "equals"
    other_names = ("exact_match",)
    tag = "wrong_value"
    option_names = ("value", "normalize", "any_of", "as_text", "extract")

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.normalize: Normalization = self.normalize_option()
        self.any_of = self.options.flag("any_of")
        self.as_text = self.options.flag("as_text")
        self.has_value = self.options.has("value")
        if self.has_value and not self._accepted(self.options.value("value")):
            raise self.options.wrong("value", "must be a list with at least one alternative")
        has_pattern = self.options.has("extract")
        self.pattern = pattern_option(self.options, "extract") if has_pattern else None

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Compare with each accepted value in turn."""
        expected: Json = self.options.value("value") if self.has_value else case.expected
        if expected is None and not self.has_value:
            raise self.ungradable(case, "it expects nothing; give it 'expected'")
        accepted = self._accepted(expected)
        if not accepted:
            raise self.ungradable(case, "'expected' must be a list with at least one alternative")
        answer = completion.text
        compared = accepted
        if self.pattern is not None:
            found = await last_match(self, case, self.pattern, answer)
            if found is None:
                return (self._not_found(accepted, completion, self.pattern),)
            answer = found
            compared = [await self._extracted(case, value) for value in accepted]
        for value, gold in zip(accepted, compared, strict=True):
            if self._same(gold, answer):
                return self.passed(label=None if self.has_value else label_text(value))
        return (self._wrong(accepted, completion, answer),)

    def _same(self, gold: Json, answer: str) -> bool:
        text = label_text(gold) if self.as_text else None
        if text is None:
            return same_answer(gold, answer, self.normalize)
        return normalized(text, self.normalize) == normalized(answer, self.normalize)

    def _accepted(self, expected: Json) -> tuple[Json, ...]:
        return accepted_values(expected, any_of=self.any_of)

    async def _extracted(self, case: Case, value: Json) -> Json:
        if self.pattern is None or not isinstance(value, str):
            return value
        found = await last_match(self, case, self.pattern, value)
        return value if found is None else found

    def _wrong(self, accepted: Sequence[Json], completion: Completion, answer: str) -> Score:
        return self.failed(
            completion,
            f"expected {described(accepted)}, got {shorten(answer)}",
            tags=("invalid_json", self.tag) if _needs_json(accepted, answer) else (),
            label=self._label(accepted, answer),
        )

    def _not_found(self, accepted: Sequence[Json], completion: Completion, pattern: str) -> Score:
        return self.failed(
            completion,
            f"expected {described(accepted)}, but nothing in the output matches "
            f"{shorten(pattern)}; got {shorten(completion.text)}",
            tags=("pattern_mismatch", self.tag),
            label=self._label(accepted, completion.text),
        )

    def _label(self, accepted: Sequence[Json], answer: str) -> str | None:
        if self.has_value or any(label_text(value) is None for value in accepted):
            return None
        return answer_label(answer, self.normalize, self.context.output.labels)


def _needs_json(accepted: Sequence[Json], answer: str) -> bool:
    if not all(as_object(value) is not None or as_array(value) is not None for value in accepted):
        return False
    try:
        parse_json(answer)
    except InvalidJson:
        return True
    return False
