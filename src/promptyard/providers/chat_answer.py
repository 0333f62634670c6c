"""The chat-completions wire format, inwards: the bytes of a 200 answer become a ModelAnswer.

Pure. Whatever is not a whole completion raises BadResponse: an error that a server dresses as a
success must never be graded as an answer. The way out is `chat_wire`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from promptyard.errors import BadResponse
from promptyard.providers.http_errors import server_message
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
    "stop": "stop",
    "stop_sequence": "stop",
    "end_turn": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "refusal": "content_filter",
}
_NO_MESSAGE: Mapping[str, Json] = {}


def read_answer(raw: bytes) -> ModelAnswer:
    """Read the body of a successful answer.

    A refusal becomes the text of an answer that ended in `content_filter`. An answer without
    content stands only where the finish reason explains it (`length`, `content_filter`) or
    where tools are called. Raises BadResponse saying what is missing.
    """
    document = answer_document(raw)
    choice = _first_choice(document)
    message = as_object(choice.get("message"))
    finish_reason = _finish_reason(choice)
    if message is None:
        # Azure leaves the message out where its filter stopped the answer.
        if finish_reason != "content_filter":
            raise BadResponse("the first choice has no message")
        message = _NO_MESSAGE
    tool_calls = _tool_calls(message)
    text = _text(message.get("content"))
    refusal = message.get("refusal")
    if text is None and isinstance(refusal, str) and refusal:
        text, finish_reason = refusal, "content_filter"
    if text is None and not tool_calls and finish_reason not in ("length", "content_filter"):
        raise BadResponse("the message has neither content nor tool calls")
    return ModelAnswer(
        text=encodable(text or ""),
        tool_calls=tool_calls,
        finish_reason=finish_reason,
        usage=_usage(document),
        model=encodable_or_none(document.get("model")) or "",
        response_id=encodable_or_none(document.get("id")),
    )


def _first_choice(document: Mapping[str, Json]) -> Mapping[str, Json]:
    choices = document.get("choices")
    if not isinstance(choices, list) or not choices:
        said = f": {server_message(document)}" if document.get("error") else ""
        lack = "has no choices" if choices is None else "has an empty or malformed `choices`"
        raise BadResponse(f"the answer {lack}{said}")
    choice = as_object(cast("list[Any]", choices)[0])
    if choice is None:
        raise BadResponse("the first choice is not an object")
    # Gateways report an upstream failure inside a choice, next to the text so far.
    if choice.get("error") or choice.get("finish_reason") == "error":
        raise BadResponse(f"the server broke off the answer: {server_message(choice)}")
    return choice


def _finish_reason(choice: Mapping[str, Json]) -> FinishReason:
    given = choice.get("finish_reason")
    return _FINISH_REASONS.get(given.lower(), "other") if isinstance(given, str) else "other"


def _text(content: Json) -> str | None:
    """Join the text of a content; None when there is none at all."""
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise BadResponse("the content is neither text nor a list of parts")
    texts = [_part_text(part) for part in cast("list[Any]", content)]
    return "".join(text for text in texts if text is not None)


def _part_text(part: Json) -> str | None:
    """Return the text of a content part; None for other kinds, such as the model's thinking."""
    if isinstance(part, str):
        return part
    fields = as_object(part)
    if fields is None:
        raise BadResponse("a content part is neither text nor an object")
    text = fields.get("text")
    is_text = fields.get("type", "text") in ("text", "output_text")
    return text if is_text and isinstance(text, str) else None


def _tool_calls(message: Mapping[str, Json]) -> tuple[ToolCallPart, ...]:
    given = message.get("tool_calls")
    if given is None:
        legacy = as_object(message.get("function_call"))
        return () if legacy is None else (_tool_call("function_call", legacy),)
    if not isinstance(given, list):
        raise BadResponse("`tool_calls` is not a list")
    calls: list[ToolCallPart] = []
    for index, item in enumerate(cast("list[Any]", given)):
        fields = as_object(item) or {}
        function = as_object(fields.get("function"))
        if function is None:
            raise BadResponse(f"tool call {index} names no function")
        call_id = fields.get("id")
        calls.append(_tool_call(str(call_id or f"call_{index}"), function))
    return tuple(calls)


def _tool_call(call_id: str, function: Mapping[str, Json]) -> ToolCallPart:
    name, arguments = function.get("name"), function.get("arguments")
    if not isinstance(name, str) or not name:
        raise BadResponse(f"tool call {call_id!r} names no function")
    if arguments is None:
        arguments = ""
    elif not isinstance(arguments, str):  # some servers send the object instead of its text
        arguments = json.dumps(arguments, ensure_ascii=False)
    return ToolCallPart(id=encodable(call_id), name=encodable(name), arguments=encodable(arguments))


def _usage(document: Mapping[str, Json]) -> Usage | None:
    given = as_object(document.get("usage"))
    if given is None or not ("prompt_tokens" in given or "completion_tokens" in given):
        return None
    details = as_object(given.get("prompt_tokens_details")) or {}
    cached = details.get("cached_tokens", given.get("prompt_cache_hit_tokens"))
    n_input = token_count(given.get("prompt_tokens"))
    n_cached = min(n_input, token_count(cached))
    return Usage(
        input_tokens=n_input,
        output_tokens=token_count(given.get("completion_tokens")),
        cached_input_tokens=n_cached,
        cache_write_tokens=min(n_input - n_cached, token_count(details.get("cache_write_tokens"))),
    )
