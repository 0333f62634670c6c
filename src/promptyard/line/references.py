"""Finds the runs and versions that a user names: an id, `last`, a number, a pointer, `latest`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from promptyard.errors import EvalSetError, NotFound
from promptyard.evalset.wording import one_line
from promptyard.line.task import Task
from promptyard.protocols import Store
from promptyard.records.cases import EvalSplit
from promptyard.records.scores import Report
from promptyard.records.versions import PromptVersion
from promptyard.registry.versions import LATEST, NUMBER, PRODUCTION, resolve_version

EVAL = "eval"
"""The purpose under which the report of an `eval` is stored."""

LAST = "last"
MOST_RUNS = 1_000
"""How far back the nearest run id is looked for."""


@dataclass(frozen=True)
class StoredRun:
    """An `eval` run of the task and its report."""

    run_id: str
    report: Report


async def run_or_version(
    store: Store, task: Task, reference: str, split: EvalSplit
) -> StoredRun | PromptVersion:
    """Find what to compare with; `last` is the last eval of all cases of the split.

    Raises NotFound naming the nearest run or version, EvalSetError for a run of another task.
    """
    if reference == LAST:
        return await _last_full_run(store, task, split)
    if await _is_run(store, reference):
        return await _run_of(store, task, reference)
    versions = await store.versions(task.name)
    pointers = [item.pointer for item in await store.pointers(task.name)]
    if reference in {LATEST, PRODUCTION, *pointers} or NUMBER.fullmatch(reference):
        if not versions:
            raise NotFound(
                f"no version of '{task.name}' is registered in this store; compare with a run id, "
                "or run `promptyard optimize` first"
            )
        return await resolve_version(store, task.name, reference)
    named = [*pointers, *(str(item.number) for item in versions), *((LATEST,) if versions else ())]
    raise await _unknown(store, task, "run or version", reference, (LAST, *named))


async def eval_run(store: Store, task: Task, reference: str, split: EvalSplit) -> StoredRun:
    """Find an eval run; `last` is the last eval of all cases of the split.

    Raises as `run_or_version`.
    """
    if reference == LAST:
        return await _last_full_run(store, task, split)
    if not await _is_run(store, reference):
        raise await _unknown(store, task, "run", reference, (LAST,))
    return await _run_of(store, task, reference)


async def _last_full_run(store: Store, task: Task, split: EvalSplit) -> StoredRun:
    """Read the history: a report on a part of its split is no measurement and is not in it."""
    for item in reversed(await store.measurements(task.name)):
        if item.purpose == EVAL and item.split == split:
            return await _run_of(store, task, item.run_id)
    which = "all cases" if split == "all" else f"all cases of {split}"
    raise NotFound(f"task '{task.name}' has no finished eval of {which} in this store yet")


async def _run_of(store: Store, task: Task, run_id: str) -> StoredRun:
    header = await store.run_header(run_id)
    if header.task != task.name:
        raise EvalSetError(
            f"run {run_id} is of task '{header.task}' and this is '{task.name}'; name a run of "
            "this task (`promptyard runs list`)"
        )
    reports = await store.reports(run_id, EVAL)
    if not reports:
        raise NotFound(f"run {run_id} is no finished `eval`, so it has no report to compare with")
    return StoredRun(run_id, reports[-1])


async def _is_run(store: Store, reference: str) -> bool:
    try:
        await store.run_header(reference)
    except NotFound:
        return False
    return True


async def _unknown(
    store: Store, task: Task, what: str, reference: str, others: tuple[str, ...]
) -> NotFound:
    ids = [str(row["id"]) for row in await store.runs(task.name, MOST_RUNS)]
    close = difflib.get_close_matches(reference, [*ids, *others], n=1)
    advice = f"did you mean '{one_line(close[0])}'? " if close else ""
    return NotFound(
        f"there is no {what} '{one_line(reference)}' of '{task.name}' in this store; {advice}"
        "`promptyard runs list` shows the runs"
    )
