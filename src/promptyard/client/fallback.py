"""What is bundled with an application, for when nothing else can be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from promptyard.client.contents import Contents, contents_of, contents_of_bytes, contents_of_texts
from promptyard.client.source import read_bytes
from promptyard.errors import ConfigError


def fallback_of(given: str | Path | Mapping[str, Any] | None) -> Callable[[], Contents] | None:
    """Return what reads a fallback: a manifest file, its JSON, or a dict of texts by name.

    What it returns may raise SourceFault. Raises ConfigError for anything else.
    """
    if given is None:
        return None
    if isinstance(given, str | Path):
        path = Path(given)
        return lambda: contents_of_bytes(read_bytes(path)[0])
    if given and all(isinstance(text, str) for text in given.values()):
        texts = dict(cast("Mapping[str, str]", given))
        return lambda: contents_of_texts(texts)
    if "prompts" not in given:
        raise ConfigError("fallback is a manifest file, its JSON, or a dict of texts by name")
    return lambda: contents_of(given)
