"""The check `enum`: the answer, or one field of it, is one of a closed set of values."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.errors import ConfigError
from promptyard.metrics.check import JsonCheck
from promptyard.metrics.comparison import Normalization, described, same_answer, same_json
from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_text import ABSENT, lookup, path_parts, pointer, shorten
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score


class EnumValue(JsonCheck):
    """Check that the answer is one of a closed set of values.

    Options:
        values: the set; default: the labels of the prompt's output contract (whole answers only).
        field: a dotted path, to check one field of a JSON answer; default: the whole answer, as
            text or, where both are JSON, as JSON.
        normalize: `none`, `strip` (default), `casefold` or `squad`, for texts.
        allow_fence: as in `is_json`; only with `field`.

    Fails with `invalid_enum`; an absent field has `missing_required_field`, too. With `field`, an
    answer that is not JSON fails with `invalid_json`. Hard, validity.
    """

    name = "enum"
    tag = "invalid_enum"
    severity = "hard"
    dimension = "validity"
    option_names = ("values", "field", "normalize", "allow_fence")

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.normalize: Normalization = self.normalize_option()
        self.field = self.options.text("field") if self.options.has("field") else None
        if self.options.has("values"):
            self.values = self.options.array("values")
        elif self.field is None:
            self.values = context.output.labels
        else:
            self.values = ()
        if not self.values:
            raise ConfigError(
                f"check '{spec.type}': no values to choose from; give option 'values'"
                + ("" if self.field else " or labels in the prompt's output contract")
            )
        if self.field is None and self.options.has("allow_fence"):
            raise self.options.wrong("allow_fence", "has no meaning without 'field'")

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Compare the whole answer, or parse it to look at the field."""
        if self.field is not None:
            return await super().score(case, completion)
        text = completion.text
        if any(same_answer(value, text, self.normalize) for value in self.values):
            return self.passed()
        return (self.failed(completion, self._reason("the output", shorten(text))),)

    def grade(self, case: Case, completion: Completion, value: Json) -> Sequence[Score]:
        """Compare the field with each value of the set."""
        field = self.field or ""
        parts = path_parts(value, field)
        got = lookup(value, parts)
        if got is not ABSENT and any(same_json(gold, got, self.normalize) for gold in self.values):
            return self.passed(field=field)
        missing = got is ABSENT
        return (
            self.failed(
                completion,
                self._reason(f"the field '{field}'", "nothing" if missing else shorten(got)),
                tags=("missing_required_field", self.tag) if missing else (),
                field=field,
                path=pointer(parts),
            ),
        )

    def _reason(self, what: str, got: str) -> str:
        return f"{what} must be {described(self.values)}, got {got}"
