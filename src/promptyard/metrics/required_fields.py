"""The check `required_fields`: a JSON answer has these fields, and something in them."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.metrics.check import JsonCheck, shared_weight
from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_text import ABSENT, field_name, lookup, path_parts, pointer
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score


class RequiredFields(JsonCheck):
    """Check that a JSON answer has certain fields. Absent, null and "" are three things.

    Options:
        fields: the fields, as dotted paths (`customer.name`, `lines.0.price`).
        allow_null: true lets a field be null; default false.
        allow_empty: true lets a field be the empty text; default false. Empty lists and objects
            are values and always allowed.
        allow_fence: as in `is_json`.

    One finding a field: `missing_required_field` where it is absent, `wrong_type` where it is
    null, `constraint_violation` where it is "". Not JSON: `invalid_json`. Hard, validity.
    """

    name = "required_fields"
    tag = "missing_required_field"
    severity = "hard"
    dimension = "validity"
    option_names = ("fields", "allow_null", "allow_empty", "allow_fence")

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.fields = self.options.texts("fields")
        self.allow_null = self.options.flag("allow_null")
        self.allow_empty = self.options.flag("allow_empty")

    def grade(self, case: Case, completion: Completion, value: Json) -> Sequence[Score]:
        """Look at each field in turn."""
        findings = [
            finding
            for field in self.fields
            if (finding := self._finding(completion, value, field)) is not None
        ]
        return shared_weight(findings) if findings else self.passed()

    def _finding(self, completion: Completion, value: Json, field: str) -> Score | None:
        parts = path_parts(value, field)
        found = lookup(value, parts)
        if found is ABSENT:
            tag, why = "missing_required_field", "is missing"
        elif found is None and not self.allow_null:
            tag, why = "wrong_type", "is null"
        elif found == "" and not self.allow_empty:
            tag, why = "constraint_violation", "is the empty text"
        else:
            return None
        return self.failed(
            completion,
            f"the field '{field}' {why}; expected a value",
            tags=(self.tag_override or tag,),
            field=field_name(parts) or field,
            path=pointer(parts),
        )
