"""Turns checks of ours into assertions of promptfoo, where they mean the same there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from promptyard.evalset.foreign.checks import FACTUALITY_SCORES
from promptyard.evalset.foreign.promptfoo.templates import as_literal
from promptyard.records.base import Json, as_list, as_object
from promptyard.records.cases import Case

COMMON = ("type", "id", "weight", "severity", "dimension", "tag", "critical", "after")
"""Keys that say nothing about what is checked."""


class Inexpressible(ValueError):
    """A check that promptfoo cannot run; the message may say which part of it.

    `of_each_case` is set where it could be written for each case by itself.
    """

    of_each_case = False


class OfEachCase(Inexpressible):
    """A check of all cases that depends on what each of them expects."""

    of_each_case = True


def assertion_of_check(
    check: Mapping[str, Json], case: Case | None, all_expected: Sequence[Json] = ()
) -> dict[str, Json]:
    """Return the assertion of a check; `case` is None for a check of all cases.

    `all_expected` are the expectations of all cases: a check of all cases that depends on them can
    be written only where they are the same. Raises Inexpressible.
    """
    kind = str(check["type"])
    negated = kind.startswith("not:")
    base = kind.removeprefix("not:").strip().replace("-", "_").lower()
    base = "equals" if base == "exact_match" else base
    convert = CONVERT.get(base)
    if convert is None:
        raise Inexpressible
    options = {key: value for key, value in check.items() if key not in COMMON}
    given = _Given(base, options, case, all_expected)
    assertion = convert(given)
    given.refuse_the_rest()
    assertion["type"] = f"not-{assertion['type']}" if negated else assertion["type"]
    if isinstance(check.get("id"), str):
        assertion["metric"] = check["id"]
    if check.get("weight") is not None:
        assertion["weight"] = check["weight"]
    return assertion


class _Given:
    """The options of a check; those that were not taken make it inexpressible."""

    def __init__(
        self,
        base: str,
        options: Mapping[str, Json],
        case: Case | None,
        all_expected: Sequence[Json],
    ) -> None:
        self.base = base
        self.case = case
        self.all_expected = all_expected
        self._left = dict(options)

    def take(self, name: str, default: Json = None) -> Json:
        """Take an option."""
        return self._left.pop(name, default)

    def only(self, name: str, *allowed: Json) -> None:
        """Take an option that may only have some values, the first of which is its default."""
        if self.take(name, allowed[0]) not in allowed:
            raise Inexpressible(f" with this '{name}'")

    def refuse_the_rest(self) -> None:
        """Refuse options that were not taken."""
        if self._left:
            raise Inexpressible(f" with '{next(iter(self._left))}'")

    def expected(self) -> Json:
        """Return the expectation of the case."""
        if self.case is not None:
            return self.case.expected
        first = self.all_expected[0] if self.all_expected else None
        if any(value != first for value in self.all_expected):
            raise OfEachCase(" where each case expects something else")
        return first

    def text(self, name: str) -> str:
        """Return an option, or else the expectation, as a text that is no template."""
        value = self.take(name)
        value = self.expected() if value is None else value
        if not isinstance(value, str) or not value:
            raise Inexpressible(f" without a text as '{name}'")
        return as_literal(value)


def _plain(given: _Given) -> dict[str, Json]:
    return {"type": given.base.replace("_", "-")}


def _equals(given: _Given) -> dict[str, Json]:
    given.only("normalize", "strip", "none")
    given.only("any_of", False)
    given.only("as_text", False, True)
    value = given.take("value")
    value = given.expected() if value is None else value
    found = as_object(value)
    if value is None or (found is not None and "any_of" in found):
        raise Inexpressible(" with several accepted values" if found else " without a value")
    return {"type": "equals", "value": as_literal(value) if isinstance(value, str) else value}


def _contains(given: _Given) -> dict[str, Json]:
    return {**_plain(given), "value": given.text("value")}


def _contains_some(given: _Given) -> dict[str, Json]:
    values = given.take("values")
    items = as_list(given.take("value") if values is None else values)
    items = as_list(given.expected()) if items is None else items
    if not items or not all(isinstance(item, str) for item in items):
        raise Inexpressible(" without a list of texts")
    return {**_plain(given), "value": [as_literal(str(item)) for item in items]}


def _starts_with(given: _Given) -> dict[str, Json]:
    given.only("normalize", "strip", "none")
    return {"type": "starts-with", "value": given.text("value")}


def _regex(given: _Given) -> dict[str, Json]:
    given.only("flags", "", "a", [])
    given.take("timeout_s")
    pattern = given.take("pattern")
    pattern = given.take("value") if pattern is None else pattern
    if not isinstance(pattern, str) or re.search(r"\(\?[aiLmsux]+[):-]|\\[AZ](?!$)", pattern):
        raise Inexpressible(" with this pattern")
    pattern = re.sub(r"(?<!\\)((?:\\\\)*)\\Z$", r"\1$", pattern)
    return {"type": "regex", "value": as_literal(pattern.replace("(?P<", "(?<"))}


def _is_json(given: _Given) -> dict[str, Json]:
    given.only("allow_fence", False)
    return {"type": "is-json"}


def _json_schema(given: _Given) -> dict[str, Json]:
    given.only("allow_fence", False)
    schema = as_object(given.take("schema"))
    if schema is None:
        raise Inexpressible(" without a schema of its own")
    return {"type": "is-json", "value": dict(schema)}


def _contains_json(given: _Given) -> dict[str, Json]:
    schema = as_object(given.take("schema"))
    return {"type": "contains-json"} | ({"value": dict(schema)} if schema is not None else {})


def _levenshtein(given: _Given) -> dict[str, Json]:
    most = given.take("max_distance")
    if most is None:
        raise Inexpressible(" without 'max_distance'")
    return {"type": "levenshtein", "value": given.text("value"), "threshold": most}


def _overlap(given: _Given) -> dict[str, Json]:
    given.only("n", 1)
    given.take("any_of")
    threshold = given.take("threshold")
    if threshold is None:
        raise Inexpressible(" without a threshold")
    value = given.take("value")
    value = given.expected() if value is None else value
    several = as_list(value)
    texts = [value] if several is None else several
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise Inexpressible(" without a text to compare with")
    written = [as_literal(str(text)) for text in texts]
    shown: Json = written[0] if several is None else written
    return {**_plain(given), "value": shown, "threshold": threshold}


def _word_count(given: _Given) -> dict[str, Json]:
    limits = {name: given.take(name) for name in ("min", "max")}
    return {"type": "word-count", "value": {k: v for k, v in limits.items() if v is not None}}


def _latency(given: _Given) -> dict[str, Json]:
    most = given.take("max_s")
    if not isinstance(most, int | float):
        raise Inexpressible(" without 'max_s'")
    return {"type": "latency", "threshold": round(most * 1000, 6)}


def _cost(given: _Given) -> dict[str, Json]:
    return {"type": "cost", "threshold": given.take("max_usd")}


def _finish_reason(given: _Given) -> dict[str, Json]:
    return {"type": "finish-reason", "value": given.text("value")}


def _tool_call_f1(given: _Given) -> dict[str, Json]:
    names = as_list(given.take("value"))
    if not names or not all(isinstance(name, str) for name in names):
        raise Inexpressible(" without the names of tools")
    return {"type": "tool-call-f1", "value": names}


def _tool_call_valid(given: _Given) -> dict[str, Json]:
    del given
    return {"type": "is-valid-openai-tools-call"}


def _judged(kind: str, option: str) -> Callable[[_Given], dict[str, Json]]:
    def convert(given: _Given) -> dict[str, Json]:
        text = given.take(option)
        if not isinstance(text, str) or not text:
            raise Inexpressible(f" without '{option}'")
        return {"type": kind, "value": as_literal(text)}

    return convert


def _factuality(given: _Given) -> dict[str, Json]:
    scores = given.take("scores")
    if scores is None or dict(as_object(scores) or {}) != dict(FACTUALITY_SCORES):
        raise Inexpressible(" with other scores than its own")
    return {"type": "factuality", "value": given.text("value")}


def _faithfulness(given: _Given) -> dict[str, Json]:
    given.only("source", "context")
    return {"type": "context-faithfulness", "threshold": 1.0}


def _answer_relevance(given: _Given) -> dict[str, Json]:
    given.only("question", None, "query")
    return {"type": "answer-relevance"}


def _g_eval(given: _Given) -> dict[str, Json]:
    return {**_judged("g-eval", "criteria")(given), "threshold": 1.0}


def _set(given: _Given) -> dict[str, Json]:
    """Write a combinator; sets do not nest in promptfoo."""
    items = as_list(given.take("checks")) or []
    inner: list[Json] = []
    for item in items:
        check = {"type": item} if isinstance(item, str) else as_object(item) or {}
        assertion = assertion_of_check(check, given.case, given.all_expected)
        if assertion["type"] == "assert-set":
            raise Inexpressible(" inside of another")
        inner.append(assertion)
    if not inner:
        raise Inexpressible(" without checks")
    threshold = given.take("threshold")
    if given.base == "any_of":
        threshold = 1 / len(inner)
    elif given.base == "k_of_n":
        threshold = int(given.take("k", 0)) / len(inner)
    if given.base in ("any_of", "k_of_n") and any("weight" in assertion for assertion in inner):
        raise Inexpressible(" with weights")
    found: dict[str, Json] = {"type": "assert-set", "assert": inner}
    return found if threshold is None else {**found, "threshold": threshold}


def _skip(given: _Given) -> dict[str, Json]:
    """Give back what the skip was read from, where that was promptfoo."""
    reason, source = str(given.take("reason", "")), as_object(given.take("source"))
    if not reason.startswith("unsupported: promptfoo ") or not isinstance(
        (source or {}).get("type"), str
    ):
        raise Inexpressible
    return dict(source or {})


_Convert: TypeAlias = Callable[[_Given], dict[str, Json]]
CONVERT: Mapping[str, _Convert] = {
    "equals": _equals,
    "contains": _contains,
    "icontains": _contains,
    "contains_all": _contains_some,
    "contains_any": _contains_some,
    "icontains_all": _contains_some,
    "icontains_any": _contains_some,
    "starts_with": _starts_with,
    "regex": _regex,
    "is_json": _is_json,
    "json_schema": _json_schema,
    "contains_json": _contains_json,
    "levenshtein": _levenshtein,
    "rouge_n": _overlap,
    "bleu": _overlap,
    "word_count": _word_count,
    "latency": _latency,
    "cost": _cost,
    "finish_reason": _finish_reason,
    "is_refusal": _plain,
    "tool_call_f1": _tool_call_f1,
    "tool_call_valid": _tool_call_valid,
    "llm_rubric": _judged("llm-rubric", "rubric"),
    "closed_qa": _judged("model-graded-closedqa", "criterion"),
    "g_eval": _g_eval,
    "factuality": _factuality,
    "answer_relevance": _answer_relevance,
    "faithfulness": _faithfulness,
    "all_of": _set,
    "any_of": _set,
    "k_of_n": _set,
    "weighted": _set,
    "skip": _skip,
}
"""Conversions by the type of the check, without `not:`. Each raises Inexpressible."""
