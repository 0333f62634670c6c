"""A real chat-completions server on 127.0.0.1, in a thread of the test process.

It answers what the test says and fails how and when the test says::

    def answer(body):                       # body: the posted JSON; returns text or fields
        return "yes" if "refund" in body["messages"][-1]["content"] else "no"

    def faults(index, body):                # index: 0 for the first request since reset()
        return Fault.status(429, retry_after=0.01) if index % 5 == 0 else None

    with ChatServer(answer, faults, latency_s=0.005) as server:
        model = OpenAICompatible("test/m1", "m1", server.base_url, "key")
        ...
    assert server.n_requests == 10

The client may live in this process or, by `server.base_url`, in another one that is killed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, cast

from support.model_server import Body, Fault, ModelServer, Received, Refusal
from support.service_images import data_refusal
from support.service_schemas import fields_of, strict_chat_refusal

__all__ = ["Body", "ChatServer", "Fault", "Received"]


class ChatServer(ModelServer):
    """A server of the chat-completions protocol; `base_url` ends in `/v1`."""

    endpoint = "/chat/completions"

    def refuse(self, headers: Mapping[str, str], body: Body) -> Refusal | None:
        """Refuse formats, schemas and images as the real service does."""
        del headers
        said = format_refusal(body) or image_refusal(body)
        return Refusal(400, said) if said else None

    def document(self, index: int, body: Body, answer: str | dict[str, Any]) -> Body:
        """Build a chat completion; tokens are counted as words."""
        fields = {} if isinstance(answer, str) else answer
        text = answer if isinstance(answer, str) else ""
        n_input = len(json.dumps(body.get("messages", [])).split())
        n_output = len(text.split())
        return {
            "id": f"chatcmpl-{index}",
            "object": "chat.completion",
            "created": 1700000000,
            "model": body.get("model", ""),
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text},
                    "finish_reason": "stop",
                }
            ],
            "usage": {
                "prompt_tokens": n_input,
                "completion_tokens": n_output,
                "total_tokens": n_input + n_output,
            },
        } | fields

    def damaged(self, fault: Fault, document: Body) -> Body:
        """Damage choices, message or finish reason."""
        choice: Body = dict(document["choices"][0]) if document.get("choices") else {}
        message: Body = dict(choice.get("message", {}))
        match fault.kind:
            case "no_choices":
                return {key: document[key] for key in document if key != "choices"}
            case "empty_choices":
                return document | {"choices": []}
            case "null_content":
                choice["message"] = message | {"content": None}
            case "length":
                text = str(message.get("content") or "")
                choice["message"] = message | {"content": text[: len(text) // 2]}
                choice["finish_reason"] = "length"
            case "content_filter":
                choice["message"] = message | {"content": ""}
                choice["finish_reason"] = "content_filter"
            case _:
                raise ValueError(f"the chat-completions protocol has no fault {fault.kind!r}")
        return document | {"choices": [choice]}

    def error_document(self, code: int, message: str, kind: str) -> Body:
        """Build an error document as OpenAI's."""
        del code, kind
        return {"error": {"message": message, "type": "test_error", "code": None}}


def format_refusal(body: Body) -> str | None:
    """Say why `response_format` is refused, or None."""
    given = body.get("response_format", {"type": "text"})
    match given.get("type"):
        case "text":
            return None
        case "json_object":
            if "json" in json.dumps(body["messages"]).lower():
                return None
            return "'messages' must contain the word 'json' to use response_format 'json_object'"
        case "json_schema":
            return json_schema_refusal(given.get("json_schema", {}))
        case other:
            return f"Invalid value: {other!r} for response_format.type"


def json_schema_refusal(given: Body) -> str | None:
    """Say why a `json_schema` format is refused, or None."""
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", str(given.get("name", ""))):
        return "Missing or invalid parameter: 'response_format.json_schema.name'"
    schema = given.get("schema")
    invalid = "Invalid schema for response_format 'answer': "
    if (fields_of(schema) or {}).get("type") != "object":
        return invalid + "schema must be a JSON Schema of 'type: \"object\"'"
    refusal = strict_chat_refusal(schema) if given.get("strict") else None
    return invalid + refusal if refusal else None


def image_refusal(body: Body) -> str | None:
    """Say why an image of the messages is refused, or None."""
    for turn in body.get("messages", []):
        content = turn.get("content")
        parts = cast("list[Body]", content) if isinstance(content, list) else []
        images = [part["image_url"]["url"] for part in parts if part.get("type") == "image_url"]
        if images and turn["role"] != "user":
            return f"Image URLs are only allowed for role 'user', not {turn['role']!r}"
        for url in images:
            if refusal := url_refusal(url):
                return f"Invalid image_url: {refusal}"
    return None


def url_refusal(url: str) -> str | None:
    """Say why the address of an image is refused, or None."""
    if url.startswith(("http://", "https://")):
        return None
    found = re.fullmatch(r"data:([\w/+-]+);base64,(.*)", url)
    return data_refusal(found[1], found[2]) if found else "expected a base64 data URL"
