"""What a judge is shown of a case and an answer, and whether what it quotes is there. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from promptyard.metrics.check import one_line
from promptyard.metrics.comparison import composed
from promptyard.metrics.json_text import ABSENT, as_array, clean, lookup, path_parts, shorten
from promptyard.records.base import Json, as_object
from promptyard.records.cases import Case
from promptyard.records.messages import Completion

REASON_CHARS = 170
QUOTE_CHARS = 50


def shown_answer(completion: Completion) -> Json:
    """Return an answer as a judge sees it: its text, with its tool calls where it has any."""
    if not completion.tool_calls:
        return completion.text
    calls = [{"name": call.name, "arguments": call.arguments} for call in completion.tool_calls]
    return {"text": completion.text, "tool_calls": calls}


def shown_input(case: Case) -> Json:
    """Return the input of a case as a judge sees it; images cannot be shown."""
    variables = {name: _without_images(value) for name, value in case.input.items()}
    return next(iter(variables.values())) if len(variables) == 1 else variables


def question_of(case: Case, name: str | None) -> Json:
    """Return the variable that holds the question, or the whole input; None where it is absent."""
    if name is None:
        return shown_input(case)
    found = input_value(case, name)
    return None if found is ABSENT else found


def is_empty(completion: Completion) -> bool:
    """Whether an answer has neither text nor tool calls."""
    return not completion.text.strip() and not completion.tool_calls


def input_value(case: Case, name: str) -> Json:
    """Return an input variable by name or dotted path, also written `input.name`, or ABSENT."""
    for path in (name, name.removeprefix("input.")):
        found = lookup(case.input, path_parts(case.input, path))
        if found is not ABSENT:
            return _without_images(found)
    return ABSENT


def with_quote(
    said: Mapping[str, Json], texts: Sequence[Json], *, where: str = "the answer"
) -> str:
    """Write the judge's reasons with its quote, and say where the quote is in none of `texts`."""
    reasons = one_line(str(said["reasons"]), REASON_CHARS)
    words = _spaced(str(said["evidence_quote"]))
    if not words:
        return reasons
    found = any(words in _spaced(_text(value)) for value in texts)
    label = "evidence" if found else f"it quotes what is not in {where}"
    return f"{reasons} ({label}: {shorten(words, QUOTE_CHARS)})"


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _spaced(text: str) -> str:
    return " ".join(clean(composed(text)).split())


def _without_images(value: Json) -> Json:
    found = as_object(value)
    if found is not None:
        if set(found) == {"image"}:
            return {"image": "an image, not shown here"}
        return {key: _without_images(item) for key, item in found.items()}
    items = as_array(value)
    return value if items is None else [_without_images(item) for item in items]
