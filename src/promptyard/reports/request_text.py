"""One request to a model and what came back, as plain text that a person can read."""

from __future__ import annotations

import json
from collections.abc import Iterator

from promptyard.records.base import Json, as_list, as_object
from promptyard.records.calls import StoredCall
from promptyard.reports.figures import usd
from promptyard.reports.visible import visible


def request_text(number: int, call: StoredCall) -> str:
    """Write a call as blocks: a head, each message as sent, other settings, and the answer.

    Nothing is left out; characters that would steer a terminal are made visible.
    """
    parts = [_head(number, call), *_sent(call.body), *_came_back(call)]
    return "\n".join(parts) + "\n\n"


def _head(number: int, call: StoredCall) -> str:
    told = [call.outcome or "nothing came back", call.started_at[:19].replace("T", " ")]
    if call.tokens is not None:
        told.append(f"{call.tokens:,} tokens")
    if call.cost_usd is not None:
        told.append(usd(call.cost_usd))
    if call.completion is not None and call.completion.finish_reason != "stop":
        told.append(f"ended by {call.completion.finish_reason}")
    return f"=== {number}. {call.role} · {visible(' · '.join(told))}"


def _sent(body: Json | None) -> Iterator[str]:
    fields = as_object(body)
    if fields is None:
        yield "(what was sent is stored with an answer, and none came)"
        return
    rest = {name: value for name, value in fields.items() if name not in ("messages", "system")}
    if isinstance(fields.get("system"), str):
        yield from _block("system", fields["system"])
    for message in as_list(fields.get("messages")) or []:
        given = as_object(message) or {}
        yield from _block(str(given.get("role", "message")), given.get("content"))
    if rest:
        yield from _block("settings", rest)


def _came_back(call: StoredCall) -> Iterator[str]:
    if call.completion is None:
        return
    yield from _block("answer", call.completion.text)
    for tool in call.completion.tool_calls:
        yield from _block(f"tool call {tool.name}", tool.arguments)


def _block(title: str, content: Json) -> Iterator[str]:
    yield f"--- {visible(title)}"
    yield from (visible(line) for line in _as_text(content).split("\n"))


def _as_text(content: Json) -> str:
    if isinstance(content, str):
        return content
    parts = as_list(content)
    texts = [(as_object(part) or {}).get("text") for part in parts or []]
    if parts and all(isinstance(text, str) for text in texts):
        return "\n".join(str(text) for text in texts)
    return json.dumps(content, ensure_ascii=False)
