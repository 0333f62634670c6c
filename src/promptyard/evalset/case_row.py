"""Turns one row of data into a case, or says exactly what is wrong with it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import cast, get_args

from promptyard.errors import EvalSetError
from promptyard.evalset.strict_json import find_fault
from promptyard.evalset.wording import nearest, one_line
from promptyard.records.base import Json, as_object
from promptyard.records.cases import (
    SPLITS,
    After,
    Case,
    CaseKind,
    CheckSpec,
    Dimension,
    Severity,
    case_id,
)

EXPECTED_ALIASES = (
    "expected_output",
    "ideal",
    "target",
    "reference",
    "answer",
    "ground_truth",
    "label",
)
"""Names that other formats give to what we call `expected`."""

INPUT_ALIASES = ("inputs", "question", "prompt", "vars", "text")
"""Names that other formats give to an input, or to its one variable."""

RETIRED = "retired"
"""The key of a row whose case was taken out; its value is the reason."""

_SLIPS = ("severity", "dimension", "weight", "critical")


def case_from_row(row: Mapping[str, Json], position: str) -> Case:
    """Build a case of a row; only `input` is required, null means not given.

    A bare text as `input` is the variable `input`. A case without id gets the hash of its input
    and expectation. In a check, keys that not every check has are its options. Whether the case is
    retired says `retired_reason`.

    Args:
        row: keys as in cases.jsonl.
        position: where the row stands (`cases.jsonl:12`, `cases[3]`); begins every error.

    Raises EvalSetError naming position, key and the nearest known key.
    """
    for key in row:
        if key not in _READERS and key != RETIRED:
            raise EvalSetError(
                f"{position}: {one_line(str(key))}: unknown key{_key_hint(str(key))}"
            )
    row = {key: _plain_checks(value) if key == "checks" else value for key, value in row.items()}
    if fault := find_fault(row):
        raise EvalSetError(f"{position}: {fault.path}: {fault.reason}")
    if row.get("input") is None:
        raise EvalSetError(f"{position}: input: required key is missing")
    try:
        fields = {
            key: _READERS[key](value, key)
            for key, value in row.items()
            if value is not None and key != RETIRED
        }
    except _Refused as refused:
        raise EvalSetError(f"{position}: {refused}") from None
    if "id" not in fields:
        fields["id"] = case_id(fields["input"], fields.get("expected"))
    return Case(**fields)


def retired_reason(row: Mapping[str, Json], position: str) -> str | None:
    """Return why a row was taken out of the eval set, None where it is in it.

    Raises EvalSetError where `retired` is not a reason in words.
    """
    reason = row.get(RETIRED)
    if reason is None:
        return None
    if not isinstance(reason, str) or not reason.strip():
        wrong = _wrong(RETIRED, "the reason as a text that is not blank", reason)
        raise EvalSetError(f"{position}: {wrong}")
    return reason


def _plain_checks(value: Json) -> Json:
    """Write CheckSpec objects, which Python users may give, as the dicts that files hold."""
    if not isinstance(value, list | tuple):
        return value
    items = cast("list[Json]", value)
    return [item.model_dump() if isinstance(item, CheckSpec) else item for item in items]


class _Refused(ValueError):
    """`key: expected what, got that`."""


def _wrong(path: str, expected: str, got: Json) -> _Refused:
    shown = str(got) if isinstance(got, bool) else repr(got)
    if isinstance(got, dict | list):
        shown = f"{type(cast('object', got)).__name__} {shown}"
    shown = shown if len(shown) <= 60 else f"{shown[:60]}..."
    return _Refused(f"{path}: expected {expected}, got {shown}")


def _key_hint(key: str) -> str:
    if key.casefold() in EXPECTED_ALIASES:
        return "; it is called 'expected' here"
    if key.casefold() in INPUT_ALIASES:
        return "; variables stand in 'input': {\"input\": {" + f'"{one_line(key)}": ...' + "}}"
    return nearest(key, (*_READERS, RETIRED))


def _any(value: Json, path: str) -> Json:
    del path
    return value


def _text(value: Json, path: str) -> str:
    if not isinstance(value, str):
        raise _wrong(path, "text", value)
    return value


def _name(value: Json, path: str) -> str:
    """Read an id or cluster: text that is not blank, or a whole number written as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise _wrong(path, "text that is not blank", value)
    return value


