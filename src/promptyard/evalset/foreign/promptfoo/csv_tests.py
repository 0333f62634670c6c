"""Tables of tests: one test a row, columns that begin with `__` say how it is graded.

Source: promptfoo.dev/docs/configuration/test-cases, section on special columns.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from promptyard.errors import EvalSetError
from promptyard.evalset.foreign.checks import Notes
from promptyard.evalset.foreign.promptfoo.grammar import TYPES, assertion_of
from promptyard.evalset.foreign.promptfoo.templates import plain_text
from promptyard.evalset.raw_rows import raw_rows
from promptyard.evalset.wording import one_line
from promptyard.records.base import Json

SPECIAL = (
    "expected", "prefix", "suffix", "description", "providerOutput", "metric", "threshold",
    "metadata", "config",
)  # fmt: skip
_PLAIN = tuple(f"__{name}" for name in SPECIAL if name not in ("metadata", "config"))
_EXPECTED = re.compile(r"__expected(\d*)")
_CONFIG = re.compile(r"__config:__expected(\d*):(\w+)")
_SLIP = re.compile(r"([a-z]+(?:-[a-z0-9]+)*)(?:\([\d.]+\))?:")


def table_tests(path: Path, notes: Notes) -> Iterator[tuple[str, Mapping[str, Json]]]:
    """Yield (where, test) for every row of a table, with the keys of a test in YAML."""
    for number, row in raw_rows(path):
        at = f"{path}:{number}"
        yield at, test_of_row({name: plain_text(cell) for name, cell in row.items()}, at, notes)


def is_test_table(names: frozenset[str]) -> bool:
    """Say whether the columns of a table are those of promptfoo tests."""
    return any(name.startswith("__") and name[2:].startswith(SPECIAL) for name in names)


def test_of_row(row: Mapping[str, str], at: str, notes: Notes) -> Mapping[str, Json]:
    """Build a test of the cells of a row. Raises EvalSetError for a column that is misused."""
    variables: dict[str, Json] = {}
    metadata: dict[str, Json] = {}
    asserts: list[dict[str, Json]] = []
    for name, cell in row.items():
        if _EXPECTED.fullmatch(name):
            asserts += [_assertion(cell, notes)] if cell.strip() else []
        elif name.startswith("__metadata:"):
            _add_metadata(metadata, name.removeprefix("__metadata:"), cell)
        elif not (name.startswith("__") and name[2:].startswith(SPECIAL)):
            _warn_of_slip(name, notes)
            variables[name] = cell
        elif name not in _PLAIN and not _CONFIG.fullmatch(name):
            notes.add(f"the column '{one_line(name)}' is not known; left out")
    for number, threshold in _thresholds(row, at):
        if number < len(asserts):
            asserts[number]["threshold"] = threshold
    given = {name: row[f"__{name}"] for name in SPECIAL if row.get(f"__{name}", "").strip()}
    if "metric" in given:
        asserts = [{**assertion, "metric": given["metric"]} for assertion in asserts]
    test: dict[str, Json] = {"vars": variables, "assert": asserts, "metadata": metadata}
    test["options"] = {name: given[name] for name in ("prefix", "suffix") if name in given}
    test |= {name: given[name] for name in ("description", "providerOutput") if name in given}
    if "threshold" in given:
        test["threshold"] = _number(given["threshold"], f"{at}: __threshold")
    return test


def _thresholds(row: Mapping[str, str], at: str) -> Iterator[tuple[int, float]]:
    """Yield (number of the assertion, its threshold) of the columns that set one."""
    for name, cell in row.items():
        found = _CONFIG.fullmatch(name)
        if found is None or not cell.strip():
            continue
        if found[2] != "threshold":
            raise EvalSetError(f"{at}: {one_line(name)}: only 'threshold' can be set so")
        yield int(found[1] or 1) - 1, _number(cell, f"{at}: {one_line(name)}")


def _assertion(cell: str, notes: Notes) -> dict[str, Json]:
    assertion = dict(assertion_of(cell))
    if assertion["type"] == "equals" and (found := _SLIP.match(cell.strip())):
        near = difflib.get_close_matches(found[1].removeprefix("not-"), TYPES, n=1, cutoff=0.75)
        if near and found[1] not in TYPES:
            notes.add(
                f"'{one_line(found[1])}:' is no assertion type, so the whole cell is compared, as "
                f"in promptfoo; was '{near[0]}:' meant?"
            )
    return assertion


def _add_metadata(metadata: dict[str, Json], key: str, cell: str) -> None:
    if not cell.strip():
        return
    if not key.endswith("[]"):
        metadata[key] = cell
        return
    parts = re.split(r"(?<!\\),", cell)
    metadata[key.removesuffix("[]")] = [part.strip().replace("\\,", ",") for part in parts]


def _number(cell: str, where: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise EvalSetError(f"{where}: expected a number, got '{one_line(cell)}'")
    return number


def _warn_of_slip(name: str, notes: Notes) -> None:
    if name.startswith("_") and name[1:].startswith(SPECIAL):
        notes.add(
            f"the column '{one_line(name)}' has one underscore; was '_{one_line(name)}' meant?"
        )
