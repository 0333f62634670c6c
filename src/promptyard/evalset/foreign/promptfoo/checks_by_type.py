"""What each assertion type of promptfoo is here. A type that is not in the table cannot be run."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeGuard

from promptyard.errors import EvalSetError
from promptyard.evalset.foreign.checks import FACTUALITY_SCORES, Notes, Unsupported
from promptyard.evalset.foreign.promptfoo.grammar import comma_values
from promptyard.evalset.foreign.promptfoo.templates import plain_text
from promptyard.evalset.tree_file import parse_yaml
from promptyard.evalset.wording import one_line
from promptyard.records.base import Json, as_list, as_object


@dataclass(frozen=True)
class Given:
    """An assertion as it would be run: its value read and filled in, and what it depends on."""

    base: str
    value: Json
    threshold: float | None
    trimmed: bool
    variables: Mapping[str, Json]
    factuality: Mapping[str, Json]
    tools: Json
    notes: Notes


FINISHES = ("stop", "length", "tool_calls", "content_filter")
"""Reasons to stop that mean the same in promptfoo and here."""

_DOLLAR = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\$", re.DOTALL)
"""A dollar, or what a dollar may stand in without being an end: an escape, a set."""

Conversion: TypeAlias = "Callable[[Given], dict[str, Json]]"


def is_number(value: Json) -> TypeGuard[float]:
    """Say whether a JSON value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _type(given: Given) -> str:
    return given.base.replace("-", "_")


def _text(given: Given) -> str:
    """Return the value as a text with something in it."""
    text = plain_text(given.value)
    if not text or as_object(given.value) is not None or as_list(given.value) is not None:
        raise Unsupported(f"a value of {one_line(repr(given.value))}")
    return text


def _equals(given: Given) -> dict[str, Json]:
    """Compare objects and lists as JSON; all else as text, as src/assertions/equals.ts does."""
    structured = as_object(given.value) is not None or as_list(given.value) is not None
    check: dict[str, Json] = {"type": "equals", "value": given.value}
    if not structured:
        check |= {"value": plain_text(given.value), "as_text": True}
    return check if given.trimmed else {**check, "normalize": "none"}


def _contains(given: Given) -> dict[str, Json]:
    return {"type": _type(given), "value": _text(given)}


def _contains_some(given: Given) -> dict[str, Json]:
    if isinstance(given.value, str):
        values = comma_values(given.value)
        if len(values) > 1:
            given.notes.add(
                f"the text of a {given.base} was split at its commas, as promptfoo does; lists are "
                "lists here"
            )
    else:
        values = [plain_text(item) for item in as_list(given.value) or ()]
    if not values or not all(values):
        raise Unsupported("a list that is empty or has an empty text")
    return {"type": _type(given), "values": values}


def _starts_with(given: Given) -> dict[str, Json]:
    text = _text(given)
    if not text.strip():
        raise Unsupported("a value of white space")
    check: dict[str, Json] = {"type": "starts_with", "value": text}
    return check if given.trimmed else {**check, "normalize": "none"}


def _regex(given: Given) -> dict[str, Json]:
    r"""Write the pattern for Python.

    There `\w`, `\d` and `\b` know letters beyond ASCII, and `$` matches before a last line break.
    """
    pattern = re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", _text(given))
    pattern = re.sub(r"\\k<(\w+)>", r"(?P=\1)", pattern)
    pattern = _DOLLAR.sub(lambda match: r"\Z" if match[0] == "$" else match[0], pattern)
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise Unsupported(f"a pattern that Python does not read: {one_line(str(error))}") from None
    check: dict[str, Json] = {"type": "regex", "pattern": pattern}
    return {**check, "flags": "a"} if re.search(r"\\[wWdDbB]", pattern) else check


def _json(given: Given) -> dict[str, Json]:
    """Read the schema that is_json and contains_json may have."""
    schema = given.value
    if schema is None or schema == "":
        return {"type": _type(given)}
    if isinstance(schema, str):
        try:
            schema = parse_yaml(Path("schema"), schema).data
        except EvalSetError as error:
            raise Unsupported(f"a schema that cannot be read: {error}") from None
    found = as_object(schema)
    if found is None:
        raise Unsupported("a schema that is no object")
    if given.base == "contains-json":
        return {"type": "contains_json", "schema": dict(found)}
    return {"type": "json_schema", "schema": dict(found)}


def _levenshtein(given: Given) -> dict[str, Json]:
    most = 5.0 if given.threshold is None else given.threshold
    return {"type": "levenshtein", "value": _text(given), "max_distance": int(most)}


def _overlap(default: float) -> Conversion:
    def convert(given: Given) -> dict[str, Json]:
        several = as_list(given.value)
        threshold = default if given.threshold is None else given.threshold
        given.notes.add(
            f"{given.base} is computed by our definition; its threshold may need another value"
        )
        check: dict[str, Json] = {"type": _type(given), "threshold": threshold}
        if several:
            return {**check, "value": [plain_text(item) for item in several], "any_of": True}
        return {**check, "value": _text(given)}

    return convert


def _from(threshold: float | None, check: dict[str, Json]) -> dict[str, Json]:
    """Let a graded check pass from a threshold on."""
    if threshold is None or threshold == 1:
        return check
    if not 0 < threshold < 1:
        raise Unsupported(f"a threshold of {threshold:g}")
    inner = {**check, "severity": "soft"}
    return {"type": "weighted", "threshold": threshold, "checks": [inner]}


def _no_threshold(given: Given) -> None:
    if given.threshold is not None:
        given.notes.add(
            f"the threshold of {given.base} was left out: our judge says pass, fail or unsure"
        )


