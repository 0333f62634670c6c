"""Turns what other tools call the input of a case (text, object, chat) into input variables.

What all chats begin with belongs to the prompt, not to the case: it is written as a prompt file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from promptyard.evalset.foreign.checks import Notes, Unsupported
from promptyard.evalset.foreign.prompt_files import ROLES, Turn, literal, prompt_text
from promptyard.records.base import Json, as_list, as_object

TEXT, CHAT = "input", "messages"
"""Names of the variables that hold a text and a chat."""


class Inputs(NamedTuple):
    """The variables of each case, and the prompt that goes with them, if chats gave one."""

    variables: tuple[Mapping[str, Json], ...]
    prompts: tuple[str, ...] = ()


def read_inputs(values: Sequence[Json], notes: Notes) -> Inputs:
    """Read the inputs of all cases.

    An object is the variables themselves. A text is the variable `input`. Of chats, the messages
    that all begin with become a prompt; what is left is `input` where it is one user message in
    each case, else `messages`.
    """
    chats = [_turns(value) for value in values]
    if any(chat is not None for chat in chats) and all(
        chat is not None or isinstance(value, str)
        for chat, value in zip(chats, values, strict=True)
    ):
        turns = [
            [("user", value)] if chat is None else chat
            for chat, value in zip(chats, values, strict=True)
        ]
        return _chats(turns, notes)
    return Inputs(tuple(_variables(value, notes) for value in values))


def _variables(value: Json, notes: Notes) -> Mapping[str, Json]:
    found = as_object(value)
    if found is not None:
        return dict(found)
    if as_list(value) is not None:
        notes.add("an input is a list that is no chat of plain texts; it stays as it is")
    return {TEXT: "" if value is None else value}


def _turns(value: Json) -> list[Turn] | None:
    """Read a chat whose messages are plain texts, or return None."""
    items = as_list(value)
    if not items:
        return None
    turns: list[Turn] = []
    for item in items:
        message = as_object(item) or {}
        role, content = _role(message), _content(message.get("content"))
        if role is None or content is None or message.get("tool_calls"):
            return None
        turns.append((role, content))
    return turns


def _role(message: Mapping[str, Json]) -> str | None:
    role = message.get("role", message.get("type"))
    name = message.get("name")
    if role == "system" and name in ("example_user", "example_assistant"):
        return str(name).removeprefix("example_")
    return ROLES.get(role) if isinstance(role, str) else None


def _content(value: Json) -> str | None:
    if isinstance(value, str):
        return value
    parts = [as_object(part) or {} for part in as_list(value) or ()]
    texts = [part.get("text") for part in parts]
    if not texts or not all(isinstance(text, str) for text in texts):
        return None
    return "\n".join(str(text) for text in texts)


def _chats(chats: Sequence[Sequence[Turn]], notes: Notes) -> Inputs:
    n_shared = 0
    while all(len(chat) > n_shared + 1 and chat[n_shared] == chats[0][n_shared] for chat in chats):
        n_shared += 1
    opening = [(role, literal(content)) for role, content in chats[0][:n_shared]]
    rest = [chat[n_shared:] for chat in chats]
    single = all(len(chat) == 1 and chat[0][0] == "user" for chat in rest)
    name = TEXT if single else CHAT
    try:
        prompt = prompt_text([*opening, ("user", f"{{{{{name}}}}}")])
    except Unsupported:
        notes.add("the messages that all chats begin with cannot be a prompt file; they stay")
        prompt, rest, single = f"user:\n{{{{{CHAT}}}}}\n", chats, False
    if single:
        return Inputs(tuple({TEXT: chat[0][1]} for chat in rest), (prompt,))
    return Inputs(
        tuple(
            {CHAT: [{"role": role, "content": content} for role, content in chat]} for chat in rest
        ),
        (prompt,),
    )
