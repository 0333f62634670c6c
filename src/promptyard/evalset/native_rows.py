"""Writes cases as rows of cases.jsonl: what has its default is left out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from promptyard.errors import EvalSetError
from promptyard.evalset.text_lines import MAX_LINE_BYTES
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec

KEY_ORDER = (
    "id", "input", "expected", "kind", "tags", "checks", "cluster", "split", "weight", "critical",
    "rubric", "source",
)  # fmt: skip


def case_row(case: Case) -> dict[str, Json]:
    """Return the row that reads as this case."""
    row: dict[str, Json] = case.model_dump(mode="json", exclude_defaults=True, exclude={"checks"})
    if case.checks:
        row["checks"] = [check_row(spec) for spec in case.checks]
    return {key: row[key] for key in KEY_ORDER if key in row}


def ordered_row(row: Mapping[str, Json]) -> dict[str, Json]:
    """Return a row with its keys in the order in which they are written."""
    return {**{key: row[key] for key in KEY_ORDER if key in row}, **row}


def check_row(spec: CheckSpec) -> dict[str, Json]:
    """Return what a user would write for a check: its options beside the keys that all have."""
    row: dict[str, Json] = spec.model_dump(mode="json", exclude_defaults=True, exclude={"options"})
    if any(name in CheckSpec.model_fields for name in spec.options):
        return {**row, "options": dict(spec.options)}
    return {**row, **spec.options}


def jsonl_text(rows: Iterable[tuple[str, Mapping[str, Json]]]) -> str:
    """Write (where, row) pairs as JSON lines. Raises EvalSetError for a line beyond 1 MiB."""
    lines: list[str] = []
    for at, row in rows:
        line = json.dumps(ordered_row(row), ensure_ascii=False, allow_nan=False)
        if len(line.encode("utf-8")) > MAX_LINE_BYTES:
            raise EvalSetError(f"{at}: the case is larger than 1 MiB; keep large inputs in files")
        lines.append(f"{line}\n")
    return "".join(lines)
