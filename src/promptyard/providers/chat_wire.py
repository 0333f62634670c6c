"""The chat-completions wire format, outwards: a Request becomes the body that is posted.

Pure: no I/O, no clock, no randomness. The way back is `chat_answer`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from promptyard.providers.schema_rules import STRICT_CHAT, misfit
from promptyard.providers.wire_json import plain, refuse_reserved
from promptyard.records.base import Json
from promptyard.records.messages import (
    ImagePart,
    Message,
    OutputContract,
    Request,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
)


def chat_body(model: str, request: Request) -> dict[str, Json]:
    """Return the chat-completions body of a request: plain JSON data that shares nothing with it.

    Parameters come last, sorted by name, so that they may replace `response_format` or `tools`
    on purpose. Raises PromptError for a parameter of RESERVED_PARAMS.
    """
    refuse_reserved(request.params)
    body: dict[str, Json] = {"model": model}
    body["messages"] = [item for message in request.messages for item in _messages(message)]
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    response_format = _response_format(request.output)
    if response_format is not None:
        body["response_format"] = response_format
    for key in sorted(request.params):
        body[key] = plain(request.params[key])
    return body


def _messages(message: Message) -> Iterator[dict[str, Json]]:
    """Yield the wire messages of one message: a message of its own for each tool result."""
    rest: list[TextPart | ImagePart | ToolCallPart] = []
    n_results = 0
    for part in message.parts:
        if isinstance(part, ToolResultPart):
            n_results += 1
            yield {"role": "tool", "tool_call_id": part.id, "content": part.text}
        else:
            rest.append(part)
    if rest or not n_results:
        yield _message(message.role, rest)


def _message(role: str, parts: Iterable[TextPart | ImagePart | ToolCallPart]) -> dict[str, Json]:
    shown: list[TextPart | ImagePart] = []
    calls: list[dict[str, Json]] = []
    for part in parts:
        if isinstance(part, ToolCallPart):
            function = {"name": part.name, "arguments": part.arguments}
            calls.append({"id": part.id, "type": "function", "function": function})
        else:
            shown.append(part)
    content: Json = _content(shown)
    if not calls:
        return {"role": role, "content": content}
    return {"role": role, "content": content or None, "tool_calls": calls}


def _content(parts: Sequence[TextPart | ImagePart]) -> Json:
    """Return a plain string when there is only text, which every server understands."""
    if any(isinstance(part, ImagePart) for part in parts):
        return [_content_part(part) for part in parts]
    return "".join(part.text for part in parts if isinstance(part, TextPart))


def _content_part(part: TextPart | ImagePart) -> dict[str, Json]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    return {"type": "image_url", "image_url": {"url": part.url}}


def _tool(tool: Tool) -> dict[str, Json]:
    function: dict[str, Json] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    # Some servers refuse a function without parameters; this schema says "takes none".
    function["parameters"] = plain(tool.parameters) or {"type": "object", "properties": {}}
    return {"type": "function", "function": function}


def _response_format(output: OutputContract) -> dict[str, Json] | None:
    if output.format != "json":
        return None
    if output.schema_ is None:
        return {"type": "json_object"}
    schema = plain(output.schema_)
    strict = misfit(schema, STRICT_CHAT) is None
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": strict},
    }
