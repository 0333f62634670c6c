"""CSV and TSV: one case a row, one column a variable."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from promptyard.errors import EvalSetError
from promptyard.evalset.case_row import EXPECTED_ALIASES
from promptyard.evalset.strict_json import JsonFault, parse_json
from promptyard.evalset.text_lines import MAX_LINE_BYTES, read_lines
from promptyard.evalset.wording import one_line
from promptyard.records.base import Json, as_object

_CASE_COLUMNS = ("id", "expected", "kind", "tags", "checks", "cluster", "split", "weight")


@dataclass(frozen=True)
class _Column:
    """A column: its name as written, and where its cells go (`key` is None for a variable)."""

    written: str
    key: str | None
    variable: str = ""


class CsvRows:
    """Reads a table whose first row names the columns. Streams.

    Columns: `id`, `expected` (or one of `expected_output`, `ideal`, `target`, `reference`,
    `answer`, `ground_truth`, `label`), `kind`, `tags`, `checks`, `cluster`, `split`, `weight`; case
    does not matter. `input.<name>` and every other column is an input variable. The column `input`
    is the variable `input`, or all variables where its cells hold JSON objects.

    An empty cell is an empty text for a variable and nothing given for the others. `tags` are a
    JSON list or parted by `;`. A cell that holds a JSON object or array is parsed in `expected`,
    `tags`, `checks` and `input` only; everything else stays text, numbers too.

    The delimiter is the one of `,` `;` and tab under which the header makes most sense; in a .tsv
    file it is tab. Cells may be quoted with `"` and then hold delimiters and line ends.
    """

    name = "csv"

    def read(self, path: Path) -> Iterator[tuple[int, Mapping[str, Json]]]:
        """Yield (number of the row's first line, row).

        Raises EvalSetError naming file and line for a row with more or fewer cells than the header,
        a column that is there twice or has no name, a quote that is not closed, a cell of more than
        1 MiB, bytes that are not UTF-8, and JSON with a key twice or a number that is not finite.
        """
        records = _records(path)
        header = next(records, None)
        if header is None:
            return
        columns = _columns(header[1], f"{path}:{header[0]}")
        for number, cells in records:
            position = f"{path}:{number}"
            if len(cells) != len(columns):
                raise EvalSetError(
                    f"{position}: {len(cells)} cells, but the header has {len(columns)} columns; "
                    "quote cells that hold the delimiter"
                )
            yield number, _row(columns, cells, position)


def _records(path: Path) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield (number of the first line, cells) of every record that is not a blank line."""
    # The limit belongs to the process; it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))
    lines = (line for _, line in read_lines(path))
    n_blank = 0
    first = next(lines, "")
    while first and not first.strip():
        n_blank += 1
        first = next(lines, "")
    reader = csv.reader(chain([first], lines), delimiter=_delimiter(path, first), strict=True)
    start = n_blank + 1
    try:
        for cells in reader:
            if cells:
                yield start, cells
            start = n_blank + reader.line_num + 1
    except csv.Error as error:
        raise EvalSetError(
            f"{path}:{start}: not CSV: {error}; a quote in this row may not be closed or doubled"
        ) from None


def _delimiter(path: Path, header: str) -> str:
    if path.suffix.lower() == ".tsv":
        return "\t"

    def sense(delimiter: str) -> tuple[int, int]:
        names = next(csv.reader([header], delimiter=delimiter), list[str]())
        return sum(_case_key(name) is not None for name in names), len(names)

    return max((",", ";", "\t"), key=sense)


def _case_key(name: str) -> str | None:
    plain = name.strip().casefold()
    if plain in EXPECTED_ALIASES:
        return "expected"
    return plain if plain in _CASE_COLUMNS or plain == "input" else None


def _columns(names: Sequence[str], position: str) -> Sequence[_Column]:
    columns: list[_Column] = []
    taken: dict[tuple[str | None, str], str] = {}
    for number, written in enumerate(names, 1):
        name, key = written.strip(), _case_key(written)
        if not name:
            raise EvalSetError(f"{position}: column {number} has no name; name it or remove it")
        variable = "" if key else name.removeprefix("input.")
        if not key and not variable:
            raise EvalSetError(
                f"{position}: column {number}: write input.<name>, got '{one_line(name)}'"
            )
        target = (None, "input") if key == "input" else (key, variable)
        if target in taken:
            what = f"the variable '{one_line(target[1])}'" if target[0] is None else f"'{key}'"
            raise EvalSetError(
                f"{position}: columns '{taken[target]}' and '{one_line(name)}' both give {what}; "
                "keep one, or rename one (a column input.<name> is always a variable)"
            )
        taken[target] = one_line(name)
        columns.append(_Column(written=name, key=key, variable=variable))
    if all(column.key not in (None, "input") for column in columns):
        raise EvalSetError(f"{position}: no column is an input variable; add one, such as 'input'")
    return columns


def _row(columns: Sequence[_Column], cells: Sequence[str], position: str) -> Mapping[str, Json]:
    row: dict[str, Json] = {}
    variables: dict[str, Json] = {}
    for column, cell in zip(columns, cells, strict=True):
        where = f"{position}: {one_line(column.written)}"
        if column.key is None or column.key == "input":
            _add_variables(variables, column, cell, where)
        elif cell.strip() or (cell and column.key == "expected"):
            row[column.key] = _case_value(column.key, cell, where)
    row["input"] = variables
    return row


def _add_variables(variables: dict[str, Json], column: _Column, cell: str, where: str) -> None:
    added: Mapping[str, Json] = {column.variable: cell}
    if column.key == "input":
        value = _maybe_json(cell, where)
        found = as_object(value)
        added = {"input": value} if found is None else found
    if twice := sorted(variables.keys() & added.keys()):
        raise EvalSetError(f"{where}: the variable '{one_line(twice[0])}' is given twice; keep one")
    variables.update(added)


def _case_value(key: str, cell: str, where: str) -> Json:
    if key == "expected":
        return _maybe_json(cell, where)
    if key == "tags":
        value = _maybe_json(cell, where)
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


def _maybe_json(cell: str, where: str) -> Json:
    """Parse a cell that holds a JSON object or array; a text that merely begins like one stays."""
    if not cell.lstrip().startswith(("{", "[")):
        return cell
    try:
        return parse_json(cell)
    except JsonFault as fault:
        if fault.syntax:
            return cell
        raise EvalSetError(f"{where}: {fault}") from None