def _input(value: Json, path: str) -> Mapping[str, Json]:
    variables = as_object(value)
    if variables is not None:
        return dict(variables)
    if isinstance(value, str):
        return {"input": value}
    raise _wrong(path, "an object of variables or a text", value)


def _choice(*allowed: str) -> Callable[[Json, str], str]:
    def read(value: Json, path: str) -> str:
        if isinstance(value, str) and value in allowed:
            return value
        wrong = _wrong(path, ", ".join(allowed[:-1]) + f" or {allowed[-1]}", value)
        raise _Refused(f"{wrong}{nearest(value, allowed)}" if isinstance(value, str) else wrong)

    return read


def _texts(value: Json, path: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise _wrong(path, "a list of texts", value)
    items = cast("list[Json]", value)
    return tuple(_text(item, f"{path}[{number}]") for number, item in enumerate(items))


def _weight(value: Json, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise _wrong(path, "a number above 0", value)
    return float(value)


def _flag(value: Json, path: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(path, "true or false", value)
    return value


def _checks(value: Json, path: str) -> tuple[CheckSpec, ...]:
    if not isinstance(value, list | tuple):
        raise _wrong(path, "a list of checks", value)
    items = cast("list[Json]", value)
    return tuple(_check(item, f"{path}[{number}]") for number, item in enumerate(items))


def _check(value: Json, path: str) -> CheckSpec:
    given = {"type": value} if isinstance(value, str) else as_object(value)
    if given is None:
        raise _wrong(path, "a check: {type: ...} or the name of one", value)
    if given.get("type") is None:
        close = nearest("type", given) if given else ""
        raise _Refused(f"{path}.type: required key is missing{close}")
    fields: dict[str, Json] = {}
    options: dict[str, Json] = dict(as_object(given.get("options")) or {})
    for key, item in given.items():
        where = f"{path}.{one_line(key)}"
        if key in _CHECK_READERS:
            if item is not None:
                fields[key] = _CHECK_READERS[key](item, where)
        elif key != "options" or as_object(item) is None:
            if intended := _intended_key(key):
                raise _Refused(f"{where}: unknown key; did you mean '{intended}'?")
            if key in options:
                raise _Refused(f"{where}: stands in the check and in its options; keep one")
            options[key] = item
    return CheckSpec(**fields, options=options)


def _intended_key(key: str) -> str | None:
    """Return the common key that an option's name is most likely a slip of.

    Options are free, so only near misses of long names count, and a name made longer or shorter is
    a name of its own (`weights`).
    """
    names = [name for name in _SLIPS if not (key.startswith(name) or name.startswith(key))]
    return next(iter(difflib.get_close_matches(key, names, n=1, cutoff=0.8)), None)


_READERS: Mapping[str, Callable[[Json, str], Json]] = {
    "id": _name,
    "input": _input,
    "expected": _any,
    "kind": _choice(*get_args(CaseKind)),
    "tags": _texts,
    "checks": _checks,
    "cluster": _name,
    "split": _choice(*SPLITS),
    "weight": _weight,
    "rubric": _text,
    "critical": _flag,
    "source": _text,
}

_CHECK_READERS: Mapping[str, Callable[[Json, str], Json]] = {
    "type": _name,
    "severity": _choice(*get_args(Severity)),
    "dimension": _choice(*get_args(Dimension)),
    "tag": _text,
    "id": _name,
    "after": _choice(*get_args(After)),
    "weight": _weight,
    "critical": _flag,
}
