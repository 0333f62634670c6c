"""Writes promptfoo files and reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from promptyard.errors import EvalSetError
from promptyard.evalset.foreign.promptfoo.importer import Promptfoo
from promptyard.records.base import Json
from promptyard.records.imported import ImportedSet


def imported(folder: Path, config: str | Json, **files: str) -> ImportedSet:
    """Read a configuration; a keyword `chat_json` is the file chat.json beside it."""
    for name, content in files.items():
        stem, _, suffix = name.rpartition("_")
        (folder / f"{stem}.{suffix}").write_text(content, encoding="utf-8")
    path = folder / "promptfooconfig.yaml"
    text = config if isinstance(config, str) else json.dumps(config)
    path.write_text(text, encoding="utf-8")
    return Promptfoo().read(path)


def rows(folder: Path, config: str | Json, **files: str) -> list[Mapping[str, Json]]:
    """The rows with all their checks."""
    found = imported(folder, config, **files)
    return [item.row for item in found.rows_with_all_checks()]


def refusal(folder: Path, config: str | Json, **files: str) -> str:
    with pytest.raises(EvalSetError) as caught:
        imported(folder, config, **files)
    message = str(caught.value)
    assert message.startswith(str(folder))
    assert "\n" not in message
    return message.removeprefix(f"{folder}/")
