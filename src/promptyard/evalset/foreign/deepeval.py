"""DeepEval: goldens in JSON, JSONL and CSV.

Source: deepeval.com/docs/evaluation-datasets. The metrics of a run are code, not in the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from promptyard.evalset.foreign.checks import Notes
from promptyard.evalset.foreign.head import read_head
from promptyard.evalset.foreign.metadata import tags_of
from promptyard.evalset.foreign.row_sets import Entry, data_of, first_of, imported_set, read_entries
from promptyard.evalset.raw_rows import SUFFIXES
from promptyard.records.base import Json, as_list, as_object
from promptyard.records.imported import ImportedSet

OWN_KEYS = frozenset(
    {
        "actual_output", "actualOutput", "retrieval_context", "retrievalContext", "expected_tools",
        "expectedTools", "tools_called", "toolsCalled", "additional_metadata",
        "additionalMetadata", "source_file", "sourceFile", "custom_column_key_values",
    }
)  # fmt: skip
MAPPING: Mapping[str, str] = {
    "input": "input.input",
    "expected_output": "expected",
    "context": "input.context",
    "retrieval_context": "input.retrieval_context",
    "expected_tools": "checks (tool_call_f1)",
    "additional_metadata": "tags",
    "name": "id",
    "source_file": "source",
    "actual_output": "-",
    "tools_called": "-",
    "comments": "-",
}


class DeepEval:
    """Reads goldens of one turn; those of conversations are left out and counted."""

    name = "deepeval"

    def recognises(self, path: Path, head: bytes) -> bool:
        """Say yes to rows with an `input` and a key that only goldens have."""
        row = read_head(path, head).row
        return path.suffix.lower() in SUFFIXES and "input" in row and bool(row & OWN_KEYS)

    def read(self, path: Path) -> ImportedSet:
        """Read all goldens. Raises EvalSetError with file and line."""
        notes = Notes()

        def entry(row: Mapping[str, Json], at: str) -> Entry | None:
            return _entry(row, at, notes)

        entries, n_left_out = read_entries(path, entry)
        if n_left_out:
            notes.add(f"{n_left_out:,} conversations have no single input; they were left out")
        notes.add(
            "the metrics of DeepEval are code; `equals` is a guess where an output is expected"
        )
        return imported_set(self.name, path, entries, notes, mapping=MAPPING, n_left_out=n_left_out)


def _entry(row: Mapping[str, Json], at: str, notes: Notes) -> Entry | None:
    if row.get("input") is None and (row.get("turns") or row.get("scenario")):
        return None
    inputs: dict[str, Json] = {"input": row.get("input")}
    for name, other in (("context", "context"), ("retrieval_context", "retrievalContext")):
        passages = _passages(first_of(row, (name, other)))
        if passages:
            inputs[name] = passages
    expected = first_of(row, ("expected_output", "expectedOutput"))
    tools = _tool_names(data_of(first_of(row, ("expected_tools", "expectedTools"))))
    checks: list[Json] = [{"type": "equals"}] if expected is not None else []
    if tools:
        checks.append({"type": "tool_call_f1", "value": tools})
    if first_of(row, ("actual_output", "actualOutput", "tools_called", "toolsCalled")):
        notes.add("goldens have recorded outputs; they were left out")
    metadata = as_object(data_of(first_of(row, ("additional_metadata", "additionalMetadata"))))
    return Entry(
        at=at,
        input=inputs,
        keys={
            "id": row.get("name"),
            "expected": expected,
            "checks": checks,
            "tags": tags_of(metadata or {}, notes),
            "source": first_of(row, ("source_file", "sourceFile")),
        },
    )


def _passages(value: Json) -> Json:
    """Read a list of passages; in CSV they are parted by `|`."""
    value = data_of(value)
    if isinstance(value, str):
        return [part.strip() for part in value.split("|") if part.strip()]
    return as_list(value)


def _tool_names(value: Json) -> list[str]:
    items = [
        item if isinstance(item, str) else (as_object(item) or {}) for item in as_list(value) or ()
    ]
    names = [item if isinstance(item, str) else item.get("name") for item in items]
    return [name for name in names if isinstance(name, str) and name]
