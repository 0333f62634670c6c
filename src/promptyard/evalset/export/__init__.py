"""Writes eval sets for other tools, and as tables that read back as the same cases.

An export is one file and one line in `EXPORTERS`. It writes a text; where that goes is for the line
to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from promptyard.evalset.export.csv_table import csv_text
from promptyard.evalset.exported import Exported, ExportSource
from promptyard.evalset.foreign.promptfoo.writing import promptfoo_yaml
from promptyard.evalset.native_rows import case_row, jsonl_text

Exporter: TypeAlias = Callable[[ExportSource], Exported]


def _jsonl(source: ExportSource) -> Exported:
    return Exported(text=jsonl_text((case.id, case_row(case)) for case in source.cases))


def _csv(source: ExportSource) -> Exported:
    return Exported(text=csv_text(source.cases))


EXPORTERS: Mapping[str, Exporter] = {
    "jsonl": _jsonl,
    "csv": _csv,
    "promptfoo": promptfoo_yaml,
}
"""The exports by the name of their format."""

__all__ = ["EXPORTERS", "Exporter"]
