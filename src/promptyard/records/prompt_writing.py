"""Writes messages that were made elsewhere as the text of a prompt file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, TypeAlias

from promptyard.errors import PromptError
from promptyard.records.prompt_text import TOKEN
from promptyard.records.prompts import Prompt

Turn: TypeAlias = "tuple[str, str]"
"""Role and content of a message."""

ROLES: dict[str, Literal["system", "user", "assistant"]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
}
_ROLE_LINE = re.compile(r"^(?=(?:system|user|assistant|demos):[ \t]*$)", re.MULTILINE)
_ESCAPED_ROLE = re.compile(r"^\\(?=(?:system|user|assistant|demos):[ \t]*$)", re.MULTILINE)
_MARK = re.compile(r"\{\{|</?edit>")


def literal(text: str) -> str:
    """Escape what a prompt file would read as a variable, a mark or the line of a role."""
    return _ROLE_LINE.sub(r"\\", _MARK.sub(lambda match: f"\\{match[0]}", text))


def write_messages(turns: Sequence[Turn]) -> str:
    """Write messages, whose contents are templates of ours, as a prompt file, and read it back.

    Raises PromptError for a role that we do not have, and where the file would not give the same
    messages (white space around them apart).
    """
    parts: list[str] = []
    for role, content in turns:
        if role not in ROLES:
            raise PromptError(f"a message with the role '{role}'")
        parts.append(f"{ROLES[role]}:\n{content.rstrip()}\n")
    text = "\n".join(parts)
    try:
        prompt = Prompt.from_text(text)
        sent = prompt.render({name: name for name in prompt.variables})
    except PromptError as error:
        raise PromptError(f"a prompt that cannot be written here: {error}") from None
    shown = [(message.role, message.text.strip()) for message in sent]
    wanted = [(ROLES[role], _show_names(content).strip()) for role, content in turns]
    if shown != wanted:
        raise PromptError("a prompt that reads differently in our format")
    return text


def _show_names(content: str) -> str:
    """Return what a content shows when each variable shows its own name."""
    plain = _ESCAPED_ROLE.sub("", content)
    return TOKEN.sub(lambda m: m["escaped"] or m["variable"].strip("{} \t"), plain)