def _word_count(given: Given) -> dict[str, Json]:
    value = given.value
    limits = as_object(value)
    if limits is not None:
        bounds = {key: limits[key] for key in ("min", "max") if limits.get(key) is not None}
    else:
        text = plain_text(value).strip()
        bounds = {"min": int(text), "max": int(text)} if text.isdecimal() else {}
    if not bounds or not all(isinstance(item, int) for item in bounds.values()):
        raise Unsupported(f"a value of {one_line(repr(value))}")
    return {"type": "word_count", **bounds}


def _latency(given: Given) -> dict[str, Json]:
    if given.threshold is None or given.threshold <= 0:
        raise Unsupported("no threshold in milliseconds")
    return {"type": "latency", "max_s": given.threshold / 1000}


def _cost(given: Given) -> dict[str, Json]:
    if given.threshold is None or given.threshold < 0:
        raise Unsupported("no threshold in US dollars")
    return {"type": "cost", "max_usd": given.threshold}


def _finish_reason(given: Given) -> dict[str, Json]:
    reason = _text(given).strip().lower()
    if reason not in FINISHES:
        raise Unsupported(f"the reason {one_line(reason)}")
    return {"type": "finish_reason", "value": reason}


def _tool_call_f1(given: Given) -> dict[str, Json]:
    if isinstance(given.value, str):
        names = [name.strip() for name in given.value.split(",") if name.strip()]
    else:
        names = [plain_text(item) for item in as_list(given.value) or ()]
    if not names or not all(names):
        raise Unsupported("no names of tools")
    given.notes.add("tool-call-f1 counts a tool that is called twice as two calls here")
    return _from(given.threshold, {"type": "tool_call_f1", "value": names})


def _tool_call_valid(given: Given) -> dict[str, Json]:
    tools = as_list(given.tools)
    if not tools:
        raise Unsupported("the provider of the configuration has no tools")
    return {"type": "tool_call_valid", "tools": tools}


def _rubric(given: Given) -> dict[str, Json]:
    rubric = plain_text(given.value).strip()
    if not rubric:
        raise Unsupported("a rubric that stands in the grader prompt only")
    _no_threshold(given)
    return {"type": "llm_rubric", "rubric": rubric}


def _closed_qa(given: Given) -> dict[str, Json]:
    return {"type": "closed_qa", "criterion": _text(given).strip()}


def _g_eval(given: Given) -> dict[str, Json]:
    threshold = 0.7 if given.threshold is None else given.threshold
    several = as_list(given.value)
    if several is None:
        return _from(threshold, {"type": "g_eval", "criteria": _text(given).strip()})
    criteria = [plain_text(item).strip() for item in several]
    if not criteria or not all(criteria) or not 0 < threshold <= 1:
        raise Unsupported(f"criteria of {one_line(repr(given.value))}")
    parts = [{"type": "g_eval", "criteria": item, "severity": "soft"} for item in criteria]
    return {"type": "weighted", "threshold": threshold, "checks": parts}


_FACTUALITY_NAMES = {
    "subset": "A",
    "superset": "B",
    "agree": "C",
    "disagree": "D",
    "differButFactual": "E",
}


def _factuality(given: Given) -> dict[str, Json]:
    scores = dict(FACTUALITY_SCORES)
    for name, letter in _FACTUALITY_NAMES.items():
        score = given.factuality.get(name)
        if score is None:
            continue
        if not is_number(score) or not 0 <= score <= 1:
            raise Unsupported(f"a score of {one_line(repr(score))} for '{name}'")
        scores[letter] = score
    return {"type": "factuality", "expected": _text(given), "scores": scores}


def _answer_relevance(given: Given) -> dict[str, Json]:
    given.notes.add("answer-relevance is judged by a model here, not by embeddings")
    _no_threshold(given)
    check: dict[str, Json] = {"type": "answer_relevance"}
    return {**check, "question": "query"} if "query" in given.variables else check


def _faithfulness(given: Given) -> dict[str, Json]:
    if "context" not in given.variables:
        raise Unsupported("no variable 'context'")
    return _from(given.threshold or None, {"type": "faithfulness", "source": "context"})


def _plain(given: Given) -> dict[str, Json]:
    return {"type": _type(given)}


CONVERT: Mapping[str, Conversion] = {
    "equals": _equals,
    "contains": _contains,
    "icontains": _contains,
    "contains-all": _contains_some,
    "contains-any": _contains_some,
    "icontains-all": _contains_some,
    "icontains-any": _contains_some,
    "starts-with": _starts_with,
    "regex": _regex,
    "is-json": _json,
    "contains-json": _json,
    "levenshtein": _levenshtein,
    "rouge-n": _overlap(0.75),
    "bleu": _overlap(0.5),
    "word-count": _word_count,
    "latency": _latency,
    "cost": _cost,
    "finish-reason": _finish_reason,
    "is-refusal": _plain,
    "tool-call-f1": _tool_call_f1,
    "is-valid-function-call": _tool_call_valid,
    "is-valid-openai-function-call": _tool_call_valid,
    "is-valid-openai-tools-call": _tool_call_valid,
    "llm-rubric": _rubric,
    "model-graded-closedqa": _closed_qa,
    "g-eval": _g_eval,
    "factuality": _factuality,
    "model-graded-factuality": _factuality,
    "answer-relevance": _answer_relevance,
    "context-faithfulness": _faithfulness,
}
"""Conversions by assertion type, without the prefix `not-`. Each raises Unsupported."""
