"""The short form of assertions in tables: `contains:Paris`, `similar(0.8):Hello`, a bare value.

Source: promptfoo.dev/docs/configuration/test-cases, section on CSV.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from promptyard.evalset.foreign.checks import Unsupported
from promptyard.records.base import Json

TYPES = (
    "agent-rubric", "answer-relevance", "bleu", "classifier", "contains", "contains-all",
    "contains-any", "contains-html", "contains-json", "contains-sql", "contains-xml",
    "context-faithfulness", "context-recall", "context-relevance", "conversation-relevance",
    "cost", "equals", "factuality", "finish-reason", "g-eval", "gleu", "guardrails", "icontains",
    "icontains-all", "icontains-any", "is-html", "is-json", "is-refusal", "is-sql",
    "is-valid-function-call", "is-valid-openai-function-call", "is-valid-openai-tools-call",
    "is-xml", "javascript", "latency", "levenshtein", "llm-rubric", "meteor",
    "model-graded-closedqa", "model-graded-factuality", "moderation", "perplexity",
    "perplexity-score", "pi", "python", "regex", "rouge-n", "ruby", "search-rubric", "similar",
    "similar:cosine", "similar:dot", "similar:euclidean", "skill-used", "starts-with",
    "tool-call-f1", "trace-error-spans", "trace-span-count", "trace-span-duration",
    "trajectory:goal-success", "trajectory:step-count", "trajectory:tool-args-match",
    "trajectory:tool-sequence", "trajectory:tool-used", "webhook", "word-count",
)  # fmt: skip
"""All assertion types that the published schema lists, save those that compare several outputs."""

THRESHOLD_TYPES = (
    "answer-relevance", "classifier", "context-faithfulness", "context-recall",
    "context-relevance", "cost", "latency", "levenshtein", "perplexity-score", "perplexity",
    "rouge-n", "similar", "starts-with",
)  # fmt: skip
DEFAULT_THRESHOLD = 0.75
SIMILAR_THRESHOLD = 0.8

_SHORT = re.compile(
    rf"(?P<type>(?:not-)?(?:{'|'.join(sorted(TYPES, key=len, reverse=True))}))"
    r"(?:\((?P<threshold>\d+(?:\.\d+)?)\))?(?::(?P<value>.*))?",
    re.DOTALL,
)
_CODE_FILE = re.compile(r"file://.*\.(?P<suffix>py|[cm]?[jt]s)(?::[\w.]+)?")


def assertion_of(text: str) -> Mapping[str, Json]:
    """Read one cell as an assertion. What is no short form is the value of `equals`."""
    text = text.strip()
    for prefixes, kind in (
        (("javascript:", "fn:", "eval:"), "javascript"),
        (("grade:", "llm-rubric:"), "llm-rubric"),
        (("python:",), "python"),
    ):
        for prefix in prefixes:
            if text.startswith(prefix):
                return {"type": kind, "value": text.removeprefix(prefix).strip()}
    if code := _CODE_FILE.fullmatch(text):
        return {"type": "python" if code["suffix"] == "py" else "javascript", "value": text}
    found = _SHORT.fullmatch(text)
    if found is None:
        return {"type": "equals", "value": text}
    assertion: dict[str, Json] = {"type": found["type"]}
    if found["value"] is not None:
        assertion["value"] = found["value"].strip()
    base = found["type"].removeprefix("not-")
    if base in THRESHOLD_TYPES:
        default = SIMILAR_THRESHOLD if base == "similar" else DEFAULT_THRESHOLD
        given = found["threshold"]
        assertion["threshold"] = float(given) if given is not None else default
    return assertion


def comma_values(text: str) -> list[str]:
    r"""Split a text at its commas; quoted parts keep theirs, `""` and `\"` are a quote in them.

    Raises Unsupported for a quote that is not closed or has something behind it.
    """
    values: list[str] = []
    at = 0
    while True:
        while at < len(text) and (text[at].isspace() or text[at] == ","):
            at += 1
        if at >= len(text):
            return values
        if text[at] != '"':
            end = text.find(",", at)
            end = len(text) if end < 0 else end
            values.append(text[at:end].strip())
            at = end
            continue
        quoted = _QUOTED.match(text, at)
        if quoted is None:
            raise Unsupported("a list with a quote that is not closed, or has text behind it")
        values.append(_ESCAPE.sub(lambda match: match[0][1], quoted[1]))
        at = quoted.end()


_QUOTED = re.compile(r'"((?:\\["\\]|\\(?!["\\])|""|[^"\\])*)"\s*(?=,|$)', re.DOTALL)
_ESCAPE = re.compile(r'\\["\\]|""')
