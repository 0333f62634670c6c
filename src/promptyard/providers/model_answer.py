"""What an answer says, whatever the wire format: the record, and how its parts are read safely.

Pure. Each protocol has a module that turns the bytes of a 200 answer into a ModelAnswer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from promptyard.errors import BadResponse
from promptyard.records.base import Json, as_object
from promptyard.records.messages import FinishReason, ToolCallPart, Usage

_MAX_COUNT = 2**53  # beyond it a count is nonsense, and arithmetic on it would fail


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What one answer says. `usage` is None when the server did not report any."""

    text: str
    tool_calls: tuple[ToolCallPart, ...]
    finish_reason: FinishReason
    usage: Usage | None
    model: str
    response_id: str | None


def answer_document(raw: bytes) -> Mapping[str, Json]:
    """Parse the body of an answer. Raises BadResponse when it is no JSON object."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        raise BadResponse(f"the answer is not valid JSON ({len(raw)} bytes)") from None
    document = as_object(value)
    if document is None:
        raise BadResponse("the answer is JSON, but no object")
    return document


def token_count(value: Json) -> int:
    """Read a number of tokens; 0 for whatever cannot be one."""
    if isinstance(value, float) and math.isfinite(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return max(0, min(value, _MAX_COUNT))


def encodable(text: str) -> str:
    """Replace lone surrogates, which a model cut off in mid-character leaves, by U+FFFD.

    No UTF-8 file or database could hold them.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def encodable_or_none(value: Json) -> str | None:
    """Return a text of the document made encodable, None for any other value."""
    return encodable(value) if isinstance(value, str) else None
