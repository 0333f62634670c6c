"""Writes cases as a table that spreadsheets open safely and that reads back as the same cases."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence

from promptyard.evalset.native_rows import case_row
from promptyard.evalset.table_columns import ESCAPED, maybe_json
from promptyard.records.base import Json
from promptyard.records.cases import Case
from promptyard.records.spreadsheet import is_formula, safe_cell

PLAIN = ("id", "kind", "cluster", "split")


def csv_text(cases: Sequence[Case]) -> str:
    r"""Write cases as CSV, one a row.

    Variables have columns `input.<name>` where all are texts, else the column `input` holds them as
    JSON. What plain columns cannot say stands in `case.<key>`. A cell that begins with `=`, `+`,
    `-`, `@`, a tab or \r gets a `'` before it, and `case.escaped` of its row names its column.
    """
    rows = [_cells(case_row(case), _names(cases), _plain_expected(cases)) for case in cases]
    escaped = [[name for name, cell in row.items() if is_formula(cell)] for row in rows]
    header = list(dict.fromkeys(name for row in rows for name in row))
    if any(escaped):
        header.append(ESCAPED)
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\r\n")  # RFC 4180; also quotes a lone \r
    writer.writerow(header)
    for row, names in zip(rows, escaped, strict=True):
        cells = {name: safe_cell(cell) for name, cell in row.items()}
        cells[ESCAPED] = json.dumps(names, ensure_ascii=False) if names else ""
        writer.writerow([cells.get(name, "") for name in header])
    return stream.getvalue()


def _names(cases: Sequence[Case]) -> Sequence[str] | None:
    """Return the names of the variables where all cases have the same, all texts; else None."""
    names = list(cases[0].input) if cases else []
    plain = all(
        list(case.input) == names and all(isinstance(v, str) for v in case.input.values())
        for case in cases
    )
    clean = all(name == name.strip() != "" for name in names)
    return names if plain and names and clean else None


def _plain_expected(cases: Sequence[Case]) -> bool:
    """Say whether a plain column gives every expectation back."""
    return all(
        case.expected is None
        or isinstance(case.expected, dict | list)
        or (
            isinstance(case.expected, str)
            and case.expected != ""
            and maybe_json(case.expected, "") == case.expected
        )
        for case in cases
    )


def _cells(
    row: Mapping[str, Json], names: Sequence[str] | None, plain_expected: bool
) -> dict[str, str]:
    cells: dict[str, str] = {}
    for key, value in row.items():
        if key == "input":
            if names is None:
                cells["input"] = _json(value)
            else:
                cells |= {f"input.{name}": str(value[name]) for name in names}
        elif key in PLAIN:
            cells[key] = str(value)
        elif key == "weight":
            cells[key] = repr(value)
        elif key == "expected":
            if plain_expected:
                cells[key] = value if isinstance(value, str) else _json(value)
            else:
                cells["case.expected"] = _json(value)
        elif key in ("tags", "checks"):
            cells[key] = _json(value)
        else:
            cells[f"case.{key}"] = _json(value)
    return cells


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
