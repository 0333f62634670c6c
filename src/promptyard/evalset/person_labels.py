"""Reads what people say of outputs: from a table of their own, or from the cases themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from promptyard.errors import EvalSetError
from promptyard.evalset.raw_rows import raw_rows
from promptyard.evalset.wording import nearest, one_line
from promptyard.records.base import Json, as_object
from promptyard.records.cases import Case
from promptyard.records.labels import Label, Verdict

PASSED: Final = ("pass", "passed", "true", "1", "yes", "y", "good", "ok")
FAILED: Final = ("fail", "failed", "false", "0", "no", "n", "bad")
UNDECIDED: Final = ("", "unsure", "skip", "none", "null", "?")
"""Words for a label, whatever their case; undecided ones are left out."""

CASE_KEYS = ("case_id", "id")


def read_person_labels(path: Path) -> tuple[Label, ...]:
    """Read a table with the columns `case_id` (or `id`), `label` and, as it may be, `output`.

    CSV, TSV, JSONL, JSON or Parquet. `metric` names the check that a label is on; `output_hash`
    stands for the output where only that was noted. Other columns are not looked at. Raises
    EvalSetError with file and line for a row that is no label, and for a file without any.
    """
    found: list[Label] = []
    try:
        for number, row in raw_rows(path):
            label = _label(row, f"{path}:{number}")
            if label is not None:
                found.append(label)
    except FileNotFoundError:
        raise EvalSetError(
            f"{path}: there is no such labels file (looked in {path.resolve().parent})"
        ) from None
    except OSError as error:
        raise EvalSetError(f"{path}: the labels cannot be read: {error.strerror}") from None
    if not found:
        raise EvalSetError(f"{path}: no labels; write rows of case_id and label (pass or fail)")
    return tuple(found)


def labels_of_cases(cases: Sequence[Case], name: str) -> tuple[Label, ...]:
    """Take labels out of the cases: an input variable, a tag `name:label`, or a key of `expected`.

    Cases without one are left out. Raises EvalSetError where none has one, or for a label that
    none is.
    """
    found: list[Label] = []
    for case in cases:
        value = _value(case, name)
        verdict = None if value is None else _word(value, f"case '{case.id}': {name}")
        if verdict is not None:
            found.append(Label(case_id=case.id, label=verdict))
    if not found:
        known = dict.fromkeys(key for case in cases for key in case.input)
        known |= dict.fromkeys(tag.split(":")[0] for c in cases for tag in c.tags if ":" in tag)
        raise EvalSetError(
            f"no case has a label under '{one_line(name)}': an input variable, a tag "
            f"'{one_line(name)}:pass' or a key of expected{nearest(name, known)}"
        )
    return tuple(found)


def _label(row: Mapping[str, Json], where: str) -> Label | None:
    case_id = next((row[key] for key in CASE_KEYS if key in row), None)
    if not isinstance(case_id, str | int) or not str(case_id).strip():
        raise EvalSetError(f"{where}: no case_id{nearest('case_id', row)}")
    if "label" not in row:
        raise EvalSetError(f"{where}: no label{nearest('label', row)}")
    verdict = _word(row["label"], f"{where}: label")
    if verdict is None:
        return None
    return Label(
        case_id=str(case_id),
        label=verdict,
        output=_text(row, "output", where),
        output_hash=_text(row, "output_hash", where) or None,
        metric=_text(row, "metric", where) or None,
    )


def _text(row: Mapping[str, Json], key: str, where: str) -> str | None:
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise EvalSetError(f"{where}: {key}: expected text")
    return value


def _word(value: Json, where: str) -> Verdict | None:
    """Read a label; None where it says that nobody decided."""
    word = "" if value is None else str(value).strip().casefold().removesuffix(".0")
    if word in PASSED:
        return "pass"
    if word in FAILED:
        return "fail"
    if word in UNDECIDED:
        return None
    raise EvalSetError(f"{where}: expected pass or fail, got '{one_line(str(value))}'")


def _value(case: Case, name: str) -> Json:
    if name in case.input:
        return case.input[name]
    tag = next((tag for tag in case.tags if tag.startswith(f"{name}:")), None)
    if tag is not None:
        return tag.removeprefix(f"{name}:")
    return (as_object(case.expected) or {}).get(name)
