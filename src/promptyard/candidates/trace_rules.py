"""What makes a reasoning trace fit to be shown. Pure.

Reasoning comes before the answer, never the other way round; a trace that was written with the
answer at hand does not say so. Source: anchors on algorithms, A10 and part D (V10).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from pydantic import Field

from promptyard.candidates.validators import ANSWER_NAME, REASONING_NAME
from promptyard.records.base import Json, Record, as_list, as_object
from promptyard.records.evidence import Evidence
from promptyard.records.prompts import Prompt


class TraceSettings(Record):
    """Sizes of trace optimisation. `n_samples` traces of each of `n_hard` cases cost task calls."""

    n_rationalised: int = Field(default=4, ge=0)
    n_hard: int = Field(default=6, ge=0)
    n_samples: int = Field(default=3, ge=0)
    n_clusters: int = Field(default=4, ge=1)
    max_input_tokens: int = Field(default=60, ge=1)
    max_steps: int = Field(default=5, ge=1)
    max_trace_chars: int = Field(default=2000, ge=1)
    n_sketched: int = Field(default=4, ge=2)


MAX_ANSWER_WORDS = 8

HINT = re.compile(
    r"\bhints?\b|\b(?:gold|expected|reference|target|correct|right|final|given|provided|known)"
    r" (?:answer|output|label|result|solution|value)s?"
    r" (?:is|was|are|were|has been|had been|that was|which was|as|being)"
    r" (?:given|provided|stated|known|supplied|told|said|listed)"
    r"|\b(?:given|provided|supplied|reference|gold|target) (?:answer|label|solution)\b"
    r"|\b(?:expected|gold|ground[- ]truth|reference) (?:answer|output|label|value)s?\b"
    r"|\bground[- ]truth\b|\banswer key\b|\bgold(?:en)? (?:label|standard)\b"
    r"|\b(?:the|this|that) answer (?:i|we) (?:was|were|am|are) (?:given|told|shown)"
    r"|\b(?:i|we) (?:was|were|am|are|have been) (?:given|told|shown) (?:that )?the"
    r" (?:\w+ )?(?:answer|label|result)"
    r"|\b(?:i|we|you) (?:already )?know (?:that )?the (?:\w+ )?(?:answer|label|result)"
    r"|\b(?:since|because|as|given that|knowing that?) the (?:\w+ )?(?:answer|label|result)"
    r" (?:is|must be|should be|has to be)\b"
    r"|\bto (?:arrive at|reach|match|justify|get to|obtain) the (?:given|known|right|correct"
    r"|expected|provided) \w+|\bwork(?:ing|s)? backwards?\b|\bprevious(?:ly)? wrong\b",
    re.IGNORECASE,
)
"""Signs that a trace was written with the answer at hand."""

REASONING = re.compile(
    r"step[- ]by[- ]step|\breason(?:ing|s)?\b|\bthink\b|\bwork (?:it |this )?(?:out|through)\b"
    r"|chain of thought|\bexplain (?:how|why|your|each)|show (?:your|the|all) (?:work|steps)"
    r"|intermediate (?:steps|results)|\bwork in (?:this|these)",
    re.IGNORECASE,
)
VERIFYING = re.compile(
    r"\b(?:double-check|verify|check)\b[^.\n]{0,120}"
    r"\b(?:before|final|constraints?|again|correct it)"
    r"|\bbefore\b[^.\n]{0,80}\b(?:double-check|verify|check)\b",
    re.IGNORECASE,
)
_BARE_ONLY = re.compile(
    r"\bnothing else\b|\bno (?:explanations?|reasoning|other text|further text|prose)\b"
    r"|\b(?:answer|reply|respond|output|return|give|write|print)\b[^.\n]{0,60}"
    r"\b(?:only|just|exactly one|without)\b|\bonly (?:answer|reply|respond|output|return) with\b",
    re.IGNORECASE,
)
_REASONING_KEY = re.compile(
    r"reason(?:ing|s)?|rationale|explanation|thoughts?|analysis|steps|scratchpad|working",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_MARKS = re.compile(r"(?:[\s*`\"'“”().:!\[\]{}$\\]|(?<!\w)_|_(?!\w))+")


def has_room(prompt: Prompt, evidence: Evidence) -> bool:
    """Say whether an answer to this prompt may hold reasoning.

    Not where the contract is a label, or JSON without a field for reasoning ahead of the others,
    not where the prompt wants the bare answer, and not where every right answer was a bare label.
    """
    contract = prompt.output
    if contract.format == "label":
        return False
    if contract.format == "json":
        return _json_room(prompt)
    if any(_BARE_ONLY.search(section.text) for section in prompt.sections):
        return False
    golds = [row.case.expected for row in (*evidence.successes, *evidence.failures)]
    labels = {gold for gold in golds if isinstance(gold, str) and not _NUMBER.search(gold)}
    are_labels = bool(labels) and 2 * len(labels) <= len(golds)
    bare = [
        isinstance(row.case.expected, str) and row.trial.output.strip() == row.case.expected.strip()
        for row in evidence.successes
    ]
    return not (are_labels and bare and all(bare))


def reasoning_field(prompt: Prompt) -> str | None:
    """Return the field of a JSON contract that holds reasoning ahead of all others."""
    fields = list(as_object((prompt.output.schema_ or {}).get("properties")) or {})
    return fields[0] if len(fields) > 1 and _REASONING_KEY.fullmatch(fields[0]) else None


def _json_room(prompt: Prompt) -> bool:
    if prompt.output.schema_ is not None:
        return reasoning_field(prompt) is not None
    named, given = REASONING_NAME.search(prompt.text), ANSWER_NAME.search(prompt.text)
    return named is not None and (given is None or named.start() < given.start())


def mentions_hint(text: str, known: str = "") -> bool:
    """Say whether a trace speaks of an answer that it was given, in words that `known` lacks."""
    said = " ".join(known.casefold().split())
    found = (" ".join(match[0].casefold().split()) for match in HINT.finditer(text))
    return any(words not in said for words in found)


def gives(output: str, expected: Json) -> bool:
    """Say whether an output ends in the expected answer.

    An expected object: the JSON object that the output is or ends in has all its values. A number:
    it is the last number of the last line. A text: the last line ends in it, marks apart.
    """
    wanted = as_object(expected)
    if wanted is not None:
        found = last_object(output)
        return found is not None and all(
            name in found and found[name] == value for name, value in wanted.items()
        )
    if expected is None or isinstance(expected, list) or not output.strip():
        return False
    last = output.strip().splitlines()[-1]
    number = _as_number(str(expected))
    if number is not None:
        numbers = _NUMBER.findall(last)
        return bool(numbers) and _as_number(numbers[-1]) == number
    gold, end = _plain(str(expected)), _plain(last)
    return bool(gold) and (end == gold or end.endswith(f" {gold}"))


def reasons_first(output: str, expected: Json) -> bool:
    """Say whether an output reasons, and does so before it answers."""
    found = last_object(output)
    if found is not None and output.strip().startswith("{"):
        keys = list(found)
        at = next((n for n, key in enumerate(keys) if _REASONING_KEY.fullmatch(key)), None)
        return at == 0 and len(keys) > 1 and bool(str(found[keys[0]]).strip())
    lines = [line for line in output.strip().splitlines() if line.strip()]
    if not lines or (len(lines) == 1 and len(_plain(lines[0]).split()) <= MAX_ANSWER_WORDS):
        return False
    opens_with_answer = len(lines) > 1 and gives(lines[0], expected)
    return not (opens_with_answer and len(_plain(lines[0]).split()) <= MAX_ANSWER_WORDS)


def n_steps(output: str) -> int:
    """Count the lines of a trace; of a JSON answer those of its reasoning."""
    found = last_object(output)
    if found is not None and output.strip().startswith("{"):
        value = next((v for k, v in found.items() if _REASONING_KEY.fullmatch(k)), "")
        items = as_list(value)
        if items is not None:
            return len(items)
        output = str(value)
    return sum(bool(line.strip()) for line in output.splitlines())


def n_tokens(text: str) -> int:
    """Count words and marks, about what a tokenizer counts."""
    return len(re.findall(r"\w+|[^\w\s]", text))


def last_object(text: str) -> Mapping[str, Json] | None:
    """Return the JSON object that a text ends in; None where it ends otherwise."""
    bare = re.sub(r"\s*```\s*\Z", "", text.strip())
    decoder = json.JSONDecoder()
    at = bare.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(bare, at)
        except (ValueError, RecursionError):
            at = bare.find("{", at + 1)
            continue
        if not bare[end:].strip():
            return as_object(value)
        at = bare.find("{", end)
    return None


def _as_number(text: str) -> float | None:
    try:
        return float(text.strip().replace(",", "").lstrip("$€£"))
    except ValueError:
        return None


def _plain(text: str) -> str:
    return _MARKS.sub(" ", text.casefold()).strip()
