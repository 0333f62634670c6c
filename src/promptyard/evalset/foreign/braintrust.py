"""Braintrust: rows of a data set (`input`, `expected`, `metadata`, `tags`).

Source: braintrust.dev/docs/guides/datasets. Scorers are code or live on the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from promptyard.evalset.foreign.checks import Notes
from promptyard.evalset.foreign.head import read_head
from promptyard.evalset.foreign.metadata import tags_of
from promptyard.evalset.foreign.row_sets import Entry, data_of, imported_set, read_entries, texts_of
from promptyard.evalset.raw_rows import SUFFIXES
from promptyard.records.base import Json, as_object
from promptyard.records.imported import ImportedSet

OWN_KEYS = frozenset(
    {"_xact_id", "root_span_id", "span_id", "_pagination_key", "is_root", "origin"}
)
MAPPING: Mapping[str, str] = {
    "input": "input",
    "expected": "expected",
    "metadata": "tags",
    "tags": "tags",
    "id": "id",
}


class Braintrust:
    """Reads exported rows in JSON, JSONL and CSV."""

    name = "braintrust"

    def recognises(self, path: Path, head: bytes) -> bool:
        """Say yes to rows with an input and a key that only exports have."""
        row = read_head(path, head).row
        return path.suffix.lower() in SUFFIXES and "input" in row and bool(row & OWN_KEYS)

    def read(self, path: Path) -> ImportedSet:
        """Read all rows. Raises EvalSetError with file and line."""
        notes = Notes()

        def entry(row: Mapping[str, Json], at: str) -> Entry:
            return _entry(row, at, notes)

        entries, _ = read_entries(path, entry)
        notes.add("scorers of Braintrust are not in its export; `equals` is a guess")
        return imported_set(self.name, path, entries, notes, mapping=MAPPING)


def _entry(row: Mapping[str, Json], at: str, notes: Notes) -> Entry:
    expected = data_of(row.get("expected"))
    metadata = as_object(data_of(row.get("metadata"))) or {}
    tags = [*texts_of(data_of(row.get("tags"))), *tags_of(metadata, notes)]
    given = expected is not None and expected != ""
    return Entry(
        at=at,
        input=data_of(row.get("input")),
        keys={
            "id": row.get("id"),
            "expected": expected,
            "checks": [{"type": "equals"}] if given else [],
            "tags": tags,
        },
    )
