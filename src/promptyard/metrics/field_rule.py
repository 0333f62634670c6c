"""What the rules share: they look at the whole answer, or at one field of a JSON answer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from promptyard.metrics.check import JsonCheck
from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_text import ABSENT, PathPart, lookup, path_parts, pointer
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score

FIELD_OPTIONS: tuple[str, ...] = ("field", "allow_null", "allow_absent", "allow_fence")


class Breach(NamedTuple):
    """How a rule is broken: the tag, and how a sentence about the field or the output goes on."""

    tag: str
    why: str


class FieldRule(JsonCheck):
    """A rule about the whole answer or about one field: subclasses say when a value breaks it.

    An absent field breaks it unless `allow_absent`, null does unless `allow_null`.
    """

    tag = "constraint_violation"
    severity = "hard"
    dimension = "validity"
    whole_is_json: bool = False

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.field = self.options.text("field") if self.options.has("field") else None
        self.allow_null = self.options.flag("allow_null")
        self.allow_absent = self.options.flag("allow_absent")
        for name in FIELD_OPTIONS[1:]:
            needs_field = name != "allow_fence" or not self.whole_is_json
            if self.field is None and needs_field and self.options.has(name):
                raise self.options.wrong(name, "has no meaning without 'field'")

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Look at the text of the answer, or parse it first."""
        if self.field is None and not self.whole_is_json:
            return self.told(completion, self.breach(case, completion.text))
        return await super().score(case, completion)

    def grade(self, case: Case, completion: Completion, value: Json) -> Sequence[Score]:
        """Look at the field, or at the whole value."""
        if self.field is None:
            return self.told(completion, self.breach(case, value))
        parts = path_parts(value, self.field)
        got = lookup(value, parts)
        breach: Breach | None = None
        if got is ABSENT:
            if not self.allow_absent:
                breach = Breach("missing_required_field", "is missing")
        elif got is not None or not self.allow_null:
            breach = self.breach(case, got)
        return self.told(completion, breach, parts)

    @abstractmethod
    def breach(self, case: Case, got: Json) -> Breach | None:
        """Say how a value breaks the rule, None where it does not. May raise MetricError."""

    def told(
        self, completion: Completion, breach: Breach | None, parts: Sequence[PathPart] | None = None
    ) -> Sequence[Score]:
        """Write the outcome as scores."""
        if breach is None:
            return self.passed(field=self.field)
        where = "the output" if self.field is None else f"the field '{self.field}'"
        return (
            self.failed(
                completion,
                f"{where} {breach.why}",
                tags=(self.tag_override or breach.tag,),
                field=self.field,
                path=None if parts is None else pointer(parts),
            ),
        )
