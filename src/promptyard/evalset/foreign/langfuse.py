"""Langfuse: items of a data set, exported from the tables of its pages or fetched by its API.

Source: api.reference.langfuse.com, dataset items. Archived items are no cases; items that come of
one trace are not independent and share a cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from promptyard.evalset.foreign.checks import Notes
from promptyard.evalset.foreign.head import read_head
from promptyard.evalset.foreign.metadata import tags_of
from promptyard.evalset.foreign.row_sets import Entry, data_of, first_of, imported_set, read_entries
from promptyard.evalset.raw_rows import SUFFIXES
from promptyard.records.base import Json, as_object
from promptyard.records.imported import ImportedSet

OWN_KEYS = frozenset(
    {
        "datasetId", "datasetName", "sourceTraceId", "sourceObservationId", "dataset_id",
        "dataset_name", "source_trace_id", "source_observation_id",
    }
)  # fmt: skip
MAPPING: Mapping[str, str] = {
    "input": "input",
    "expectedOutput": "expected",
    "metadata": "tags",
    "id": "id",
    "sourceTraceId": "cluster",
    "status": "- (archived items are left out)",
    "datasetName": "-",
    "createdAt": "-",
    "updatedAt": "-",
}


class Langfuse:
    """Reads data set items in JSON, JSONL and CSV."""

    name = "langfuse"

    def recognises(self, path: Path, head: bytes) -> bool:
        """Say yes to rows with an input and a key that only these items have."""
        row = read_head(path, head).row
        return path.suffix.lower() in SUFFIXES and "input" in row and bool(row & OWN_KEYS)

    def read(self, path: Path) -> ImportedSet:
        """Read all active items. Raises EvalSetError with file and line."""
        notes = Notes()

        def entry(row: Mapping[str, Json], at: str) -> Entry | None:
            return _entry(row, at, notes)

        entries, n_archived = read_entries(path, entry)
        if n_archived:
            notes.add(f"{n_archived:,} archived items were left out")
        notes.add("evaluators of Langfuse are not in its export; `equals` is a guess")
        return imported_set(self.name, path, entries, notes, mapping=MAPPING, n_left_out=n_archived)


def _entry(row: Mapping[str, Json], at: str, notes: Notes) -> Entry | None:
    if str(row.get("status") or "ACTIVE").upper() == "ARCHIVED":
        return None
    expected = data_of(first_of(row, ("expectedOutput", "expected_output")))
    metadata = data_of(row.get("metadata"))
    found = as_object(metadata)
    if found is None and metadata not in (None, ""):
        notes.add("metadata that is no object was left out")
    return Entry(
        at=at,
        input=data_of(row.get("input")),
        keys={
            "id": row.get("id"),
            "expected": expected,
            "checks": [{"type": "equals"}] if expected is not None else [],
            "tags": tags_of(found or {}, notes),
            "cluster": first_of(row, ("sourceTraceId", "source_trace_id")),
        },
    )
