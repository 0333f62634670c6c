"""Dotprompt: `.prompt` files, YAML front matter above a template in Handlebars.

Source: google.github.io/dotprompt/reference (frontmatter, template, picoschema). What runs logic
(blocks, partials, media, sections) has no counterpart and is refused with its line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from promptyard.errors import PromptError
from promptyard.records.base import Json, as_list, as_object
from promptyard.registry.exchange.foreign import (
    Findings,
    ForeignVersion,
    Settings,
    build_prompt,
    checked_name,
    model_settings,
    tools_of,
)
from promptyard.registry.exchange.front_matter import Parts
from promptyard.registry.exchange.prompt_schema import picoschema
from promptyard.registry.exchange.templates import Piece, handlebars

SUFFIX = ".prompt"
KNOWN = ("name", "variant", "description", "model", "config", "input", "output", "tools")


def read(
    data: Mapping[str, Json], parts: Parts, findings: Findings, *, name: str
) -> ForeignVersion:
    """Read a file whose front matter says `data`; `name` is that of the file.

    Raises PromptError with the line of what has no counterpart.
    """
    messages = _messages(handlebars(parts.body, parts.body_line))
    if any(piece == Piece("chat", "history") for _, pieces in messages for piece in pieces):
        findings.note("{{history}} is the variable `history` here; it takes a list of messages")
    for key in data:
        if key not in KNOWN:
            findings.note(f"'{key}' of the front matter was left out")
    if isinstance(data.get("model"), str):
        findings.note(f"the model {data['model']} is not part of a prompt; name it in the task")
    if defaults := as_object((as_object(data.get("input")) or {}).get("default")):
        findings.note(f"defaults of inputs were left out: {', '.join(sorted(defaults)[:5])}")
    given = data.get("name") or name
    variant = data.get("variant")
    return ForeignVersion(
        name=checked_name(f"{given}.{variant}" if variant else given),
        prompt=build_prompt(messages, _settings(data, findings)),
    )


def _messages(pieces: Sequence[Piece]) -> list[tuple[str, Sequence[Piece]]]:
    """Cut at the roles; what stands before the first is the user's, after a history the model's."""
    messages: list[tuple[str, Sequence[Piece]]] = []
    role, current = "user", list[Piece]()
    for piece in pieces:
        if piece.kind in ("role", "chat"):
            messages.append((role, current))
            current = []
            role = piece.value if piece.kind == "role" else "model"
        if piece.kind == "chat":
            messages.append(("user", [piece]))
        elif piece.kind != "role":
            current.append(piece)
    messages.append((role, current))
    return [(role, part) for role, part in messages if any(p.value.strip() for p in part)]


def _settings(data: Mapping[str, Json], findings: Findings) -> Settings:
    config = as_object(data.get("config")) or {}
    description = data.get("description")
    plain = model_settings(config, findings)
    tools = data.get("tools")
    named = [item for item in as_list(tools) or () if isinstance(item, str)]
    if named:
        raise PromptError(
            f"tools: '{named[0]}' names a tool of the application, whose description is not in "
            "the file; write name, description and parameters in place"
        )
    return Settings(
        description=description if isinstance(description, str) else "",
        output=_output(data.get("output")),
        params=plain.params,
        tools=tools_of(tools) if tools else (),
    )


def _output(value: Json) -> Mapping[str, Json] | None:
    given = as_object(value)
    if given is None:
        return None
    schema, form = given.get("schema"), given.get("format")
    if form not in (None, "json", "text"):
        raise PromptError(f"output.format: '{form}' has no counterpart; use json or text")
    if schema is not None:
        return {"format": "json", "schema": dict(picoschema(schema, "output.schema"))}
    return {"format": "json"} if form == "json" else None
