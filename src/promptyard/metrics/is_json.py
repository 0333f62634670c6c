"""The check `is_json`: the answer is JSON and nothing but JSON."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.metrics.check import JsonCheck
from promptyard.metrics.json_text import InvalidJson
from promptyard.records.base import Json
from promptyard.records.cases import Case
from promptyard.records.messages import Completion
from promptyard.records.scores import Score


class IsJson(JsonCheck):
    """Check that the whole answer is one JSON value by RFC 8259.

    Any value counts, scalars too. Refused are NaN and Infinity, a key that occurs twice in one
    object, text before or after the value, numbers out of range, nesting deeper than 200 levels.

    Options:
        allow_fence: true takes off one Markdown fence (``` or ```json) around the whole answer;
            default false.

    Fails with `invalid_json`. Hard, validity.
    """

    name = "is_json"
    tag = "invalid_json"
    severity = "hard"
    dimension = "validity"
    option_names = ("allow_fence",)

    def grade(self, case: Case, completion: Completion, value: Json) -> Sequence[Score]:
        """Pass: the answer has been parsed."""
        return self.passed()

    def not_json(self, completion: Completion, error: InvalidJson) -> Score:
        """The finding of this check itself, which a user's tag may rename."""
        finding = super().not_json(completion, error)
        renamed = (self.tag if tag == "invalid_json" else tag for tag in finding.tags)
        return finding.model_copy(update={"tags": tuple(renamed)})
