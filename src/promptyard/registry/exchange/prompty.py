"""Prompty: `.prompty` files, YAML front matter above a template with lines that open messages.

Reads the first version of the format (`model.configuration`, `model.parameters`, `sample`) and the
second (`model.options`, `inputs`, `outputs`, `tools`). Source: Prompty's runtime specification,
section 2. References to files and the environment are not followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

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
from promptyard.registry.exchange.prompt_schema import property_schema
from promptyard.registry.exchange.templates import Piece, jinja, mustache

SUFFIX = ".prompty"
ROLE = re.compile(
    r"^[ \t]*(?:#[ \t]*)?(system|developer|user|assistant)(\[[^\]\n]*\])?[ \t]*:[ \t]*\r?$",
    re.MULTILINE | re.IGNORECASE,
)
REFERENCE = re.compile(r"\$\{(?:env|file):[^}]*\}")
CHAT_KIND = "thread"
MEDIA_KINDS = ("image", "file", "audio")
NOT_KEPT = ("displayName", "metadata", "authors", "tags", "version", "base", "$schema")
KNOWN = (
    *NOT_KEPT,
    "name",
    "description",
    "model",
    "inputs",
    "input",
    "sample",
    "outputs",
    "output",
    "tools",
    "template",
)


def read(
    data: Mapping[str, Json], parts: Parts, findings: Findings, *, name: str
) -> ForeignVersion:
    """Read a file whose front matter says `data`; `name` is that of the file.

    Raises PromptError with the line of what has no counterpart.
    """
    for key in data:
        if key in NOT_KEPT or key not in KNOWN:
            findings.note(f"'{key}' of the front matter was left out")
    settings = _settings(data, findings)
    for where, value in (
        ("output", settings.output),
        ("parameters", settings.params),
        ("tools", settings.tools),
    ):
        _refuse_references(where, value)
    chats = _inputs(data, findings)
    given = data.get("name")
    return ForeignVersion(
        name=checked_name(given or name),
        prompt=build_prompt(_messages(parts, _syntax(data), chats), settings),
    )


def _messages(
    parts: Parts, syntax: str, chats: frozenset[str]
) -> list[tuple[str, Sequence[Piece]]]:
    template = mustache if syntax == "mustache" else jinja
    messages: list[tuple[str, Sequence[Piece]]] = []
    for role, start, end in _spans(parts.body):
        line = parts.body_line + parts.body.count("\n", 0, start)
        pieces = [
            Piece("chat", piece.value)
            if piece.kind == "variable" and piece.value in chats
            else piece
            for piece in template(parts.body[start:end], line)
        ]
        if any(piece.value.strip() for piece in pieces):
            messages.append((role, pieces))
    return messages


def _spans(body: str) -> Iterator[tuple[str, int, int]]:
    """Cut at the lines that open messages; what stands before the first is the system's."""
    role, start = "system", 0
    for found in ROLE.finditer(body):
        yield role, start, found.start()
        role, start = found[1].lower(), found.end()
    yield role, start, len(body)


def _syntax(data: Mapping[str, Json]) -> str:
    template = data.get("template")
    whole = as_object(template) or {}
    form = whole.get("format", whole.get("type"))
    kind = (as_object(form) or {}).get("kind", form)
    found = template if isinstance(template, str) else kind
    if found in (None, "jinja2", "mustache"):
        return str(found or "jinja2")
    raise PromptError(f"template: '{found}' is not read; jinja2 and mustache are")


def _settings(data: Mapping[str, Json], findings: Findings) -> Settings:
    model = data.get("model")
    given = as_object(model) or {}
    if isinstance(model, str) or isinstance(given.get("id"), str):
        named = model if isinstance(model, str) else given["id"]
        findings.note(f"the model {named} is not part of a prompt; name it in the task")
    if "configuration" in given or "connection" in given:
        findings.note("the connection to the model was left out")
    if given.get("api", given.get("apiType", "chat")) not in ("chat", "responses", "agent"):
        raise PromptError("model: only chat prompts have a counterpart")
    options = dict(as_object(given.get("parameters", given.get("options"))) or {})
    options |= as_object(options.pop("additionalProperties", None)) or {}
    inner_tools = options.pop("tools", None)
    plain = model_settings(options, findings)
    tools = data.get("tools", inner_tools)
    outputs = data.get("outputs", data.get("output"))
    description = data.get("description")
    return Settings(
        description=description if isinstance(description, str) else "",
        output=(
            {"format": "json", "schema": dict(property_schema(outputs, "outputs"))}
            if outputs
            else plain.output
        ),
        params=plain.params,
        tools=_tools(tools) if tools else (),
    )


def _tools(value: Json) -> Sequence[Json]:
    """Read functions, in OpenAI's shape or with Prompty's list of parameters."""
    tools: list[Json] = []
    for item in as_list(value) or [value]:
        given = as_object(item)
        if given is None:
            raise PromptError(f"tools: {str(item)[:60]!r} is not read; write the tool in place")
        kind = given.get("kind", given.get("type", "function"))
        if kind != "function":
            raise PromptError(f"tools: the kind '{kind}' has no counterpart; functions have")
        if given.get("bindings"):
            raise PromptError("tools: bindings have no counterpart; take them out")
        parameters = given.get("parameters")
        properties = (as_object(parameters) or {}).get("properties")
        if as_list(parameters) is not None or as_list(properties) is not None:
            given = {**given, "parameters": property_schema(parameters, "tools.parameters")}
        tools += tools_of([given])
    return tools


def _inputs(data: Mapping[str, Json], findings: Findings) -> frozenset[str]:
    """Return the inputs that hold messages; note defaults, refuse media."""
    inputs = data.get("inputs", data.get("input", data.get("sample")))
    given = as_object(inputs)
    entries: list[tuple[Json, Json]] = (
        list(given.items())
        if given is not None
        else [((as_object(item) or {}).get("name"), item) for item in as_list(inputs) or ()]
    )
    chats: set[str] = set()
    n_defaults = 0
    for name, value in entries:
        described = as_object(value) or {}
        kind = described.get("kind")
        if kind == CHAT_KIND:
            chats.add(str(name))
        elif kind in MEDIA_KINDS:
            findings.note(
                f'the input {name} holds a medium: give it as an image ({{"image": URL}}) here'
            )
        n_defaults += not described or "default" in described
    if n_defaults:
        findings.note("defaults and samples of inputs were left out")
    return frozenset(chats)


def _refuse_references(where: str, value: Json) -> None:
    pending: list[Json] = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str) and (found := REFERENCE.search(item)):
            raise PromptError(
                f"{where}: `{found[0]}` is not followed; write what it stands for in place"
            )
        pending += (as_object(item) or {}).values() if as_object(item) else as_list(item) or ()
