"""Messages in spans: structured, as JSON text, or numbered attributes, in all conventions."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pydantic_core

from promptyard.records import attribute_names as names
from promptyard.records.base import Json, as_list, as_object

_NUMBERED = re.compile(r"(\d{1,4})\.(?:message\.)?(role|content|finish_reason)")


def json_of(value: Json) -> Json:
    """Return what a JSON text says; any other value as it is, None for a text that is no JSON."""
    if not isinstance(value, str):
        return value
    try:
        return pydantic_core.from_json(value, allow_inf_nan=False)
    except ValueError:
        return None


def content_of(attributes: Mapping[str, Json], *, is_input: bool) -> Json:
    """Return what was asked or answered: messages where they are structured, else a text or None.

    A message is an object with `role` and `content` or `parts`.
    """
    for name in names.CONTENT_IN if is_input else names.CONTENT_OUT:
        value = attributes.get(name)
        if value is None or value == "":
            continue
        structured = json_of(value)
        is_structured = as_list(structured) is not None or as_object(structured) is not None
        return structured if is_structured else value
    numbered = (
        (names.OLD_PROMPT, names.LLM_INPUT_MESSAGES)
        if is_input
        else (names.OLD_COMPLETION, names.LLM_OUTPUT_MESSAGES)
    )
    return next((found for prefix in numbered if (found := _numbered(attributes, prefix))), None)


def output_text(content: Json) -> str | None:
    """Return the text of an answer: of all its messages, without tool calls; None for none."""
    if content is None:
        return None
    if isinstance(content, str):
        return content
    texts = [_text_of(item) for item in _messages(content)]
    found = [text for text in texts if text is not None]
    return "\n".join(found) if found else None


def finish_of_messages(content: Json) -> str:
    """Return why the last message of an answer ended, where it says so."""
    for item in reversed(_messages(content)):
        reason = (as_object(item) or {}).get("finish_reason")
        if isinstance(reason, str):
            return reason[:1_000]
    return ""


def _messages(content: Json) -> list[Json]:
    items = as_list(content)
    if items is not None:
        return items
    found = as_object(content)
    if found is None:
        return []
    for key in ("messages", "choices"):
        inside = as_list(found.get(key))
        if inside is not None:
            return inside
    return [found]


def _text_of(message: Json) -> str | None:
    if isinstance(message, str):
        return message
    found = as_object(message)
    if found is None:
        return None
    inner = as_object(found.get("message"))
    if inner is not None:
        return _text_of(inner)
    content = found.get("content", found.get("text"))
    if isinstance(content, str):
        return content
    parts = as_list(content) or as_list(found.get("parts")) or []
    texts = [
        part if isinstance(part, str) else _text_of(part)
        for part in parts
        if isinstance(part, str) or (as_object(part) or {}).get("type", "text") == "text"
    ]
    said = [text for text in texts if text is not None]
    return "".join(said) if said else None


def _numbered(attributes: Mapping[str, Json], prefix: str) -> list[Json]:
    """Put messages together whose fields are attributes: `<prefix>0.content` and so on."""
    found: dict[int, dict[str, Json]] = {}
    start = len(prefix)
    for name, value in attributes.items():
        if name.startswith(prefix):
            match = _NUMBERED.fullmatch(name, start)
            if match is not None:
                found.setdefault(int(match[1]), {})[match[2]] = value
    return [found[number] for number in sorted(found)]
