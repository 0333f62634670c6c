"""The messages wire format (Anthropic), inwards: the bytes of a 200 answer become a ModelAnswer.

Pure. Whatever is not a whole message raises BadResponse: an error that a server dresses as a
success must never be graded as an answer. The way out is `messages_wire`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from promptyard.errors import BadResponse
from promptyard.providers.http_errors import server_message
from promptyard.providers.messages_wire import ANSWER_TOOL
from promptyard.providers.model_answer import (
    ModelAnswer,
    answer_document,
    encodable,
    encodable_or_none,
    token_count,
)
from promptyard.records.base import Json, as_object
from promptyard.records.messages import FinishReason, ToolCallPart, Usage

_FINISH_REASONS: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""`pause_turn` and what may be added are `other`: the turn is not over."""


def read_message(raw: bytes) -> ModelAnswer:
    """Read the body of a successful answer.

    The texts are joined; thinking is left out. The input of the answer tool becomes the text, as
    JSON, and its call no tool call. A refusal without text becomes the server's explanation of it.
    An answer without text stands only where the stop reason explains it or where tools are called.
    Raises BadResponse saying what is missing.
    """
    document = answer_document(raw)
    blocks = _blocks(document)
    given = document.get("stop_reason")
    finish_reason = _FINISH_REASONS.get(given, "other") if isinstance(given, str) else "other"
    texts = [_text(block) for block in blocks if block.get("type") == "text"]
    calls = [block for block in blocks if block.get("type") == "tool_use"]
    answers = [_input_text(block) for block in calls if block.get("name") == ANSWER_TOOL]
    tool_calls = tuple(_tool_call(block) for block in calls if block.get("name") != ANSWER_TOOL)
    text = answers[0] if answers else ("".join(texts) if texts else None)
    if answers and not tool_calls and finish_reason == "tool_calls":
        finish_reason = "stop"
    if text is None and finish_reason == "content_filter":
        details = as_object(document.get("stop_details")) or {}
        text = encodable_or_none(details.get("explanation"))
    if text is None and not tool_calls and finish_reason not in ("length", "content_filter"):
        raise BadResponse("the message has neither text nor tool calls")
    return ModelAnswer(
        text=encodable(text or ""),
        tool_calls=tool_calls,
        finish_reason=finish_reason,
        usage=_usage(document),
        model=encodable_or_none(document.get("model")) or "",
        response_id=encodable_or_none(document.get("id")),
    )


def _blocks(document: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    content = document.get("content")
    if document.get("type") == "error" or not isinstance(content, list):
        said = f": {server_message(document)}" if document.get("error") else ""
        raise BadResponse(f"the answer has no list of content{said}")
    blocks = [as_object(block) for block in cast("list[Any]", content)]
    if None in blocks:
        raise BadResponse("a content block is no object")
    return [block for block in blocks if block is not None]


def _text(block: Mapping[str, Json]) -> str:
    text = block.get("text")
    if not isinstance(text, str):
        raise BadResponse("a text block has no text")
    return text


def _input_text(block: Mapping[str, Json]) -> str:
    given = block.get("input")
    return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)


def _tool_call(block: Mapping[str, Json]) -> ToolCallPart:
    call_id, name = block.get("id"), block.get("name")
    if not isinstance(call_id, str) or not isinstance(name, str) or not name:
        raise BadResponse("a tool call has no id or names no tool")
    return ToolCallPart(
        id=encodable(call_id), name=encodable(name), arguments=encodable(_input_text(block))
    )


def _usage(document: Mapping[str, Json]) -> Usage | None:
    """Read the tokens; the server's `input_tokens` leaves out those of the cache, ours does not."""
    given = as_object(document.get("usage"))
    if given is None or not ("input_tokens" in given or "output_tokens" in given):
        return None
    n_read = token_count(given.get("cache_read_input_tokens"))
    n_written = token_count(given.get("cache_creation_input_tokens"))
    return Usage(
        input_tokens=token_count(given.get("input_tokens")) + n_read + n_written,
        output_tokens=token_count(given.get("output_tokens")),
        cached_input_tokens=n_read,
        cache_write_tokens=n_written,
    )
