"""Finds the runs and versions that a user names: an id, `last`, a number, a pointer, `latest`."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from promptyard.errors import EvalSetError, NotFound
from promptyard.evalset.wording import one_line, some
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
MOST_NAMED = 3
MOST_VERSIONS = 8
MOST_DIGITS = 4
"""Digits of a number that is meant as a version; the date in a run's id has eight."""
FAR_LESS = 0.1
"""How much less alike than the nearest name another one may be to be named too; of 1."""
LEAST_PART = 4
"""Letters and digits of an id that are enough to look for it."""


@dataclass(frozen=True)
class StoredRun:
    """An `eval` run of the task and its report."""

    run_id: str
    report: Report


async def run_or_version(
    store: Store, task: Task, reference: str, split: EvalSplit
) -> StoredRun | PromptVersion:
    """Find what to compare with; `last` is the last eval of all cases of the split.

    Raises NotFound naming the nearest runs and versions or those that exist, EvalSetError for a run
    of another task.
    """
    if reference == LAST:
        return await _last_full_run(store, task, split)
    if await _is_run(store, reference):
        return await _run_of(store, task, reference)
    numbers = [item.number for item in await store.versions(task.name)]
    pointers = [item.pointer for item in await store.pointers(task.name)]
    asks_version = reference in {LATEST, PRODUCTION, *pointers} or _reads_like_version(reference)
    if asks_version and not numbers:
        evals = await _latest_evals(store, task)
        raise NotFound(
            f"no version of '{task.name}' is registered in this store; compare with a run id"
            f"{f' ({evals})' if evals else ''}, or register one with `promptyard prompts add`"
        )
    if NUMBER.fullmatch(reference):
        if int(reference.lstrip("v")) in numbers:
            return await resolve_version(store, task.name, reference)
    elif asks_version:
        return await resolve_version(store, task.name, reference)
    names = [LAST, *pointers, *((LATEST,) if numbers else ())]
    raise await _unknown(store, task, "run or version", reference, names, numbers)


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


def _reads_like_version(reference: str) -> bool:
    """Say whether a number is meant as a version; a long one is the date of a run's id."""
    return NUMBER.fullmatch(reference) is not None and len(reference.lstrip("v")) <= MOST_DIGITS


async def _unknown(
    store: Store,
    task: Task,
    what: str,
    reference: str,
    names: Sequence[str],
    numbers: Sequence[int] | None = None,
) -> NotFound:
    """Say which runs and names are near, else which evals and, if asked for, versions there are."""
    near: Sequence[str] = ()
    if not _reads_like_version(reference):
        ids = [str(row["id"]) for row in await store.runs(task.name, MOST_RUNS)]
        near = await _evals_with(store, reference, ids) or await _spelled_like(
            store, reference, ids, names
        )
    if near:
        *others, last = [f"'{one_line(name)}'" for name in near]
        meant = f"{', '.join(others)} or {last}" if others else last
        advice = f"did you mean {meant}?"
    else:
        advice = f"{await _what_there_is(store, task, numbers)};"
    return NotFound(
        f"there is no {what} '{one_line(reference)}' of '{task.name}' in this store; {advice} "
        "`promptyard runs list` shows the runs"
    )


async def _evals_with(store: Store, part: str, ids: Sequence[str]) -> Sequence[str]:
    """Return the evals, newest first, in whose id a part stands, or that stand in it."""
    given = _letters(part)
    if len(given) < LEAST_PART:
        return ()
    found: list[str] = []
    for name in ids:
        if given in _letters(name) or _letters(name) in given:
            found += [name] if await store.reports(name, EVAL) else []
        if len(found) == MOST_NAMED:
            break
    return found


async def _spelled_like(
    store: Store, reference: str, ids: Sequence[str], names: Sequence[str]
) -> Sequence[str]:
    """Return the evals and names spelled most alike; those spelled far less alike are left out."""
    close = difflib.get_close_matches(reference, [*ids, *names], n=MOST_NAMED)
    likeness = {name: _likeness(reference, name) for name in close}
    best = max(likeness.values(), default=0.0)
    return [
        name
        for name in close
        if likeness[name] > best - FAR_LESS and (name in names or await store.reports(name, EVAL))
    ]


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, other, one).ratio()


def _letters(text: str) -> str:
    return "".join(sign for sign in text.lower() if sign.isalnum())


async def _what_there_is(store: Store, task: Task, numbers: Sequence[int] | None) -> str:
    evals = await _latest_evals(store, task)
    if numbers is None:
        return f"its latest evals: {evals}" if evals else "it has no finished eval yet"
    if not evals and not numbers:
        return "it has no finished eval and no version yet"
    versions = some((str(number) for number in reversed(numbers)), MOST_VERSIONS)
    return (
        f"{f'its latest evals: {evals}' if evals else 'it has no finished eval yet'}; "
        f"{f'its versions: {versions}' if numbers else 'it has no version yet'}"
    )


async def _latest_evals(store: Store, task: Task) -> str:
    found = [item.run_id for item in await store.measurements(task.name) if item.purpose == EVAL]
    return ", ".join(one_line(name) for name in found[: -MOST_NAMED - 1 : -1])
