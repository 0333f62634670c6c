"""The check `contains_json`: there is JSON somewhere in the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from promptyard.metrics.check import Check
from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_schema import JsonSchema
from promptyard.metrics.json_text import TooMuchText, as_array, json_within, shorten
from promptyard.records.base import Json, as_object
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score

Kind: TypeAlias = Literal["any", "object", "array"]
KINDS: tuple[Kind, ...] = ("any", "object", "array")


class ContainsJson(Check):
    """Check that JSON objects or arrays stand in the answer, with any text around them.

    The answer is read from left to right. Where `{` or `[` begins a value that is strict JSON (as
    in `is_json`), that value is found and reading goes on behind it; where the value breaks,
    reading goes on at the break. So an inner part of a broken or truncated value is never taken
    for a value. Scalars do not count.

    Options:
        allow: which values count: `any` (default), `object` or `array`. `[1]` is an array, also
            where it marks a source.
        exactly_one: true wants one value that counts and no more; default false: at least one.
        schema: a JSON Schema (as in `json_schema`) that one value must meet; with `exactly_one`
            the one.

    Fails with `invalid_json` where there is no value, with `constraint_violation` where there are
    several and `exactly_one` is set, and with the findings of `json_schema` where no value meets
    the schema: those of the value with the fewest, of equal ones the last. Hard, validity. An
    answer of more than a million characters, or with more than 10,000 broken values, is skipped
    as `too_large`.
    """

    name = "contains_json"
    tag = "invalid_json"
    severity = "hard"
    dimension = "validity"
    option_names = ("allow", "exactly_one", "schema")

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.allow: Kind = self.options.choice("allow", KINDS, "any")
        self.exactly_one = self.options.flag("exactly_one")
        self.schema: JsonSchema | None = None
        if self.options.has("schema"):
            options = {"schema": self.options.value("schema")}
            inner = spec.model_copy(update={"id": self.name, "options": options})
            self.schema = JsonSchema(inner, context)

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Find the values, then validate them."""
        try:
            values = [value for value in json_within(completion.text) if self._counts(value)]
        except TooMuchText as error:
            raise self.too_large(case, str(error)) from None
        if not values:
            what = "JSON" if self.allow == "any" else f"JSON {self.allow}"
            reason = f"there is no {what} in the output; got {shorten(completion.text)}"
            return (self.failed(completion, reason),)
        if self.exactly_one and len(values) > 1:
            reason = f"there are {len(values)} JSON values in the output, one is allowed"
            tag = self.tag_override or "constraint_violation"
            return (self.failed(completion, reason, tags=(tag,)),)
        return self.passed() if self.schema is None else self._best(case, completion, values)

    def _best(self, case: Case, completion: Completion, values: Sequence[Json]) -> Sequence[Score]:
        assert self.schema is not None
        best: Sequence[Score] | None = None
        for value in reversed(values):
            findings = self.schema.grade(case, completion, value)
            if findings[0].value == 1.0:
                return self.passed()
            if best is None or len(findings) < len(best):
                best = findings
        assert best is not None
        return best

    def _counts(self, value: Json) -> bool:
        if self.allow == "any":
            return True
        return (as_object(value) if self.allow == "object" else as_array(value)) is not None
