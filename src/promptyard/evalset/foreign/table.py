"""Any table of rows: which of its columns are what is guessed by their names, and shown."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from promptyard.errors import EvalSetError
from promptyard.evalset.case_row import EXPECTED_ALIASES, INPUT_ALIASES
from promptyard.evalset.foreign.checks import Notes
from promptyard.evalset.foreign.metadata import tags_of
from promptyard.evalset.foreign.row_sets import Entry, data_of, imported_set, read_entries
from promptyard.evalset.raw_rows import raw_rows
from promptyard.evalset.wording import nearest, one_line, some
from promptyard.records.base import Json, as_list, as_object
from promptyard.records.cases import SPLITS, CaseKind
from promptyard.records.imported import ImportedSet

NAME = "table"
LEFT_OUT = "-"
KEYS = (
    "input", "expected", "id", "kind", "tags", "checks", "cluster", "split", "weight", "rubric",
    "critical", "source",
)  # fmt: skip
"""Fields that a column can be, beside `input.<name>` and `-` (left out)."""

EXPECTED = ("expected", *EXPECTED_ALIASES, "gold", "output")
INPUT = ("input", *INPUT_ALIASES, "query")
IDS = ("id", "_id", "uid", "uuid", "case_id", "example_id")
CLUSTERS = ("cluster", "group_id", "thread_id", "conversation_id", "session_id", "trace_id")
METADATA = ("metadata", "meta")
SPLIT_NAMES: Mapping[str, str] = {
    **{name: name for name in SPLITS},
    "test": "holdout",
    "validation": "dev",
    "valid": "dev",
    "val": "dev",
    "eval": "dev",
}
FLAGS: Mapping[str, bool] = {
    "true": True, "yes": True, "1": True, "false": False, "no": False, "0": False,
}  # fmt: skip
N_LOOKED_AT = 200
MOST_ID_CHARS = 64


def guess_columns(path: Path) -> dict[str, str]:
    """Guess what each column of a table is, by its name and its first values.

    Raises EvalSetError for what cannot be read and for a file without rows.
    """
    rows = [row for _, row in itertools.islice(raw_rows(path), N_LOOKED_AT)]
    if not rows:
        raise EvalSetError(f"{path}: no rows")
    values = {
        name: [row.get(name) for row in rows] for name in dict.fromkeys(n for r in rows for n in r)
    }
    if set(values) <= set(KEYS) and "input" in values:
        return {name: name for name in values}
    guessed: dict[str, str] = {}
    expected = _first(values, EXPECTED)
    for name, column in values.items():
        plain = _plain(name)
        if name == expected:
            guessed[name] = "expected"
        elif plain in EXPECTED and name not in KEYS:
            guessed[name] = LEFT_OUT
        else:
            guessed[name] = _guess(name, column)
    for key in ("input", "id", "cluster", "split"):
        same = [name for name, field in guessed.items() if field == key]
        for name in same[1:]:
            guessed[name] = f"input.{variable_name(name)}"
    if (name := _row_number(path, values, guessed)) is not None:
        guessed[name] = "id"
    return guessed


def _row_number(
    path: Path, values: Mapping[str, Sequence[Json]], guessed: Mapping[str, str]
) -> str | None:
    """Return a column such as `ticket_id` that names each row, where no other one does.

    As an input it would stand in the prompt and tell nothing. An input has to be left.
    """
    inputs = [name for name, field in guessed.items() if field.startswith("input")]
    if "id" in guessed.values() or len(inputs) < 2:
        return None
    likely = [n for n in inputs if _plain(n).endswith("_id") and _names_each(values[n])]
    if not likely:
        return None
    rows = [row for _, row in raw_rows(path)]
    return next((n for n in likely if _names_each([row.get(n) for row in rows])), None)


def _names_each(values: Sequence[Json]) -> bool:
    """Whether no value is missing, long, structured, or there twice."""
    texts = [str(value) for value in values if isinstance(value, str | int)]
    return (
        len(set(texts)) == len(values) and len(values) > 1
        and all(0 < len(text.strip()) <= MOST_ID_CHARS for text in texts)
    )  # fmt: skip


def _first(names: Mapping[str, object], aliases: Sequence[str]) -> str | None:
    by_plain = {_plain(name): name for name in reversed(list(names))}
    return next((by_plain[alias] for alias in aliases if alias in by_plain), None)


def _plain(name: str) -> str:
    """Write a column's name as aliases are written: `expectedOutput` is `expected_output`."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[^A-Za-z0-9_]+", "_", snake).casefold()


