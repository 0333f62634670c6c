"""inspect: data sets of samples (`input`, `target`, `choices`, `id`, `metadata`).

Source: inspect.aisi.org.uk/datasets. A target that is a list means any of them. How a sample is
scored is code of the task, not in the data set.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from promptyard.evalset.foreign.checks import Notes
from promptyard.evalset.foreign.head import read_head
from promptyard.evalset.foreign.metadata import tags_of
from promptyard.evalset.foreign.row_sets import (
    Entry,
    any_of,
    data_of,
    imported_set,
    read_entries,
)
from promptyard.evalset.raw_rows import SUFFIXES
from promptyard.records.base import Json, as_list, as_object
from promptyard.records.imported import ImportedSet

MAPPING: Mapping[str, str] = {
    "input": "input",
    "target": "expected",
    "choices": "input.choices",
    "id": "id",
    "metadata": "tags",
}
NOT_HERE = ("files", "setup", "sandbox")


class InspectAi:
    """Reads data sets in JSON, JSONL and CSV."""

    name = "inspect"

    def recognises(self, path: Path, head: bytes) -> bool:
        """Say yes to rows with `input` and `target`."""
        in_table = path.suffix.lower() in SUFFIXES
        return in_table and read_head(path, head).row >= {"input", "target"}

    def read(self, path: Path) -> ImportedSet:
        """Read all samples. Raises EvalSetError with file and line."""
        notes = Notes()

        def entry(row: Mapping[str, Json], at: str) -> Entry:
            return _entry(row, at, notes)

        entries, _ = read_entries(path, entry)
        if any("expected" in found.keys for found in entries):
            notes.add("how samples are scored is code of the inspect task; `equals` is a guess")
        return imported_set(self.name, path, entries, notes, mapping=MAPPING)


def _entry(row: Mapping[str, Json], at: str, notes: Notes) -> Entry:
    for name in NOT_HERE:
        if row.get(name):
            notes.add(f"samples have '{name}', which has no meaning here; left out")
    keys: dict[str, Json] = {"id": row.get("id")}
    target = data_of(row.get("target"))
    if target not in (None, "", []):
        keys["expected"] = any_of(target)
        keys["checks"] = [{"type": "equals"}]
    metadata = as_object(data_of(row.get("metadata")))
    if metadata is not None:
        keys["tags"] = tags_of(metadata, notes)
    given = data_of(row.get("input"))
    choices = _choices(row.get("choices"))
    if choices:
        lines = [f"{chr(ord('A') + n)}) {choice}" for n, choice in enumerate(choices[:26])]
        shown: Json = "\n".join(lines)
        if isinstance(given, str):
            given = {"input": given, "choices": shown}
        else:
            notes.add("samples have a chat and choices; the choices were left out")
    return Entry(at=at, input=given, keys=keys)


def _choices(value: Json) -> list[str]:
    """Read choices as inspect does: a text is split at commas, or else at blanks."""
    value = data_of(value)
    items = as_list(value)
    if items is not None:
        return [str(item) for item in items]
    if not isinstance(value, str) or not value.strip():
        return []
    parts = value.split(",") if "," in value else value.split()
    return [part.strip() for part in parts]
