"""Manifests as the registry writes them: records first, then the text of the file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from promptyard.records.manifest import (
    Manifest,
    ManifestPrompt,
    ManifestRollout,
    ManifestVersion,
)
from promptyard.records.prompts import Program, Prompt

TEXTS = {
    1: "system:\nBe brief.\n\nuser:\n{{question}}\n",
    2: "system:\nBe brief and kind.\n\nuser:\n{{question}}\n",
    3: "system:\nBe kind.\n\nuser:\n{{question}}\n",
}
ROLLOUT = ManifestRollout(id="r1", pointer="production", control=1, treatment=2, enrolled=0.5)


def program_of(text: str) -> Program:
    return Program.single(Prompt.from_text(text))


def manifest_of(
    *,
    revision: int = 1,
    pointers: Mapping[str, int] | None = None,
    rollouts: Sequence[ManifestRollout] = (),
    texts: Mapping[int, str] = TEXTS,
    name: str = "support",
    store: str = "",
) -> dict[str, Any]:
    """The JSON of a manifest with one prompt."""
    versions: dict[int, ManifestVersion] = {}
    for number, text in texts.items():
        program = program_of(text)
        value = program.model_dump(mode="json", by_alias=True)
        versions[number] = ManifestVersion(number=number, digest=program.id, program=value)
    prompt = ManifestPrompt(
        pointers=pointers or {"production": 1}, rollouts=tuple(rollouts), versions=versions
    )
    manifest = Manifest(
        revision=revision,
        issued_at="2026-11-27T10:00:00+00:00",
        store=store,
        prompts={name: prompt},
        checksum="",
    )
    return sealed(manifest.model_dump(mode="json"))


def sealed(value: dict[str, Any]) -> dict[str, Any]:
    """The same manifest with the checksum that fits."""
    return {**value, "checksum": Manifest.checksum_of(value)}


def write_manifest(path: Path, value: Mapping[str, Any]) -> None:
    """Replace the file at once, as publishing does."""
    written = path.with_name(f".{path.name}.new")
    written.write_text(json.dumps(value), encoding="utf-8")
    written.replace(path)
