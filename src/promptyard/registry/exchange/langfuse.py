"""Langfuse: prompts as its API and its SDKs give them, in JSON.

Source: langfuse.com/docs/prompt-management (data model, variables, message placeholders,
composability) and the OpenAPI description of its prompts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from promptyard.errors import PromptError
from promptyard.records.base import Json, as_list, as_object
from promptyard.registry.exchange.foreign import (
    Findings,
    ForeignVersion,
    build_prompt,
    checked_name,
    model_settings,
)
from promptyard.registry.exchange.templates import SYNTAXES, Piece

REFERENCE = "@@@langfusePrompt:"


def recognises(data: Json) -> bool:
    """Say whether JSON holds Langfuse's prompts: objects with a name, `prompt` and a version."""
    return any("prompt" in item and "name" in item for item in _objects(data))


def read(data: Json, findings: Findings, *, syntax: str = "double") -> list[ForeignVersion]:
    """Read one prompt, a list of them, or a page of the API. Raises PromptError for none."""
    versions: list[ForeignVersion] = []
    n_seen = 0
    for item in _objects(data):
        n_seen += 1
        what = f"prompt {item.get('name')!r} version {item.get('version')!r}"
        try:
            versions.append(_version(item, findings, syntax))
        except PromptError as why:
            findings.refuse(what, why)
    if not n_seen:
        raise PromptError("there is no prompt in it: expected objects with name and prompt")
    return versions


def _objects(data: Json) -> Iterator[Mapping[str, Json]]:
    whole = as_object(data)
    if whole is not None and "prompt" not in whole:
        data = next((whole[key] for key in ("data", "prompts") if key in whole), data)
    for item in as_list(data) or [data]:
        found = as_object(item)
        if found is not None:
            yield found


def _version(item: Mapping[str, Json], findings: Findings, syntax: str) -> ForeignVersion:
    if "prompt" not in item:
        raise PromptError(
            "it has no text: the list of Langfuse's API holds names only; fetch each version"
        )
    number = item.get("version", 0)
    if isinstance(number, bool) or not isinstance(number, int):
        raise PromptError(f"version: {number!r} is no whole number")
    settings = model_settings(_config(item.get("config"), findings), findings)
    labels = [str(label) for label in as_list(item.get("labels")) or ()]
    if item.get("tags"):
        findings.note("tags were left out")
    message = item.get("commitMessage", item.get("commit_message"))
    author = item.get("createdBy", item.get("created_by"))
    created_at = item.get("createdAt", item.get("created_at"))
    return ForeignVersion(
        name=checked_name(item.get("name")),
        number=number,
        prompt=build_prompt(_messages(item["prompt"], syntax), settings),
        labels=tuple(label for label in labels if label != "latest"),
        message=message if isinstance(message, str) else "",
        author=author if isinstance(author, str) else "",
        created_at=created_at if isinstance(created_at, str) else "",
    )


def _config(value: Json, findings: Findings) -> Mapping[str, Json]:
    config = as_object(value)
    if config is None and value not in (None, ""):
        findings.note("a configuration that is no object was left out")
    return config or {}


def _messages(value: Json, syntax: str) -> list[tuple[str, Sequence[Piece]]]:
    if isinstance(value, str):
        return [("user", _pieces(value, syntax))]
    messages: list[tuple[str, Sequence[Piece]]] = []
    for item in as_list(value) or ():
        message = as_object(item) or {}
        if message.get("type") == "placeholder":
            name = SYNTAXES["double"](f"{{{{{message.get('name')}}}}}", 1)[0].value
            messages.append(("user", [Piece("chat", name)]))
            continue
        role, content = message.get("role"), message.get("content")
        if not isinstance(role, str) or not isinstance(content, str):
            raise PromptError("a message needs a role and a content that is text")
        messages.append((role, _pieces(content, syntax)))
    if not messages:
        raise PromptError("its prompt is neither a text nor a list of messages")
    return messages


def _pieces(text: str, syntax: str) -> list[Piece]:
    if REFERENCE in text:
        line = text.count("\n", 0, text.index(REFERENCE)) + 1
        raise PromptError(
            f"line {line}: `{REFERENCE}` takes in another prompt; export it resolved, or write it "
            "in place"
        )
    return SYNTAXES[syntax](text, 1)
