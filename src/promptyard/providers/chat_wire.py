"""The chat-completions wire format, outwards: a Request becomes the body that is posted.

Pure: no I/O, no clock, no randomness. The way back is `chat_answer`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from promptyard.errors import PromptError
from promptyard.records.base import Json, as_object
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

RESERVED_PARAMS = ("model", "messages", "stream", "n")
"""Keys of a body that no prompt parameter may set: they would change what is asked of whom."""

_STRICT_UNSUPPORTED = (
    "allOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "patternProperties",
    "dependentRequired",
    "dependentSchemas",
)


def chat_body(model: str, request: Request) -> dict[str, Json]:
    """Return the chat-completions body of a request: plain JSON data that shares nothing with it.

    Parameters come last, sorted by name, so that they may replace `response_format` or `tools`
    on purpose. Raises PromptError for a parameter of RESERVED_PARAMS.
    """
    for key in RESERVED_PARAMS:
        if key in request.params:
            raise PromptError(
                f"Parameter {key!r} cannot be set by a prompt: every call asks one model for one "
                f"whole answer. Remove {key!r} from params."
            )
    body: dict[str, Json] = {"model": model}
    body["messages"] = [item for message in request.messages for item in _messages(message)]
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    response_format = _response_format(request.output)
    if response_format is not None:
        body["response_format"] = response_format
    for key in sorted(request.params):
        body[key] = _plain(request.params[key])
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
    function["parameters"] = _plain(tool.parameters) or {"type": "object", "properties": {}}
    return {"type": "function", "function": function}


def _response_format(output: OutputContract) -> dict[str, Json] | None:
    if output.format != "json":
        return None
    if output.schema_ is None:
        return {"type": "json_object"}
    schema = _plain(output.schema_)
    strict = "anyOf" not in schema and schema.get("type") == "object" and _is_strict(schema)
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": strict},
    }


def _is_strict(schema: Json) -> bool:
    """Tell whether a schema keeps the rules of strict structured output, at every depth.

    Objects list all their properties as required and allow no others; every value has a type.
    A server refuses `strict: true` for any other schema, so those are sent without it.
    """
    node = as_object(schema)
    if node is None or any(key in node for key in _STRICT_UNSUPPORTED):
        return False
    if not any(key in node for key in ("type", "$ref", "anyOf")):
        return False
    if "properties" in node or "object" in _types(node):
        properties = as_object(node.get("properties", {})) or {}
        if node.get("additionalProperties") is not False:
            return False
        if set(_items(node.get("required"))) != set(properties):
            return False
    return all(_is_strict(child) for child in _subschemas(node))


def _types(node: Mapping[str, Json]) -> Sequence[Json]:
    given = node.get("type")
    return _items(given) if isinstance(given, list) else [given]


def _subschemas(node: Mapping[str, Json]) -> Iterator[Json]:
    for key in ("properties", "$defs", "definitions"):
        yield from (as_object(node.get(key, {})) or {}).values()
    for key in ("anyOf", "prefixItems"):
        yield from _items(node.get(key))
    if "items" in node:
        yield node["items"]


def _items(value: Json) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _plain(value: Json) -> Any:
    """Copy a JSON value into dicts and lists, so that a body can be changed without harm."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in cast("Mapping[str, Json]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in cast("Sequence[Json]", value)]
    return value
