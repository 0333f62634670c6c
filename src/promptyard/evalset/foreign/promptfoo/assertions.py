"""Turns the assertions of promptfoo into checks of ours; what cannot be run becomes a skip.

All checks are soft: in promptfoo the score of a test is the weighted mean of its assertions, and a
test passes when all do, which is our score with a `pass_at` of 1. Source of the semantics:
promptfoo.dev/docs/configuration/expected-outputs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from promptyard.errors import EvalSetError
from promptyard.evalset.foreign.checks import Notes, Unsupported, is_skip, skip_check
from promptyard.evalset.foreign.promptfoo.checks_by_type import (
    CONVERT,
    Conversion,
    Given,
    is_number,
)
from promptyard.evalset.foreign.promptfoo.grammar import assertion_of
from promptyard.evalset.foreign.promptfoo.native import check_in
from promptyard.evalset.foreign.promptfoo.templates import fill
from promptyard.evalset.foreign.source_files import SCHEME, SourceFiles, code_language
from promptyard.evalset.wording import one_line
from promptyard.records.base import Json, as_list, as_object

SET = "assert-set"
TRIM = ("output.trim()", "output.trim();")
KNOWN_KEYS = (
    "type", "value", "threshold", "weight", "metric", "assert", "config", "provider",
    "rubricPrompt", "transform", "contextTransform", "normalizeUnicode",
)  # fmt: skip


@dataclass(frozen=True)
class FooTest:
    """One test of promptfoo with its defaults merged in and its arrays of variables expanded."""

    at: str
    variables: Mapping[str, Json]
    asserts: Sequence[Json] = ()
    threshold: Json = None
    options: Mapping[str, Json] = field(default_factory=dict[str, Json])
    metadata: Mapping[str, Json] = field(default_factory=dict[str, Json])
    description: str = ""
    cluster: str | None = None


def checks_of(
    test: FooTest, files: SourceFiles, notes: Notes, tools: Json = None
) -> list[dict[str, Json]]:
    """Return the checks of a test; a threshold over all assertions makes them one `weighted` check.

    `tools` are those that the provider of the configuration has. Raises EvalSetError for what is
    no assertion.
    """
    converter = _Converter(test, files, notes, tools)
    checks = [converter.check(item) for item in test.asserts]
    if test.threshold is None or not checks:
        return checks
    source: Json = {"threshold": test.threshold, "assert": list(test.asserts)}
    return _together(checks, test.threshold, source, "a threshold over all assertions")


class _Converter:
    """Converts the assertions of one test."""

    def __init__(self, test: FooTest, files: SourceFiles, notes: Notes, tools: Json) -> None:
        self._test = test
        self._tools = tools
        self._files = files
        self._notes = notes
        self._blocked = _what_blocks(test.options)

    def check(self, item: Json) -> dict[str, Json]:
        """Return what one assertion becomes."""
        assertion = self._assertion(item)
        native = check_in(assertion)
        if native is not None:
            return native
        return self._set(assertion) if assertion["type"] == SET else self._check(assertion)

    def _assertion(self, item: Json) -> Mapping[str, Json]:
        assertion = assertion_of(item) if isinstance(item, str) else as_object(item)
        if assertion is None or not isinstance(assertion.get("type"), str):
            raise EvalSetError(
                f"{self._test.at}: expected an assertion with the key 'type', got "
                f"{one_line(repr(item))}"
            )
        for key in assertion:
            if key not in KNOWN_KEYS:
                self._notes.add(f"the key '{one_line(key)}' of assertions is not known; left out")
        return assertion

    def _set(self, assertion: Mapping[str, Json]) -> dict[str, Json]:
        """Keep a set together: all of its assertions, or a mean from the threshold on."""
        items = as_list(assertion.get("assert"))
        if not items:
            raise EvalSetError(f"{self._test.at}: an assert-set needs a list under 'assert'")
        parts = [self._check(self._assertion(item)) for item in items]
        try:
            common = self._common(assertion)
        except Unsupported as reason:
            return skip_check(f"promptfoo {SET}: {reason}", dict(assertion))
        found = _together(parts, assertion.get("threshold"), dict(assertion), SET)[0]
        return found if is_skip(found) else {**found, **common}

    def _check(self, assertion: Mapping[str, Json]) -> dict[str, Json]:
        kind = cast("str", assertion["type"])
        base = kind.removeprefix("not-")
        try:
            check = self._conversion(base)(self._given(base, assertion))
            common = self._common(assertion)
        except Unsupported as reason:
            said = f"{kind}: {reason}" if str(reason) else kind
            return skip_check(f"promptfoo {said}", dict(assertion))
        negated = "not:" if kind != base else ""
        return {**check, "type": f"{negated}{check['type']}", **common}

    def _conversion(self, base: str) -> Conversion:
        if self._blocked:
            raise Unsupported(f"after {self._blocked}")
        if base not in CONVERT:
            raise Unsupported
        return CONVERT[base]

    def _common(self, assertion: Mapping[str, Json]) -> dict[str, Json]:
        """Return the keys that every check may have: id, weight, severity."""
        common: dict[str, Json] = {}
        metric = assertion.get("metric")
        if isinstance(metric, str) and metric:
            common["id"] = fill(metric, self._test.variables)
        weight = assertion.get("weight")
        if weight is not None:
            if not is_number(weight) or weight < 0 or not math.isfinite(weight):
                raise Unsupported(f"a weight of {one_line(repr(weight))}")
            if weight == 0:
                raise Unsupported("weight 0, which is reported and never graded")
            if weight != 1:
                common["weight"] = weight
        if assertion.get("provider") is not None:
            self._notes.add(
                "assertions name a grader of their own; set `models.judge` in task.yaml instead"
            )
        if assertion.get("rubricPrompt") is not None:
            self._notes.add("assertions have a grader prompt of their own; ours is used instead")
        return {**common, "severity": "soft"}

    def _given(self, base: str, assertion: Mapping[str, Json]) -> Given:
        transform = assertion.get("transform")
        trimmed = transform in TRIM or self._test.options.get("transform") in TRIM
        if transform is not None and transform not in TRIM:
            raise Unsupported("after a transform")
        threshold = assertion.get("threshold")
        if threshold is not None and not is_number(threshold):
            raise Unsupported(f"a threshold of {one_line(repr(threshold))}")
        return Given(
            base=base,
            value=self._value(assertion.get("value")),
            threshold=threshold,
            trimmed=trimmed,
            variables=self._test.variables,
            factuality=as_object(self._test.options.get("factuality")) or {},
            tools=self._tools,
            notes=self._notes,
        )

    def _value(self, value: Json) -> Json:
        """Follow files and fill templates; objects stay as they are, as in promptfoo."""
        items = as_list(value)
        if items is not None:
            return [self._value(item) for item in items]
        if not isinstance(value, str):
            return value
        if value.startswith(SCHEME):
            if language := code_language(value):
                raise Unsupported(f"{language} is not run")
            return self._files.one(value)
        if value.startswith("package:"):
            raise Unsupported("JavaScript is not run")
        return fill(value, self._test.variables)


def _together(
    parts: list[dict[str, Json]], threshold: Json, source: Json, what: str
) -> list[dict[str, Json]]:
    """Return one check of several: all of them, or their mean from a threshold on.

    A part that cannot be run stays inside, so that the whole is skipped where it depends on it.
    """
    if threshold is None:
        return [{"type": "all_of", "checks": parts, "severity": "soft"}]
    if not is_number(threshold) or not 0 < threshold <= 1:
        return [skip_check(f"promptfoo {what}: a threshold of {one_line(repr(threshold))}", source)]
    return [{"type": "weighted", "threshold": threshold, "checks": parts, "severity": "soft"}]


def _what_blocks(options: Mapping[str, Json]) -> str | None:
    """Return what happens in promptfoo before the assertions and cannot happen here, if anything.

    Assertions on an answer that was changed first say nothing about the answer as it came.
    """
    transform = options.get("transform", options.get("postprocess"))
    if transform is not None and transform not in TRIM:
        return "a transform of the output"
    if options.get("transformVars") is not None:
        return "a transform of the variables"
    return None
