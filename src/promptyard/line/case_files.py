"""Changes the case files of a task: checked as a whole first, then written, then recorded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from promptyard.config import load_task_config
from promptyard.errors import EvalSetError
from promptyard.evalset.case_file import Draft, FileEdit, edited, read_bytes, require_editable
from promptyard.evalset.diff import diff_eval_sets
from promptyard.evalset.load import LoadedCases, read_cases
from promptyard.line.lineage import record_version
from promptyard.line.query import StoreOrUrl, opened
from promptyard.line.task import Splits, Task, load_task, split_loaded, task_folder
from promptyard.line.wiring import metrics_of, store_address
from promptyard.records.base import Record
from promptyard.records.cases import EvalSet
from promptyard.records.differences import EvalSetDiff


@dataclass(frozen=True)
class CaseFiles:
    """A task with the files that its cases stand in."""

    task: Task
    folder: Path
    files: tuple[Path, ...]
    shares: Splits
    loaded: LoadedCases

    def place(self, case_id: str) -> tuple[Path, int]:
        """Return file and line of a case. Raises EvalSetError for an unknown one."""
        position = self.loaded.positions.get(case_id)
        if position is None:
            raise EvalSetError(f"task '{self.task.name}' has no case '{case_id}'")
        file, _, line = position.rpartition(":")
        return Path(file), int(line)


@dataclass(frozen=True)
class Intended:
    """The only differences that a change may make, by case id; for retired ones the reason."""

    added: frozenset[str] = frozenset()
    retired: Mapping[str, str] = field(default_factory=dict[str, str])
    changed: frozenset[str] = frozenset()


class Change(Record):
    """What was done to the eval set: the version that it came out of, and the new one."""

    task: str
    files: tuple[str, ...]
    parent: str
    version: str
    number: int
    change: str
    difference: EvalSetDiff
    warnings: tuple[str, ...] = ()


def open_case_files(path: Path) -> CaseFiles:
    """Read a task and where its cases stand. Raises ConfigError, PromptError or EvalSetError."""
    config = load_task_config(path)
    folder, shares = task_folder(path), Splits(**config.splits.model_dump())
    names = [config.cases] if isinstance(config.cases, str) else config.cases
    files = tuple(folder / name for name in names)
    return CaseFiles(
        task=load_task(path),
        folder=folder,
        files=files,
        shares=shares,
        loaded=read_cases(files, cluster_key=shares.cluster),
    )


async def change_cases(
    case_files: CaseFiles,
    edits: Mapping[Path, FileEdit],
    *,
    store: StoreOrUrl,
    change: str,
    intended: Intended,
    warnings: Sequence[str] = (),
) -> Change:
    """Write edits into the case files and record the child version that they make.

    The new eval set is read, split and checked like any other before a file is replaced, and must
    differ from the present one by what is `intended` and by nothing else. A crash leaves each file
    as it was or as it shall be; a version that was not recorded any more is by the next run.

    Raises EvalSetError, with everything as it was, when a row is no case, an id or a split is not
    as intended, a split would be empty, or somebody changes the file meanwhile.
    """
    old = case_files.task.eval_set
    place = store
    if store is None or isinstance(store, str):
        place = store_address(store, case_files.folder)
    async with opened(place, must_exist=False) as opened_store:
        await record_version(opened_store, old)
        with contextlib.ExitStack() as stack:
            drafts = [stack.enter_context(_draft(path, edit)) for path, edit in edits.items()]
            new = await asyncio.to_thread(_checked, case_files, drafts)
            difference = diff_eval_sets(old, new)
            _require_intended(difference, intended)
            for draft in drafts:
                draft.publish()
        await opened_store.save_eval_set(new, parent=old.version, change=change)
        versions = [item.version for item in await opened_store.eval_set_versions(new.name)]
    return Change(
        task=new.name,
        files=tuple(str(path) for path in edits),
        parent=old.version,
        version=new.version,
        number=versions.index(new.version) + 1,
        change=change,
        difference=difference,
        warnings=tuple(warnings),
    )


def _draft(path: Path, edit: FileEdit) -> Draft:
    require_editable(path)
    before = read_bytes(path)
    return Draft(path, before, edited(path, before, edit))


def _checked(case_files: CaseFiles, drafts: Sequence[Draft]) -> EvalSet:
    """Read the eval set as it will be, through the same checks as at every start."""
    by_path = {draft.path: draft.draft for draft in drafts}
    files = [by_path.get(path, path) for path in case_files.files]
    try:
        loaded = read_cases(files, cluster_key=case_files.shares.cluster)
        new = split_loaded(case_files.task.name, loaded, case_files.shares)
        _require_usable(case_files.task, new)
    except EvalSetError as error:
        message = str(error)
        for draft in drafts:
            message = message.replace(str(draft.draft), str(draft.path))
        raise EvalSetError(message) from None
    return new


def _require_usable(task: Task, eval_set: EvalSet) -> None:
    """Check variables and the names of checks, as the task does when it is loaded."""
    changed = Task(
        name=task.name,
        program=task.program,
        cases=eval_set,
        metrics=task.metrics,
        models=task.models,
        folder=task.folder,
    )
    metrics_for = metrics_of(changed)
    for case in eval_set.cases:
        metrics_for(changed.program, case)


def _require_intended(found: EvalSetDiff, intended: Intended) -> None:
    """Refuse side effects: cases of a cluster follow the split that one of them gives."""
    if found.moved:
        first = found.moved[0]
        raise EvalSetError(
            f"this would move {len(found.moved)} other cases to another split (case "
            f"'{first.case_id}' from {first.old} to {first.new}), since their cluster follows the "
            'split that one case gives; give them that "split" themselves first'
        )
    as_intended = (
        frozenset(found.added) == intended.added,
        found.retired == intended.retired,
        not found.removed,
        {item.case_id for item in found.changed} <= intended.changed,
    )
    if not all(as_intended):
        raise EvalSetError(
            f"the files would not become what was asked for ({found.sentence}); nothing was written"
        )
