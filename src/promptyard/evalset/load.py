"""Loads cases from files or from Python values, with the same checks for both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from promptyard.errors import EvalSetError, as_one
from promptyard.evalset import IMPORTERS
from promptyard.evalset.case_row import case_from_row, retired_reason
from promptyard.evalset.images import ImageFiles
from promptyard.evalset.strict_json import find_fault
from promptyard.evalset.wording import nearest, one_line
from promptyard.protocols import Importer
from promptyard.records.base import Json, canonical_json
from promptyard.records.cases import Case


@dataclass(frozen=True)
class LoadedCases:
    """What the rows of an eval set hold.

    `cases` are those in use, in the order of the rows. `retired` maps the ids of the others to the
    reason why they were taken out. `positions` say of all where they stand (`cases.jsonl:12`).
    """

    cases: tuple[Case, ...]
    retired: Mapping[str, str]
    positions: Mapping[str, str]


def read_cases(
    paths: Sequence[Path],
    *,
    cluster_key: str | None = None,
    importers: Mapping[str, Callable[[], Importer]] = IMPORTERS,
) -> LoadedCases:
    """Read all cases of one eval set, in the order of files and rows. Streams each file.

    An image that a variable names as a file (`{"image": "picture.png"}`) is read from the folder
    of the case file, or from below it.

    Args:
        paths: the files; their suffixes choose the importers.
        cluster_key: an input variable, or the `key` of tags written `key:value`, whose value is
            the cluster of a case that gives none.
        importers: by suffix, the dot included.

    Raises EvalSetError, one line a mistake, with file, line and key: a file that is missing or
    unreadable, a row that is no case, an image that cannot be taken, an id that is there twice
    (naming both lines; ids of retired cases are not free again), no cases at all.
    """
    if not paths:
        raise EvalSetError("no case files were named; set `cases` in task.yaml")
    rows = (item for path in paths for item in read_file(path, importers))
    return _collect(rows, ", ".join(str(path) for path in paths), cluster_key)


def read_rows(
    rows: Iterable[Mapping[str, Json] | Case],
    *,
    source: str = "cases",
    cluster_key: str | None = None,
) -> LoadedCases:
    """Read cases of dicts (keys as in cases.jsonl) or Case objects.

    Raises EvalSetError as `read_cases`, with `cases[3]` as the position.
    """
    located = ((f"{source}[{number}]", row) for number, row in enumerate(rows))
    return _collect(located, source, cluster_key)


def cases_from_rows(
    rows: Iterable[Mapping[str, Json] | Case],
    *,
    source: str = "cases",
    cluster_key: str | None = None,
) -> tuple[Case, ...]:
    """Return the cases in use alone; everything else as `read_rows`."""
    return read_rows(rows, source=source, cluster_key=cluster_key).cases


def read_file(
    path: Path, importers: Mapping[str, Callable[[], Importer]] = IMPORTERS
) -> Iterator[tuple[str, Mapping[str, Json]]]:
    """Yield (position, row) of one file; rows are not looked at. Raises EvalSetError."""
    importer = importers.get(path.suffix.lower())
    if importer is None:
        raise EvalSetError(
            f"{path}: no importer reads '{path.suffix}' files{nearest(path.suffix, importers)}"
        )
    images = ImageFiles(path.parent)
    try:
        for number, row in importer().read(path):
            position = f"{path}:{number}"
            yield position, images.embed(row, position)
    except FileNotFoundError:
        raise EvalSetError(
            f"{path}: there is no such case file (looked in {path.resolve().parent}); check "
            "`cases` in task.yaml"
        ) from None
    except OSError as error:
        raise EvalSetError(f"{path}: the case file cannot be read: {error.strerror}") from None


def _collect(
    rows: Iterable[tuple[str, Mapping[str, Json] | Case]], source: str, cluster_key: str | None
) -> LoadedCases:
    cases: list[Case] = []
    retired: dict[str, str] = {}
    first_at: dict[str, str] = {}
    mistakes: list[EvalSetError] = []
    for position, row in _readable(rows, mistakes):
        try:
            case = _case(row, position)
            reason = None if isinstance(row, Case) else retired_reason(row, position)
        except EvalSetError as error:
            mistakes.append(error)
            continue
        if case.id in first_at:
            named = isinstance(row, Case) or row.get("id") is not None
            clash = _clash(case.id, position, first_at[case.id], named=named)
            mistakes.append(EvalSetError(clash))
        first_at.setdefault(case.id, position)
        if reason is None:
            cases.append(case)
        else:
            retired[case.id] = reason
    if mistakes:
        raise as_one(mistakes)
    if not cases:
        all_of = "every case is retired" if retired else "no cases"
        raise EvalSetError(f'{source}: {all_of}; add at least one, such as {{"input": "..."}}')
    in_use = tuple(cases) if cluster_key is None else _clustered(cases, source, cluster_key)
    return LoadedCases(cases=in_use, retired=retired, positions=first_at)


def _readable(
    rows: Iterable[tuple[str, Mapping[str, Json] | Case]], mistakes: list[EvalSetError]
) -> Iterator[tuple[str, Mapping[str, Json] | Case]]:
    """Yield rows up to the first that cannot be read, which is added to the mistakes."""
    try:
        yield from rows
    except EvalSetError as error:
        mistakes.append(error)


def _case(row: object, position: str) -> Case:
    if isinstance(row, Mapping):
        return case_from_row(cast("Mapping[str, Json]", row), position)
    if not isinstance(row, Case):
        raise EvalSetError(f"{position}: expected a dict or a Case, got {type(row).__name__}")
    if not row.id.strip():
        raise EvalSetError(f"{position}: id: expected text that is not blank")
    if fault := find_fault({"input": dict(row.input), "expected": row.expected}):
        raise EvalSetError(f"{position}: {fault.path}: {fault.reason}")
    return row


def _clash(case_id: str, position: str, first: str, *, named: bool) -> str:
    if named:
        return (
            f"{position}: id '{one_line(case_id)}' is already used at {first}; give each case its "
            "own id"
        )
    return (
        f"{position}: the case is the same as the one at {first}; remove one, or give both an id "
        "if it shall count twice"
    )


def _clustered(cases: Sequence[Case], source: str, key: str) -> tuple[Case, ...]:
    clusters = [_cluster_of(case, key) for case in cases]
    if not any(clusters) and not any(case.cluster for case in cases):
        known = dict.fromkeys(name for case in cases for name in case.input)
        known |= dict.fromkeys(tag.split(":")[0] for c in cases for tag in c.tags if ":" in tag)
        raise EvalSetError(
            f"{source}: splits.cluster: no case has an input variable or a tag 'key:value' named "
            f"'{one_line(key)}'{nearest(key, known)}"
        )
    return tuple(
        case.model_copy(update={"cluster": cluster}) if cluster and not case.cluster else case
        for case, cluster in zip(cases, clusters, strict=True)
    )


def _cluster_of(case: Case, key: str) -> str | None:
    value: Json = case.input.get(key)
    if value is None:
        tag = next((tag for tag in case.tags if tag.startswith(f"{key}:")), None)
        value = None if tag is None else tag.removeprefix(f"{key}:")
    if value is None:
        return None
    written = value if isinstance(value, str) else canonical_json(value)
    return written.strip() or None
