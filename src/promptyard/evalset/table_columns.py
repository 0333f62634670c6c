"""What the columns of a table mean: which are keys of a case, which are input variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from promptyard.errors import EvalSetError
from promptyard.evalset.case_row import EXPECTED_ALIASES
from promptyard.evalset.strict_json import JsonFault, parse_json
from promptyard.evalset.wording import nearest, one_line
from promptyard.records.base import Json, as_object

CASE_COLUMNS = (
    "id",
    "expected",
    "kind",
    "tags",
    "checks",
    "cluster",
    "split",
    "weight",
    "retired",
)
"""Columns that are keys of the case under their plain names."""

JSON_COLUMNS = ("expected", "rubric", "critical", "source")
"""Keys that `case.<key>` gives; their cells hold JSON."""

ESCAPED = "case.escaped"
"""The column that lists the columns of its row whose cells got a `'` before a formula sign."""


@dataclass(frozen=True)
class Column:
    """A column: its name as written, and where its cells go (`key` is None for a variable)."""

    written: str
    key: str | None
    variable: str = ""
    as_json: bool = False


def case_key(name: str) -> str | None:
    """Return the key of a case that a plain column name stands for, or None."""
    plain = name.strip().casefold()
    if plain in EXPECTED_ALIASES:
        return "expected"
    return plain if plain in CASE_COLUMNS or plain == "input" else None


def columns_of(names: Sequence[str], position: str) -> Sequence[Column]:
    """Say what each column is. Raises EvalSetError for one without a name and for doubles."""
    columns: list[Column] = []
    taken: dict[tuple[str | None, str], str] = {}
    for number, written in enumerate(names, 1):
        column = _column(written, number, position)
        target = (None, "input") if column.key == "input" else (column.key, column.variable)
        if target in taken:
            what = (
                f"the variable '{one_line(target[1])}'" if target[0] is None else f"'{target[0]}'"
            )
            raise EvalSetError(
                f"{position}: columns '{taken[target]}' and '{one_line(column.written)}' both give "
                f"{what}; keep one, or rename one (a column input.<name> is always a variable)"
            )
        taken[target] = one_line(column.written)
        columns.append(column)
    if all(column.key not in (None, "input") for column in columns):
        raise EvalSetError(f"{position}: no column is an input variable; add one, such as 'input'")
    return columns


def _column(written: str, number: int, position: str) -> Column:
    name = written.strip()
    if not name:
        raise EvalSetError(f"{position}: column {number} has no name; name it or remove it")
    if name.startswith("case."):
        key = name.removeprefix("case.")
        if name != ESCAPED and key not in JSON_COLUMNS:
            hint = nearest(key, (*JSON_COLUMNS, "escaped"))
            raise EvalSetError(f"{position}: {one_line(name)}: no such key of a case{hint}")
        return Column(written=name, key=key, as_json=True)
    key = case_key(name)
    variable = "" if key else name.removeprefix("input.")
    if not key and not variable:
        raise EvalSetError(
            f"{position}: column {number}: write input.<name>, got '{one_line(name)}'"
        )
    return Column(written=name, key=key, variable=variable)


def row_of(columns: Sequence[Column], cells: Sequence[Json], position: str) -> Mapping[str, Json]:
    """Build the row of a case out of the cells of a record.

    A text is read as in CSV, every other value is taken as it is, and null is not given.
    """
    row: dict[str, Json] = {}
    variables: dict[str, Json] = {}
    for column, cell in zip(columns, _unescaped(columns, cells, position), strict=True):
        where = f"{position}: {one_line(column.written)}"
        if column.key == "escaped" or cell is None:
            continue
        if column.key is None or column.key == "input":
            _add_variables(variables, column, cell, where)
        elif not isinstance(cell, str):
            row[column.key] = _typed(column.key, cell)
        elif cell.strip() or (cell and column.key == "expected"):
            row[column.key] = _read_cell(column, cell, where)
    row["input"] = variables
    return row


def _unescaped(columns: Sequence[Column], cells: Sequence[Json], position: str) -> Sequence[Json]:
    """Take off the signs that an export put before what a spreadsheet would run as a formula."""
    at = next((n for n, column in enumerate(columns) if column.key == "escaped"), None)
    if at is None or not cells[at]:
        return cells
    value = cells[at]
    names: Json = _json_cell(value, f"{position}: {ESCAPED}") if isinstance(value, str) else value
    if not isinstance(names, list):
        raise EvalSetError(f"{position}: {ESCAPED}: expected a JSON list of column names")
    escaped = cast("list[Json]", names)
    return [
        cell.removeprefix("'") if column.written in escaped and isinstance(cell, str) else cell
        for column, cell in zip(columns, cells, strict=True)
    ]


def _add_variables(variables: dict[str, Json], column: Column, cell: Json, where: str) -> None:
    added: Mapping[str, Json] = {column.variable: cell}
    if column.key == "input":
        value = maybe_json(cell, where) if isinstance(cell, str) else cell
        found = as_object(value)
        added = {"input": value} if found is None else found
        if not isinstance(cell, str):
            added = _given(added)
    if twice := sorted(variables.keys() & added.keys()):
        raise EvalSetError(f"{where}: the variable '{one_line(twice[0])}' is given twice; keep one")
    variables.update(added)


def _typed(key: str, value: Json) -> Json:
    if key != "checks" or not isinstance(value, list):
        return value
    return [_given(item) for item in cast("list[Json]", value)]


def _given(value: Json) -> Json:
    """Drop what is null: a struct of a table has every field of its type."""
    found = as_object(value)
    if found is None:
        return value
    return {name: item for name, item in found.items() if item is not None}


def _read_cell(column: Column, cell: str, where: str) -> Json:
    key = column.key
    if column.as_json:
        return _json_cell(cell, where)
    if key == "expected":
        return maybe_json(cell, where)
    if key == "tags":
        value = maybe_json(cell, where)
        if isinstance(value, str):
            return [tag for part in value.split(";") if (tag := part.strip())]
        return value
    if key == "checks":
        try:
            return parse_json(cell)
        except JsonFault as fault:
            raise EvalSetError(f"{where}: expected a JSON list of checks; {fault}") from None
    if key == "weight":
        try:
            return float(cell)
        except ValueError:
            raise EvalSetError(f"{where}: expected a number, got '{one_line(cell)}'") from None
    return cell.strip()


def _json_cell(cell: str, where: str) -> Json:
    try:
        return parse_json(cell)
    except JsonFault as fault:
        raise EvalSetError(f"{where}: expected JSON; {fault}") from None


def maybe_json(cell: str, where: str) -> Json:
    """Parse a cell that holds a JSON object or array; a text that merely begins like one stays."""
    if not cell.lstrip().startswith(("{", "[")):
        return cell
    try:
        return parse_json(cell)
    except JsonFault as fault:
        if fault.syntax:
            return cell
        raise EvalSetError(f"{where}: {fault}") from None
