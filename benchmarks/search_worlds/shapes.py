"""Chat messages as both models see them, and the output shapes of the frameworks that they know."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

_CHAT_ASK = "Respond with the corresponding output fields"
_JSON_ASK = "Respond with a JSON object in the following order of fields"
_CHAT_FIELD = re.compile(r"\[\[ ## (\w+) ## \]\]")


class Turn(NamedTuple):
    """One message: its role and its text."""

    role: str
    text: str


class AskedFields(NamedTuple):
    """Output fields that a framework asks for, in its chat or its JSON form."""

    names: tuple[str, ...]
    as_json: bool


def turns_of(messages: Sequence[Mapping[str, Any]]) -> list[Turn]:
    """The messages of a chat-completions body as texts; parts that are no text are left out."""
    turns: list[Turn] = []
    for message in messages:
        content: Any = message.get("content") or ""
        if isinstance(content, list):
            parts = cast("list[Mapping[str, Any]]", content)
            content = "\n".join(str(part.get("text", "")) for part in parts)
        turns.append(Turn(str(message.get("role", "user")), str(content)))
    return turns


def asked_fields(turns: Sequence[Turn]) -> AskedFields | None:
    """The fields that DSPy's adapters ask for at the end of the last message, or None."""
    tail = turns[-1].text[-3000:] if turns else ""
    at = tail.rfind(_CHAT_ASK)
    if at >= 0:
        names = [name for name in _CHAT_FIELD.findall(tail[at:]) if name != "completed"]
        return AskedFields(tuple(names), as_json=False)
    at = tail.rfind(_JSON_ASK)
    if at >= 0:
        return AskedFields(tuple(re.findall(r"`(\w+)`", tail[at:])), as_json=True)
    return None


def dressed(fields: AskedFields, value_of: Callable[[str], str]) -> str:
    """Write the fields in the form that was asked for."""
    if fields.as_json:
        return json.dumps({name: value_of(name) for name in fields.names})
    blocks = [f"[[ ## {name} ## ]]\n{value_of(name)}" for name in fields.names]
    return "\n\n".join([*blocks, "[[ ## completed ## ]]"])
