"""Checks as importers write them, and what happens to those that cannot be run here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from promptyard.errors import EvalSetError
from promptyard.evalset.case_row import case_from_row
from promptyard.records.base import Json, as_list, as_object
from promptyard.records.imported import SKIP, ImportedRow

FACTUALITY_SCORES: Mapping[str, float] = {"A": 1.0, "B": 1.0, "C": 1.0, "D": 0.0, "E": 1.0}
"""Score of each answer of a factuality judge (A subset, B superset, C same, D disagrees, E differs
without consequence) in promptfoo; other tools score a subset 0.4, so it is always written out."""


class Unsupported(ValueError):
    """Something of another tool that cannot be run here; the message says what."""


def skip_check(what: str, source: Json) -> dict[str, Json]:
    """Return the check that says that something cannot be run, with its source kept."""
    return {"type": SKIP, "reason": f"unsupported: {what}", "source": source}


def is_skip(check: Mapping[str, Json]) -> bool:
    """Say whether a check only says that something cannot be run."""
    return check.get("type") == SKIP


class Notes:
    """Sentences for a person about an import; one that is said often is counted."""

    def __init__(self) -> None:
        self._times: Counter[str] = Counter()

    def add(self, sentence: str) -> None:
        """Note a sentence."""
        self._times[sentence] += 1

    def sentences(self) -> tuple[str, ...]:
        """Return all sentences in the order in which they were first said."""
        return tuple(
            sentence if times == 1 else f"{sentence} ({times:,} times)"
            for sentence, times in self._times.items()
        )


def take_expected(
    checks: Sequence[Mapping[str, Json]], *, lone_equals: bool = True
) -> tuple[Json, list[dict[str, Json]]]:
    """Make the reference of factuality checks, or the value of a lone `equals`, the expectation.

    Returns the expectation (None where there is none) and the checks. Demonstrations and confusions
    are made of expectations, which a value inside of a check is not. Factuality has no other
    reference, so a check with another one than the first is a skip.
    """
    references = [found for check in checks for found in _references(check)]
    if references:
        first = references[0]
        kept: list[dict[str, Json]] = []
        for check in checks:
            if any(reference != first for reference in _references(check)):
                kept.append(skip_check("a second reference answer", dict(check)))
            else:
                kept.append(_without_reference(check))
        return first, kept
    rest = [dict(check) for check in checks]
    lone = [check for check in rest if check.get("type") == "equals"]
    if lone_equals and len(lone) == 1 and lone[0].get("value") is not None:
        return lone[0].pop("value"), rest
    return None, rest


def _references(check: Mapping[str, Json]) -> list[Json]:
    """Return what factuality checks hold answers against, nested ones too."""
    own = [check["expected"]] if _is_factuality(check) and "expected" in check else []
    inner = (as_object(item) or {} for item in as_list(check.get("checks")) or ())
    return [*own, *(found for item in inner for found in _references(item))]


def _without_reference(check: Mapping[str, Json]) -> dict[str, Json]:
    kept = {k: v for k, v in check.items() if k != "expected" or not _is_factuality(check)}
    inner = as_list(check.get("checks"))
    if inner is not None:
        kept["checks"] = [_without_reference(as_object(item) or {}) for item in inner]
    return kept


def _is_factuality(check: Mapping[str, Json]) -> bool:
    return str(check.get("type")).removeprefix("not:") == "factuality"


def share_first(
    rows: Sequence[ImportedRow],
) -> tuple[tuple[Mapping[str, Json], ...], tuple[ImportedRow, ...]]:
    """Part the checks with which every row begins from the rows."""
    lists = [list(item.row.get("checks", ())) for item in rows]
    n_shared = 0
    while lists and all(
        len(checks) > n_shared and checks[n_shared] == lists[0][n_shared] for checks in lists
    ):
        n_shared += 1
    if not n_shared:
        return (), tuple(rows)
    kept = tuple(
        item.model_copy(update={"row": _with_checks(item.row, checks[n_shared:])})
        for item, checks in zip(rows, lists, strict=True)
    )
    return tuple(lists[0][:n_shared]), kept


def _with_checks(row: Mapping[str, Json], checks: Sequence[Json]) -> dict[str, Json]:
    rest = {key: value for key, value in row.items() if key != "checks"}
    return {**rest, "checks": list(checks)} if checks else rest


def with_unique_ids(rows: Iterable[ImportedRow], notes: Notes) -> tuple[ImportedRow, ...]:
    """Check every row, and give those ids of their own that would share one with an earlier row.

    Raises EvalSetError for a row that is no case.
    """
    taken: set[str] = set()
    unique: list[ImportedRow] = []
    for item in rows:
        case = case_from_row(item.row, item.at)
        name, number = case.id, 2
        while name in taken:
            name, number = f"{case.id}-{number}", number + 1
        taken.add(name)
        if name != case.id:
            notes.add(
                "a case shares its id, or its input and expectation, with an earlier one; "
                "its id got a number"
            )
        renamed = {"row": {**item.row, "id": name}} if name != case.id else {}
        unique.append(item.model_copy(update=renamed))
    if not unique:
        raise EvalSetError("no cases")
    return tuple(unique)
