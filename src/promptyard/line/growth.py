"""Lets an eval set grow and shed cases: `add` appends rows, `retire` takes cases out of use."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from promptyard.errors import Advised, EvalSetError
from promptyard.evalset.case_file import FileEdit, require_editable
from promptyard.evalset.case_row import RETIRED, case_from_row, retired_reason
from promptyard.evalset.duplicates import normalised_input
from promptyard.evalset.load import read_file
from promptyard.evalset.wording import one_line, some
from promptyard.line.case_files import CaseFiles, Change, Intended, change_cases, open_case_files
from promptyard.line.query import StoreOrUrl
from promptyard.records.base import Json
from promptyard.records.cases import Case, SplitName, split_named


async def add_cases(
    task: Path,
    source: Path | BinaryIO,
    *,
    split: str | None = None,
    tags: Sequence[str] = (),
    into: str | None = None,
    force: bool = False,
    store: StoreOrUrl = None,
) -> Change:
    """Append the rows of a file (or of JSON lines on a stream) to the task's cases.

    Every row gets an id if it has none, `split` if it gives none, and `tags`. `into` names the file
    of a task that has several. Costs no call. Raises EvalSetError, with nothing written, for a row
    that is no case of this task, an id that is taken (by a retired case, too) and, unless `force`,
    an input that the eval set or the source has already, however differently it is spelled.
    """
    place = None if split is None else split_named(split)
    case_files = await asyncio.to_thread(open_case_files, task)
    target = _target(case_files, into)
    with _as_path(source) as (path, name):
        rows = [(position.replace(str(path), name), row) for position, row in read_file(path)]
    if not rows:
        raise EvalSetError(f"{name}: no rows; nothing was added")
    cases = [_placed(row, position, place, tags) for position, row in rows]
    _refuse_taken_ids(case_files, cases, rows)
    doubles = _equal_inputs(case_files, cases, rows)
    if doubles and not force:
        said = f"{doubles[0]}{_and_more(doubles)}; leave it out, or add it all the same with "
        raise EvalSetError(Advised(said, "--force", "force"))
    lines = [
        json.dumps(_written(row, case), ensure_ascii=False)
        for (_, row), case in zip(rows, cases, strict=True)
    ]
    ids = [case.id for case in cases]
    what = "1 case" if len(ids) == 1 else f"{len(ids):,} cases"
    where = f" to {split}" if split else ""
    return await change_cases(
        case_files,
        {target: FileEdit(rows=lines)},
        store=store,
        change=f"added {what}{where} from {name}",
        intended=Intended(added=frozenset(ids)),
        warnings=doubles,
    )


async def retire_cases(
    task: Path, case_ids: Sequence[str], *, reason: str, store: StoreOrUrl = None
) -> Change:
    """Take cases out of use: their rows stay, with the reason, and no run takes them any more.

    Costs no call. Raises EvalSetError, with nothing written, for a reason that is blank, for ids
    that do not exist or are retired, and where a split would be empty.
    """
    if not reason.strip():
        raise EvalSetError(Advised("a case is retired for a reason; give it", " with --reason", ""))
    case_files = await asyncio.to_thread(open_case_files, task)
    ids = list(dict.fromkeys(case_ids))
    for case_id in ids:
        if case_id in case_files.loaded.retired:
            before = one_line(case_files.loaded.retired[case_id])
            raise EvalSetError(f"case '{one_line(case_id)}' is retired already: {before}")
    values: dict[Path, dict[int, Mapping[str, Json]]] = {}
    for case_id in ids:
        path, line = case_files.place(case_id)
        values.setdefault(path, {})[line] = {RETIRED: reason}
    return await change_cases(
        case_files,
        {path: FileEdit(values=lines) for path, lines in values.items()},
        store=store,
        change=f"retired {some(ids, 3)}: {reason}",
        intended=Intended(retired=dict.fromkeys(ids, reason)),
    )


def _target(case_files: CaseFiles, into: str | None) -> Path:
    if into is None and len(case_files.files) > 1:
        names = ", ".join(path.name for path in case_files.files)
        said = f"the cases stand in several files ({names}); choose one with "
        raise EvalSetError(Advised(said, "--into", "into"))
    found = [
        path
        for path in case_files.files
        if into is None or path == case_files.folder / into or path == Path(into)
    ]
    if not found:
        names = ", ".join(str(path) for path in case_files.files)
        raise EvalSetError(f"'{into}' is no case file of the task; it has: {names}")
    require_editable(found[0])
    return found[0]


@contextlib.contextmanager
def _as_path(source: Path | BinaryIO) -> Generator[tuple[Path, str]]:
    """Give a file to read, and its name for messages; a stream is JSON lines."""
    if isinstance(source, Path):
        if not source.is_file():
            raise EvalSetError(f"{source}: there is no such file; `-` reads JSON lines from stdin")
        yield source, str(source)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_bytes(source.read())
        try:
            yield path, "stdin"
        except EvalSetError as error:
            raise EvalSetError(str(error).replace(str(path), "stdin")) from None


def _placed(
    row: Mapping[str, Json], position: str, split: SplitName | None, tags: Sequence[str]
) -> Case:
    """Read a row as the case that it will be. Raises EvalSetError for one that is retired."""
    case = case_from_row(row, position)
    if retired_reason(row, position) is not None:
        raise EvalSetError(f"{position}: {RETIRED}: a new case cannot be retired; leave it out")
    if split and case.split and case.split != split:
        said = f"{position}: split: the row gives {case.split}, "
        raise EvalSetError(
            Advised(said, f"--split gives {split}; give one", f"the request {split}; give one")
        )
    return case.model_copy(
        update={
            "split": split or case.split,
            "tags": tuple(dict.fromkeys((*case.tags, *tags))),
        }
    )


def _written(row: Mapping[str, Json], case: Case) -> Mapping[str, Json]:
    """Return the row as it is appended: as it was given, with what was added to it."""
    written: dict[str, Json] = {"id": case.id}
    written |= {key: value for key, value in row.items() if key != "id"}
    if case.split is not None:
        written["split"] = case.split
    if case.tags:
        written["tags"] = list(case.tags)
    return written


def _refuse_taken_ids(
    case_files: CaseFiles, cases: Sequence[Case], rows: Sequence[tuple[str, object]]
) -> None:
    taken = dict(case_files.loaded.positions)
    for case, (position, _) in zip(cases, rows, strict=True):
        if case.id in taken:
            retired = " (retired)" if case.id in case_files.loaded.retired else ""
            raise EvalSetError(
                f"{position}: the id '{one_line(case.id)}' is taken at {taken[case.id]}{retired}; "
                "give the case an id of its own"
            )
        taken[case.id] = position


def _equal_inputs(
    case_files: CaseFiles, cases: Sequence[Case], rows: Sequence[tuple[str, object]]
) -> list[str]:
    """Say of each row whose input is there already which case has it."""
    present = {
        normalised_input(case.input): f"case '{one_line(case.id)}' ({case.split})"
        for case in case_files.task.eval_set.cases
    }
    found: list[str] = []
    for case, (position, _) in zip(cases, rows, strict=True):
        key = normalised_input(case.input)
        if key in present:
            found.append(f"{position}: the same input as {present[key]}")
        present.setdefault(key, f"the row at {position}")
    return found


def _and_more(items: Sequence[str]) -> str:
    return f" (and {len(items) - 1} more)" if len(items) > 1 else ""
