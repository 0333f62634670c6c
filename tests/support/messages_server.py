"""A real server of the messages protocol (Anthropic) on 127.0.0.1, in a thread of the process.

It refuses what the real service refuses: a missing version, key, `max_tokens` or message, unknown
fields, empty texts, unpaired tool results, images that are none, schemas that it cannot force::

    with MessagesServer(lambda body: "yes", key="sk-ant-...") as server:
        model = Anthropic("anthropic/m1", "m1", server.base_url, "sk-ant-...")

Answers begin with an empty thinking block, as those of current models do. Where a tool is forced,
the text that the test answers is the tool's input, as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from support.model_server import Answer, Body, Fault, ModelServer, Refusal
from support.service_images import data_refusal
from support.service_schemas import messages_format_refusal

KEY = "sk-ant-not-a-real-key-0123456789"

VERSIONS = ("2023-06-01", "2026-10-21")
FIELDS = {
    *("model", "messages", "max_tokens", "system", "tools", "tool_choice", "stop_sequences"),
    *("stream", "metadata", "thinking", "output_config", "service_tier", "cache_control"),
}
SAMPLING = ("temperature", "top_p", "top_k")
NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
ERROR_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
BLOCKS = {
    "user": ("text", "image", "tool_result", "document"),
    "assistant": ("text", "tool_use", "thinking", "redacted_thinking"),
    "system": ("text",),
}


class MessagesServer(ModelServer):
    """A server of the messages protocol; `base_url` ends in `/v1`.

    `forces_tools` says whether the model allows `tool_choice` to force one, `takes_system_turns`
    whether it takes system messages within a conversation: models differ.
    """

    endpoint = "/messages"
    request_id_header = "request-id"

    def __init__(
        self,
        answer: Answer = lambda _: "ok",
        faults: Callable[[int, Body], Fault | None] = lambda _index, _body: None,
        *,
        latency_s: float = 0.0,
        key: str = KEY,
        forces_tools: bool = True,
        takes_system_turns: bool = False,
    ) -> None:
        super().__init__(answer, faults, latency_s=latency_s)
        self._key = key
        self._forces_tools = forces_tools
        self._takes_system_turns = takes_system_turns

    def refuse(self, headers: Mapping[str, str], body: Body) -> Refusal | None:
        """Check headers and body in the order of the real service."""
        if headers.get("x-api-key") != self._key:
            said = "invalid x-api-key" if "x-api-key" in headers else "x-api-key header is required"
            return Refusal(401, said, "authentication_error")
        try:
            check_version(headers)
            check_fields(with_renamed_format(headers, body), headers["anthropic-version"])
            check_tools(body, forces_tools=self._forces_tools)
            check_turns(body["messages"], takes_system_turns=self._takes_system_turns)
            check_format(body)
        except Refused as refused:
            return Refusal(400, str(refused))
        return None

    def document(self, index: int, body: Body, answer: str | dict[str, Any]) -> Body:
        """Build a message; tokens are counted as words."""
        fields = {} if isinstance(answer, str) else answer
        text = answer if isinstance(answer, str) else ""
        block: Body = {"type": "text", "text": text}
        choice = body.get("tool_choice", {})
        if choice.get("type") in ("tool", "any") and isinstance(answer, str):
            name = choice.get("name") or body["tools"][-1]["name"]
            tool_input = json.loads(text)
            block = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": tool_input}
        return {
            "id": f"msg_{index}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": [{"type": "thinking", "thinking": "", "signature": "c2ln"}, block],
            "stop_reason": "tool_use" if block["type"] == "tool_use" else "end_turn",
            "stop_sequence": None,
            "usage": {
                "input_tokens": len(json.dumps(body["messages"]).split()),
                "output_tokens": len(text.split()),
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "service_tier": "standard",
            },
        } | fields

    def damaged(self, fault: Fault, document: Body) -> Body:
        """Damage content, stop reason or usage."""
        block = dict(document["content"][-1])
        match fault.kind:
            case "null_content":
                return document | {"content": None}
            case "empty_content":
                return document | {"content": []}
            case "no_usage":
                return {key: document[key] for key in document if key != "usage"}
            case "length":
                text = str(block.get("text", ""))
                block["text"] = text[: len(text) // 2]
                return document | {"content": [block], "stop_reason": "max_tokens"}
            case "refusal":
                said = {"type": "refusal", "category": "bio", "explanation": "I cannot help here."}
                return document | {"content": [], "stop_reason": "refusal", "stop_details": said}
            case _:
                raise ValueError(f"the messages protocol has no fault {fault.kind!r}")

    def error_document(self, code: int, message: str, kind: str) -> Body:
        """Build an error document as Anthropic's."""
        named = ERROR_KINDS.get(code, kind)
        return {
            "type": "error",
            "error": {"type": named, "message": message},
            "request_id": "req_test",
        }


class Refused(ValueError):
    """What is wrong with a request, in the words of the service."""


def check_version(headers: Mapping[str, str]) -> None:
    version = headers.get("anthropic-version")
    if version is None:
        raise Refused("anthropic-version: header is required")
    if version not in VERSIONS:
        raise Refused(f"anthropic-version: {version!r} is not a valid version")


def with_renamed_format(headers: Mapping[str, str], body: Body) -> Body:
    """Take `output_format`, as it was called while it was beta, from those who still send that."""
    if "structured-outputs" not in headers.get("anthropic-beta", ""):
        return body
    return {key: value for key, value in body.items() if key != "output_format"}


