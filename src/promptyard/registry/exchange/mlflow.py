"""MLflow: versions of its prompt registry in JSON, as its objects or its REST API say them.

MLflow has no export of its own: what `vars` of its objects, `MlflowClient` or the REST API give is
read, with the template in `template` or in its tag. Source: mlflow.org, prompt registry;
`mlflow.entities.model_registry.PromptVersion`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from promptyard.errors import PromptError
from promptyard.records.base import Json, as_list, as_object
from promptyard.registry.exchange.foreign import (
    Findings,
    ForeignVersion,
    Settings,
    build_prompt,
    checked_name,
    model_settings,
    output_of,
)
from promptyard.registry.exchange.templates import SYNTAXES, Piece, jinja

TEXT_TAG = "mlflow.prompt.text"
TYPE_TAG = "_mlflow_prompt_type"
CONFIG_TAG = "_mlflow_prompt_model_config"
FORMAT_TAG = "_mlflow_prompt_response_format"
OWN_TAGS = ("mlflow.prompt.", "_mlflow_")


def recognises(data: Json) -> bool:
    """Say whether JSON holds MLflow's prompt versions: a template, or the tag that holds it."""
    return any("template" in item or TEXT_TAG in _tags(item) for item in _objects(data))


def read(data: Json, findings: Findings, *, syntax: str = "double") -> list[ForeignVersion]:
    """Read one version, a list of them, or an answer of the API. Raises PromptError for none."""
    versions: list[ForeignVersion] = []
    n_seen = 0
    aliases = _aliases_of_names(data)
    for item in _objects(data):
        n_seen += 1
        what = f"prompt {item.get('name')!r} version {item.get('version')!r}"
        try:
            versions.append(_version(item, aliases, findings, syntax))
        except PromptError as why:
            findings.refuse(what, why)
    if not n_seen:
        raise PromptError("there is no prompt in it: expected objects with name and template")
    return versions


def _objects(data: Json) -> Iterator[Mapping[str, Json]]:
    whole = as_object(data)
    if whole is not None:
        for key in ("prompt_versions", "model_versions", "prompts", "versions", "model_version"):
            if key in whole:
                data = whole[key]
                break
    for item in as_list(data) or [data]:
        found = as_object(item)
        if found is not None:
            yield found


def _aliases_of_names(data: Json) -> Mapping[str, Sequence[str]]:
    """Return aliases that stand beside the versions, by version: `{"alias", "version"}`."""
    whole = as_object(data) or {}
    found: dict[str, list[str]] = {}
    for item in as_list(whole.get("aliases")) or ():
        alias = as_object(item) or {}
        found.setdefault(str(alias.get("version")), []).append(str(alias.get("alias")))
    for alias, version in (as_object(whole.get("aliases")) or {}).items():
        found.setdefault(str(version), []).append(alias)
    return found


def _version(
    item: Mapping[str, Json],
    aliases: Mapping[str, Sequence[str]],
    findings: Findings,
    syntax: str,
) -> ForeignVersion:
    tags = _tags(item)
    number = str(item.get("version") or 0)
    if not number.isdigit() or len(number) > 9:
        raise PromptError(f"version: {number[:20]!r} is no whole number")
    template = item.get("template", tags.get(TEXT_TAG))
    if tags.get(TYPE_TAG) == "chat" and isinstance(template, str):
        template = _from_json(template, TEXT_TAG)
    own = [str(alias) for alias in as_list(item.get("aliases")) or () if isinstance(alias, str)]
    left = [key for key in tags if not key.startswith(OWN_TAGS)]
    if left:
        findings.note(f"tags were left out: {', '.join(sorted(left)[:5])}")
    message = item.get("commit_message") or item.get("description")
    author = item.get("user_id")
    return ForeignVersion(
        name=checked_name(item.get("name")),
        number=int(number),
        prompt=build_prompt(_messages(template, syntax), _settings(item, tags, findings)),
        labels=tuple(dict.fromkeys((*own, *aliases.get(number, ())))),
        message=message if isinstance(message, str) else "",
        author=author if isinstance(author, str) else "",
        created_at=_time(item.get("creation_timestamp")),
    )


def _settings(item: Mapping[str, Json], tags: Mapping[str, Json], findings: Findings) -> Settings:
    config = item.get("model_config", tags.get(CONFIG_TAG))
    given = as_object(_from_json(config, CONFIG_TAG) if isinstance(config, str) else config) or {}
    extra = as_object(given.get("extra_params")) or {}
    plain = {
        key: value
        for key, value in {**given, **extra}.items()
        if key not in ("extra_params", "provider")
    }
    settings = model_settings(plain, findings)
    answer = item.get("response_format", tags.get(FORMAT_TAG))
    if answer in (None, ""):
        return settings
    output = output_of(_from_json(answer, FORMAT_TAG) if isinstance(answer, str) else answer)
    return Settings(output=output, params=settings.params, tools=settings.tools)


def _messages(template: Json, syntax: str) -> list[tuple[str, Sequence[Piece]]]:
    if isinstance(template, str):
        return [("user", _pieces(template, syntax))]
    messages: list[tuple[str, Sequence[Piece]]] = []
    for entry in as_list(template) or ():
        message = as_object(entry) or {}
        role, content = message.get("role"), message.get("content")
        if not isinstance(role, str) or not isinstance(content, str):
            raise PromptError("a message needs a role and a content that is text")
        messages.append((role, _pieces(content, syntax)))
    if not messages:
        raise PromptError("its template is neither a text nor a list of messages")
    return messages


def _pieces(text: str, syntax: str) -> list[Piece]:
    # MLflow renders a template as Jinja as soon as there is a block in it.
    return jinja(text) if syntax == "double" and "{%" in text else SYNTAXES[syntax](text, 1)


def _tags(item: Mapping[str, Json]) -> Mapping[str, Json]:
    tags = item.get("tags")
    pairs = [as_object(entry) or {} for entry in as_list(tags) or ()]
    return as_object(tags) or {str(pair.get("key")): pair.get("value") for pair in pairs}


def _from_json(text: str, where: str) -> Json:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PromptError(f"{where}: not JSON: {error}") from None


def _time(milliseconds: Json) -> str:
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        return ""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, tz=UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return ""
