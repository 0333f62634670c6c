"""Promptyard's client: a manifest with one active rollout; variants `resolve` and `record`.

`record` stores an exposure of every enrolled subject in a spool and counts until it is fsynced. Its
queue takes all subjects, since this loop makes more than the disk takes; with the default queue the
rest would be dropped and counted. A subject "gets the new one" where it is enrolled.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from timing import given, measure

from promptyard.client import Promptyard
from promptyard.records.manifest import (
    Manifest,
    ManifestPrompt,
    ManifestRollout,
    ManifestVersion,
)
from promptyard.records.prompts import Program, Prompt

TEXTS = {1: "user:\nSort: {{text}}\n", 2: "user:\nSort well: {{text}}\n"}


def main() -> None:
    options = given()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "manifest.json"
        source.write_text(json.dumps(manifest(options.enrolled)), encoding="utf-8")
        spool = Path(folder) / "spool" if options.variant == "record" else None
        with Promptyard(source, record_to=spool, queue_size=4 * options.n_subjects) as client:
            client.prompt("sort")
            before = 0

            def resolve(subject: str) -> bool:
                return client.prompt("sort", subject=subject).arm is not None

            def finish() -> int | None:
                nonlocal before
                if spool is None:
                    return None
                if not client.flush(timeout_s=120):
                    raise RuntimeError(f"not everything was stored: {client.status()}")
                written: int = client.status()["recording"]["written"]
                new, before = written - before, written
                return new

            measure(resolve, options.n_subjects, finish)


def manifest(enrolled: float) -> dict[str, object]:
    """The JSON of a manifest with one prompt and one rollout."""
    programs = {n: Program.single(Prompt.from_text(text)) for n, text in TEXTS.items()}
    versions = {
        n: ManifestVersion(number=n, digest=program.id, program=program.model_dump(mode="json"))
        for n, program in programs.items()
    }
    rollout = ManifestRollout(
        id="rollout-1", pointer="production", control=1, treatment=2, enrolled=enrolled
    )
    prompt = ManifestPrompt(pointers={"production": 1}, rollouts=(rollout,), versions=versions)
    whole = Manifest(revision=1, issued_at="", prompts={"sort": prompt}, checksum="")
    value = whole.model_dump(mode="json")
    return {**value, "checksum": Manifest.checksum_of(value)}


if __name__ == "__main__":
    main()
