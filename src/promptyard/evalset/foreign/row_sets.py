"""What importers of plain tables share: rows in, an `ImportedSet` out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from promptyard.errors import EvalSetError
from promptyard.evalset.foreign.checks import Notes, share_first, with_unique_ids
from promptyard.evalset.foreign.inputs import read_inputs
from promptyard.evalset.raw_rows import raw_rows
from promptyard.evalset.strict_json import JsonFault, parse_json
from promptyard.records.base import Json, as_list, as_object
from promptyard.records.imported import ImportedRow, ImportedSet


@dataclass(frozen=True)
class Entry:
    """One case before its input is read: the raw input and the other keys of its row.

    `fields` are those that the source has for it.
    """

    at: str
    input: Json
    keys: Mapping[str, Json] = field(default_factory=dict[str, Json])
    fields: Collection[str] = ()


ReadRow: TypeAlias = Callable[[Mapping[str, Json], str], "Entry | None"]
"""Makes an entry of a row and its place; None leaves the row out."""


def read_entries(path: Path, read: ReadRow) -> tuple[list[Entry], int]:
    """Read all rows of a table. Returns the entries, and how many rows were left out."""
    entries: list[Entry] = []
    n_left_out = 0
    for line, row in raw_rows(path):
        entry = read(row, f"{path}:{line}")
        if entry is None:
            n_left_out += 1
        else:
            entries.append(replace(entry, fields=fields_of(row)))
    return entries, n_left_out


def fields_of(row: Mapping[str, Json]) -> Collection[str]:
    """Return the names of what a row has, those inside of objects as `name.inner`."""
    found: list[str] = []
    for name, value in row.items():
        if value not in (None, ""):
            inner = as_object(data_of(value)) or {}
            found += [name, *(f"{name}.{key}" for key, item in inner.items() if item is not None)]
    return found


def present(mapping: Mapping[str, str], fields: Iterable[str]) -> dict[str, str]:
    """Return the part of a format's mapping that a file makes use of, however it spells names."""
    seen = {_plain(name) for name in fields}
    return {name: field for name, field in mapping.items() if _plain(name) in seen}


def _plain(name: str) -> str:
    return name.replace("_", "").casefold()


def imported_set(
    name: str,
    path: Path,
    entries: Sequence[Entry],
    notes: Notes,
    *,
    mapping: Mapping[str, str],
    n_left_out: int = 0,
) -> ImportedSet:
    """Make the set of the entries, with the part of the mapping that they make use of.

    Raises EvalSetError where there are none, or one is no case.
    """
    if not entries:
        raise EvalSetError(f"{path}: no cases")
    inputs = read_inputs([entry.input for entry in entries], notes)
    rows = [
        ImportedRow(at=entry.at, row={**_given(entry.keys), "input": dict(variables)})
        for entry, variables in zip(entries, inputs.variables, strict=True)
    ]
    checks, kept = share_first(with_unique_ids(rows, notes))
    return ImportedSet(
        format=name,
        rows=kept,
        checks=checks,
        prompts=inputs.prompts,
        mapping=present(mapping, (name for entry in entries for name in entry.fields)),
        notes=notes.sentences(),
        n_left_out=n_left_out,
    )


def _given(keys: Mapping[str, Json]) -> dict[str, Json]:
    return {
        key: value for key, value in keys.items() if value is not None and value not in ([], "")
    }


def first_of(row: Mapping[str, Json], names: Iterable[str]) -> Json:
    """Return the value of the first name that a row has something under, or None."""
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)


def data_of(value: Json) -> Json:
    """Read a cell that holds a JSON object or array; anything else stays as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return parse_json(value)
    except JsonFault:
        return value


def any_of(value: Json) -> Json:
    """Write a list of accepted answers as an expectation; a list of one is that one."""
    items = as_list(value)
    if items is None:
        return value
    return items[0] if len(items) == 1 else {"any_of": items} if items else None


def texts_of(value: Json) -> Iterator[str]:
    """Yield the texts of a list, or the one text."""
    items = as_list(value)
    for item in [value] if items is None else items:
        if isinstance(item, str) and item.strip():
            yield item
