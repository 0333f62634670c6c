"""MLflow: records of an evaluation data set (`inputs`, `expectations`, `tags`).

Source: mlflow.org/docs, GenAI evaluation datasets. Guidelines and expected facts are what its
judges hold an answer against, so each becomes a rubric of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from promptyard.evalset.foreign.checks import Notes, skip_check
from promptyard.evalset.foreign.head import read_head
from promptyard.evalset.foreign.metadata import tags_of
from promptyard.evalset.foreign.row_sets import Entry, data_of, imported_set, read_entries, texts_of
from promptyard.evalset.raw_rows import SUFFIXES
from promptyard.records.base import Json, as_object
from promptyard.records.imported import ImportedSet

ANSWERS = ("expected_response", "expected_output", "expected", "answer")
MAPPING: Mapping[str, str] = {
    "inputs": "input",
    **{f"expectations.{name}": "expected" for name in ANSWERS},
    "expectations.expected_facts": "checks (llm_rubric)",
    "expectations.guidelines": "checks (llm_rubric)",
    "tags": "tags",
    "dataset_record_id": "id",
    "outputs": "-",
    "trace": "-",
}


class MLflow:
    """Reads records in JSON, JSONL, CSV and Parquet."""

    name = "mlflow"

    def recognises(self, path: Path, head: bytes) -> bool:
        """Say yes to rows with `inputs` and `expectations`."""
        in_table = path.suffix.lower() in SUFFIXES
        return in_table and read_head(path, head).row >= {"inputs", "expectations"}

    def read(self, path: Path) -> ImportedSet:
        """Read all records. Raises EvalSetError with file and line."""
        notes = Notes()

        def entry(row: Mapping[str, Json], at: str) -> Entry:
            return _entry(row, at, notes)

        entries, _ = read_entries(path, entry)
        notes.add("scorers of MLflow are code; `equals` is a guess where a response is expected")
        return imported_set(self.name, path, entries, notes, mapping=MAPPING)


def _entry(row: Mapping[str, Json], at: str, notes: Notes) -> Entry:
    expectations = dict(as_object(data_of(row.get("expectations"))) or {})
    answer = next((name for name in ANSWERS if expectations.get(name) is not None), None)
    expected = None if answer is None else expectations.pop(answer)
    checks: list[Json] = [{"type": "equals"}] if expected is not None else []
    for fact in texts_of(expectations.pop("expected_facts", None)):
        checks.append({"type": "llm_rubric", "rubric": f"The answer states this fact: {fact}"})
    for guideline in texts_of(expectations.pop("guidelines", None)):
        checks.append({"type": "llm_rubric", "rubric": guideline})
    for name, value in expectations.items():
        if value is not None:
            checks.append(skip_check(f"mlflow expectation {name}", {name: value}))
    if row.get("outputs") is not None:
        notes.add("records have recorded outputs; they were left out")
    return Entry(
        at=at,
        input=data_of(row.get("inputs")),
        keys={
            "id": row.get("dataset_record_id"),
            "expected": expected,
            "checks": checks,
            "tags": tags_of(as_object(data_of(row.get("tags"))) or {}, notes),
        },
    )