def variable_name(name: str) -> str:
    """Write a column's name as a variable that a prompt can name."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "_", name.strip()).strip("_") or "column"
    return plain if not plain[0].isdigit() else f"_{plain}"


def _guess(name: str, values: Sequence[Json]) -> str:
    plain = _plain(name)
    given = [value for value in values if value not in (None, "")]
    objects = bool(given) and all(as_object(data_of(value)) is not None for value in given)
    lists = bool(given) and all(as_list(data_of(value)) is not None for value in given)
    if plain in INPUT and objects:
        return "input"
    if plain in IDS:
        return "id"
    if plain in CLUSTERS:
        return "cluster"
    if (plain in METADATA and objects) or plain == "tags":
        return "tags"
    if plain == "kind":
        return "kind" if set(map(str, given)) <= set(get_args(CaseKind)) else "tags"
    if plain in ("split", "subset") and given and {_split(value) for value in given} <= set(SPLITS):
        return "split"
    if plain == "checks" and lists:
        return "checks"
    if plain in ("rubric", "weight", "critical"):
        return plain
    return f"input.{variable_name(name.removeprefix('input.'))}"


def _split(value: Json) -> str:
    return SPLIT_NAMES.get(str(value).strip().casefold(), "")


def checked_mapping(
    path: Path, columns: Mapping[str, str], given: Mapping[str, str]
) -> dict[str, str]:
    """Return the guess with what a user said in its place.

    Raises EvalSetError for a column that is not there and for a field that does not exist.
    """
    for name, field in given.items():
        if name not in columns:
            raise EvalSetError(
                f"{path}: --map: no column '{one_line(name)}'{nearest(name, columns)}"
            )
        if field not in KEYS and field != LEFT_OUT and not _VARIABLE.fullmatch(field):
            raise EvalSetError(
                f"{path}: --map: '{one_line(field)}' is no field of a case"
                f"{nearest(field, (*KEYS, 'input.<name>', LEFT_OUT))}"
            )
    mapping = {**columns, **given}
    for name, field in columns.items():  # a guess gives way to what was said
        if name not in given and field in given.values() and field not in ("tags", LEFT_OUT):
            mapping[name] = LEFT_OUT
    for field in dict.fromkeys(mapping.values()):
        same = [name for name, other in mapping.items() if other == field]
        if len(same) > 1 and field not in ("tags", LEFT_OUT):
            raise EvalSetError(
                f"{path}: columns {some(same)} are all '{field}'; say which with --map "
                f"{same[1]}=- or another field"
            )
    if not any(field == "input" or field.startswith("input.") for field in mapping.values()):
        raise EvalSetError(
            f"{path}: no column is the input; say which with --map COLUMN=input.NAME"
        )
    return mapping


_VARIABLE = re.compile(r"input\.[A-Za-z_][A-Za-z0-9_.-]*")


def read_table(path: Path, mapping: Mapping[str, str]) -> ImportedSet:
    """Read a table by a mapping of its columns. Raises EvalSetError with file and line."""
    notes = Notes()

    def entry(row: Mapping[str, Json], at: str) -> Entry:
        return _entry(row, at, mapping, notes)

    entries, _ = read_entries(path, entry)
    if any("expected" in item.keys for item in entries) and not any(
        field == "checks" for field in mapping.values()
    ):
        notes.add("the table says what is expected and not how to compare it; `equals` is a guess")
    left_out = [name for name, field in mapping.items() if field == LEFT_OUT]
    if left_out:
        notes.add(f"left out: {some(left_out)}")
    return imported_set(NAME, path, entries, notes, mapping=mapping)


def _entry(row: Mapping[str, Json], at: str, mapping: Mapping[str, str], notes: Notes) -> Entry:
    variables: dict[str, Json] = {}
    given: Json = None
    keys: dict[str, Json] = {}
    tags: list[Json] = []
    for name, value in row.items():
        field = mapping.get(name, LEFT_OUT)
        if field == LEFT_OUT or value is None:
            continue
        if field.startswith("input."):
            variables[field.removeprefix("input.")] = value
        elif field == "input":
            given = data_of(value)
        elif field == "tags":
            tags += _tags(name, data_of(value), notes)
        elif value != "":
            keys[field] = _value(field, value, at)
    if tags:
        keys["tags"] = list(dict.fromkeys(tags))
    if "expected" in keys and "checks" not in mapping.values():
        keys["checks"] = [{"type": "equals"}]
    inputs = as_object(given)
    if given is not None and variables:
        given = {**({"input": given} if inputs is None else inputs), **variables}
    return Entry(at=at, input=variables if given is None else given, keys=keys)


def _tags(name: str, value: Json, notes: Notes) -> list[Json]:
    found = as_object(value)
    if found is not None:
        return [*tags_of(found, notes)]
    if _plain(name) != "tags":
        return [*tags_of({name: value}, notes)]
    if isinstance(value, str):
        return [part.strip() for part in value.split(";") if part.strip()]
    return as_list(value) or []


def _value(field: str, value: Json, at: str) -> Json:
    if field in ("expected", "checks"):
        return data_of(value)
    if field == "split":
        return _split(value) or value
    if field in ("id", "cluster", "rubric", "source", "kind"):
        return value if isinstance(value, str) else str(value)
    if not isinstance(value, str):
        return value
    if field == "critical":
        return FLAGS.get(value.strip().casefold(), value)
    try:
        return float(value)
    except ValueError:
        raise EvalSetError(f"{at}: weight: expected a number, got '{one_line(value)}'") from None