def check_fields(body: Body, version: str) -> None:
    for key in body:
        if key not in FIELDS and not (key in SAMPLING and version == "2023-06-01"):
            raise Refused(f"{key}: Extra inputs are not permitted")
    for key in ("model", "messages", "max_tokens"):
        if key not in body:
            raise Refused(f"{key}: Field required")
    if not isinstance(body["max_tokens"], int) or body["max_tokens"] < 1:
        raise Refused("max_tokens: Input should be greater than or equal to 1")
    if not body["messages"]:
        raise Refused("messages: at least one message is required")
    for text in body.get("stop_sequences", []):
        if not text.strip():
            raise Refused("stop_sequences: each stop sequence must contain non-whitespace")
    if "system" in body:
        check_blocks(blocks_of(body["system"]), "system", "system")


def check_tools(body: Body, *, forces_tools: bool) -> None:
    tools, choice = body.get("tools", []), body.get("tool_choice")
    for number, tool in enumerate(tools):
        if not NAME.fullmatch(str(tool.get("name", ""))):
            raise Refused(f"tools.{number}.custom.name: String should match pattern")
        if tool.get("input_schema", {}).get("type") != "object":
            raise Refused(f"tools.{number}.custom.input_schema.type: Input should be 'object'")
    names = [tool["name"] for tool in tools]
    if len(set(names)) < len(names):
        raise Refused("tools: Tool names must be unique.")
    if choice is None:
        return
    if not tools:
        raise Refused("tool_choice: may only be specified while providing tools")
    if choice.get("type") not in ("auto", "any", "tool", "none"):
        raise Refused("tool_choice: Input tag found does not match any of the expected tags")
    if choice["type"] in ("any", "tool") and not forces_tools:
        raise Refused('tool_choice: "any" and "tool" are not supported for this model')
    if choice["type"] == "tool" and choice.get("name") not in names:
        raise Refused(f"Tool '{choice.get('name')}' not found in provided tools")


def check_turns(turns: list[Body], *, takes_system_turns: bool) -> None:
    open_calls: list[str] = []
    for number, turn in enumerate(turns):
        role, content, where = turn.get("role"), turn.get("content"), f"messages.{number}"
        if set(turn) != {"role", "content"} or role not in BLOCKS:
            raise Refused(f"{where}: Unexpected role or fields")
        if role == "system" and not takes_system_turns:
            raise Refused(f"{where}: role 'system' is not supported on this model")
        if number == 0 and role != "user":
            raise Refused('messages: first message must use the "user" role')
        if not content:
            raise Refused(f"{where}: {role} messages must have non-empty content")
        blocks = blocks_of(content)
        check_blocks(blocks, role, where)
        check_results(blocks, open_calls, where)
        open_calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
    if open_calls:
        raise Refused(f"`tool_use` ids were found without `tool_result` blocks: {open_calls}")


def blocks_of(content: Any) -> list[Body]:
    """Return a content as blocks; a bare text stands for one."""
    if isinstance(content, list):
        return cast("list[Body]", content)
    return [{"type": "text", "text": content}]


def check_results(blocks: list[Body], open_calls: list[str], where: str) -> None:
    answered = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    if set(answered) - set(open_calls):
        raise Refused(f"{where}: unexpected `tool_use_id` found in `tool_result` blocks")
    if set(open_calls) - set(answered):
        raise Refused(f"{where}: `tool_use` ids were found without `tool_result` blocks after them")
    if any(block["type"] != "tool_result" for block in blocks[: len(answered)]):
        raise Refused(f"{where}: `tool_result` blocks must come first")


def check_blocks(blocks: list[Body], role: str, where: str) -> None:
    for block in blocks:
        kind = block.get("type")
        if kind not in BLOCKS[role]:
            raise Refused(f"{where}: content of type {kind!r} is not allowed for role {role!r}")
        if kind == "text" and not block["text"]:
            raise Refused("messages: text content blocks must be non-empty")
        if kind == "tool_use" and (
            not NAME.fullmatch(block["id"]) or not isinstance(block["input"], dict)
        ):
            raise Refused(f"{where}: tool_use: wrong id or input")
        if kind == "image":
            check_source(block["source"], where)


def check_source(source: Body, where: str) -> None:
    match source.get("type"):
        case "base64":
            refusal = data_refusal(source["media_type"], source["data"])
            if refusal:
                raise Refused(f"{where}.image.source.base64.{refusal}")
        case "url":
            if not source["url"].startswith("https://"):
                raise Refused(f"{where}.image.source.url: Only HTTPS URLs are supported.")
        case other:
            raise Refused(f"{where}.image.source: unknown type {other!r}")


def check_format(body: Body) -> None:
    config = body.get("output_config", {})
    if set(config) - {"effort", "format"}:
        raise Refused("output_config: Extra inputs are not permitted")
    given = config.get("format")
    if given is None:
        return
    if given.get("type") != "json_schema" or set(given) != {"type", "schema"}:
        raise Refused("output_config.format: Input should be a json_schema with a schema")
    if refusal := messages_format_refusal(given["schema"]):
        raise Refused(f"output_config.format.schema: {refusal}")
    if body["messages"][-1]["role"] == "assistant":
        raise Refused("output_config.format: prefill is not supported with output formats")
