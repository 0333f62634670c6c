"""The messages wire format (Anthropic), outwards: a Request becomes the body that is posted.

Pure: no I/O, no clock, no randomness. The way back is `messages_answer`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast
from urllib.parse import unquote_to_bytes

from promptyard.errors import PromptError
from promptyard.providers.schema_rules import MESSAGES_FORMAT, misfit
from promptyard.providers.wire_json import RESERVED_PARAMS, plain, refuse_reserved
from promptyard.records.base import Json, as_object
from promptyard.records.messages import (
    ImagePart,
    Message,
    OutputContract,
    Part,
    Request,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
)

DEFAULT_MAX_TOKENS = 8192
"""The protocol requires `max_tokens`. Thinking counts towards it, so it is not small."""

ANSWER_TOOL = "give_answer"
"""The tool whose input is the answer, where a schema can only be forced as that of a tool."""

SAMPLING_PARAMS = ("temperature", "top_p", "top_k")
"""Parameters that API versions from 2026-10-21 on refuse, whatever their value."""

_SYNONYMS = {"stop": "stop_sequences", "max_completion_tokens": "max_tokens"}
_ROLES = {"system": "system", "user": "user", "assistant": "assistant", "tool": "user"}


def messages_body(model: str, request: Request) -> dict[str, Json]:
    """Return the messages body of a request: plain JSON data that shares nothing with it.

    System messages at the start become `system`; one that comes later stays in its place, which
    only newer models take. Neighbours of one role become one message. Parameters come last, sorted
    by name, and may replace what we set; `stop` and `max_completion_tokens` get their names in this
    protocol, all others are sent as given, for the server to take or refuse.

    A JSON contract with a schema is forced by `output_config.format`; where that does not take the
    schema, by a tool whose input is the answer. Raises PromptError for a reserved parameter, an
    image that is no URL, tool arguments that are no object, and a schema that no way can force.
    """
    refuse_reserved(request.params, (*RESERVED_PARAMS, "system"))
    n_leading = next(
        (n for n, message in enumerate(request.messages) if message.role != "system"),
        len(request.messages),
    )
    system = [block for message in request.messages[:n_leading] for block in _blocks(message)]
    body: dict[str, Json] = {"model": model, "max_tokens": DEFAULT_MAX_TOKENS}
    if system:
        body["system"] = _content(system)
    body["messages"] = _turns(request.messages[n_leading:])
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    _force(body, request.output, request.tools)
    for key in sorted(request.params):
        _set_param(body, _SYNONYMS.get(key, key), plain(request.params[key]))
    return body


def forced_tool_reason(body: Mapping[str, Json]) -> str | None:
    """Say why a body forces its schema by a tool; None where it does not."""
    for tool in _list(body.get("tools")):
        fields = as_object(tool) or {}
        if fields.get("name") == ANSWER_TOOL:
            return misfit(fields.get("input_schema"), MESSAGES_FORMAT)
    return None


def _turns(messages: Sequence[Message]) -> list[dict[str, Json]]:
    """Write messages as turns; blocks of neighbours of one role stand in one turn."""
    turns: list[tuple[str, list[dict[str, Json]]]] = []
    for message in messages:
        role = _ROLES[message.role]
        if not turns or turns[-1][0] != role:
            turns.append((role, []))
        turns[-1][1].extend(_blocks(message))
    return [{"role": role, "content": _content(blocks)} for role, blocks in turns]


def _content(blocks: Sequence[dict[str, Json]]) -> Json:
    """Return a lone text as a plain string, which is how the protocol abbreviates it."""
    if not blocks:
        return ""
    if len(blocks) == 1 and blocks[0]["type"] == "text":
        return blocks[0]["text"]
    return list(blocks)


def _blocks(message: Message) -> Iterator[dict[str, Json]]:
    """Yield the content blocks of a message; the protocol refuses empty texts."""
    for part in message.parts:
        if not isinstance(part, TextPart) or part.text:
            yield _block(part)


def _block(part: Part) -> dict[str, Json]:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case ImagePart():
            return {"type": "image", "source": _image_source(part.url)}
        case ToolCallPart():
            arguments = _arguments(part)
            return {"type": "tool_use", "id": part.id, "name": part.name, "input": arguments}
        case ToolResultPart():
            return {"type": "tool_result", "tool_use_id": part.id, "content": part.text}


def _image_source(url: str) -> dict[str, Json]:
    if url.lower().startswith(("http://", "https://")):
        return {"type": "url", "url": url}
    head, comma, payload = url.partition(",")
    if not head.lower().startswith("data:") or not comma:
        raise PromptError(f"an image must be an http(s) or data: URL, not {url[:60]!r}")
    media_type, *attributes = (item.strip().lower() for item in head[5:].split(";"))
    if "base64" in attributes:
        data = "".join(payload.split())
    else:
        data = base64.b64encode(unquote_to_bytes(payload)).decode("ascii")
    media_type = media_type.replace("image/jpg", "image/jpeg")
    return {"type": "base64", "media_type": media_type, "data": data}


def _arguments(part: ToolCallPart) -> Json:
    try:
        value = as_object(json.loads(part.arguments) if part.arguments.strip() else {})
    except (ValueError, RecursionError):
        value = None
    if value is None:
        raise PromptError(
            f"the arguments of tool call {part.id!r} are no JSON object, which the messages "
            f"protocol requires: {part.arguments[:60]!r}"
        )
    return value


def _tool(tool: Tool) -> dict[str, Json]:
    if tool.name == ANSWER_TOOL:
        raise PromptError(f"a tool cannot be called {ANSWER_TOOL!r}: rename it")
    fields: dict[str, Json] = {"name": tool.name}
    if tool.description:
        fields["description"] = tool.description
    fields["input_schema"] = plain(tool.parameters) or {"type": "object", "properties": {}}
    return fields


def _force(body: dict[str, Json], output: OutputContract, tools: Sequence[Tool]) -> None:
    """Make the answer follow the schema of the contract, if it has one."""
    if output.format != "json" or output.schema_ is None:
        return
    schema = plain(output.schema_)
    reason = misfit(schema, MESSAGES_FORMAT)
    if reason is None:
        body["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
        return
    if schema.get("type") != "object":
        raise PromptError(
            f"output.schema cannot be forced by the messages protocol: it has {reason}, and only a "
            "schema of type `object` can be that of a tool"
        )
    answer = {
        "name": ANSWER_TOOL,
        "description": "Gives the final answer. Its input is the whole answer.",
        "input_schema": schema,
    }
    body["tools"] = [*_list(body.get("tools")), answer]
    body["tool_choice"] = (
        {"type": "any"}  # a tool of the prompt may be called first
        if tools
        else {"type": "tool", "name": ANSWER_TOOL, "disable_parallel_tool_use": True}
    )


def _set_param(body: dict[str, Json], key: str, value: Json) -> None:
    if key == "stop_sequences" and isinstance(value, str):
        body[key] = [value]  # the other protocol takes a bare text
    elif key == "output_config" and isinstance(value, dict):
        # It also carries `effort`; only a `format` of its own replaces ours.
        body[key] = {**(as_object(body.get(key)) or {}), **value}
    else:
        body[key] = value


def _list(value: Json) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []
