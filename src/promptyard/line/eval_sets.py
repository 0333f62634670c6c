"""Reads for people: the versions of an eval set, who used them, what parts two of them."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from promptyard.errors import NotFound
from promptyard.evalset.diff import diff_eval_sets
from promptyard.evalset.wording import some
from promptyard.line.query import StoreOrUrl, opened
from promptyard.line.task import load_task, task_folder
from promptyard.line.wiring import store_address
from promptyard.protocols import Store
from promptyard.records.base import Record
from promptyard.records.cases import EvalSet, EvalSetVersion
from promptyard.records.differences import EvalSetDiff

WORKING = "working"
"""The reference to the eval set as it stands in the task's files now."""

MIN_PREFIX = 4
ALL_RUNS = 100_000


@dataclass(frozen=True)
class NamedEvalSet:
    """An eval set by its name; `working` and `store` are those of the task, where there is one."""

    name: str
    working: EvalSet | None
    store: StoreOrUrl


class EvalSetRow(Record):
    """An eval set of the store: its name, how many versions it has, and the newest of them."""

    name: str
    n_versions: int
    newest: EvalSetVersion


class VersionEntry(Record):
    """A version, its number and its parent's (1 is the oldest), and the runs that used it."""

    number: int
    about: EvalSetVersion
    parent_number: int | None
    runs: tuple[str, ...]
    is_working: bool


class EvalSetLog(Record):
    """The versions of an eval set, oldest first.

    `unrecorded` says what parts the working files from the newest version, None where they are one
    of the versions.
    """

    name: str
    versions: tuple[VersionEntry, ...]
    unrecorded: str | None


def find_eval_set(reference: str, store: str | None) -> NamedEvalSet:
    """Take a task's folder or file, or else a name. Raises what loading the task raises."""
    path = Path(reference)
    is_path = reference in (".", "..") or os.sep in reference
    if is_path or path.is_file() or (path / "task.yaml").is_file():
        task = load_task(path)
        return NamedEvalSet(task.name, task.eval_set, store_address(store, task_folder(path)))
    return NamedEvalSet(reference, None, store_address(store))


async def list_eval_sets(url: StoreOrUrl) -> Sequence[EvalSetRow]:
    """List the eval sets of a store by name."""
    async with opened(url) as store:
        found: list[EvalSetRow] = []
        for name in await store.eval_set_names():
            versions = await store.eval_set_versions(name)
            found.append(EvalSetRow(name=name, n_versions=len(versions), newest=versions[-1]))
        return found


async def eval_set_version(named: NamedEvalSet, reference: str) -> EvalSet:
    """Return a version with its cases, given as `@2`, whole or by a unique beginning.

    Raises NotFound, naming what there is.
    """
    async with opened(named.store) as store:
        return await _resolve(store, named, reference)


async def eval_set_log(named: NamedEvalSet) -> EvalSetLog:
    """List versions with their runs, newest run first. Raises NotFound where there are none."""
    async with opened(named.store) as store:
        versions = await _versions(store, named.name)
        runs: dict[str, list[str]] = {}
        for row in await store.runs(named.name, ALL_RUNS):
            header = await store.run_header(str(row["id"]))
            runs.setdefault(header.eval_set_version, []).append(header.id)
        numbers = {item.version: number for number, item in enumerate(versions, 1)}
        working = named.working
        unrecorded: str | None = None
        if working is not None and working.version not in numbers:
            newest = await store.eval_set(versions[-1].version)
            unrecorded = diff_eval_sets(newest, working).sentence
        return EvalSetLog(
            name=named.name,
            versions=tuple(
                VersionEntry(
                    number=numbers[item.version],
                    about=item,
                    parent_number=numbers.get(item.parent or ""),
                    runs=tuple(runs.get(item.version, ())),
                    is_working=working is not None and item.version == working.version,
                )
                for item in versions
            ),
            unrecorded=unrecorded,
        )


async def eval_set_diff(
    named: NamedEvalSet, old: str, new: str
) -> tuple[EvalSet, EvalSet, EvalSetDiff]:
    """Compare two versions, given as `working`, `@2`, whole or by a unique beginning.

    Raises NotFound, naming what there is.
    """
    async with opened(named.store, must_exist={old, new} != {WORKING}) as store:
        first = await _resolve(store, named, old)
        second = await _resolve(store, named, new)
        return first, second, diff_eval_sets(first, second)


async def _resolve(store: Store, named: NamedEvalSet, reference: str) -> EvalSet:
    if reference == WORKING:
        if named.working is None:
            raise NotFound(
                f"'{named.name}' is a name and no task folder, so there are no working files; "
                "name two versions"
            )
        return named.working
    versions = [item.version for item in await _versions(store, named.name)]
    version = _version_called(reference, versions, named.name)
    return await store.eval_set(version)


def _version_called(reference: str, versions: Sequence[str], name: str) -> str:
    if reference in versions:
        return reference
    if numbered := re.fullmatch(r"@(\d{1,9})", reference):
        number = int(numbered[1])
        if 1 <= number <= len(versions):
            return versions[number - 1]
        raise NotFound(
            f"eval set '{name}' has no version {reference}; it has @1 to @{len(versions)}; "
            f"`promptyard evalset log {name}` lists them"
        )
    found = [version for version in versions if version.startswith(reference)]
    if len(found) == 1 and len(reference) >= MIN_PREFIX:
        return found[0]
    if not found:
        raise NotFound(
            f"eval set '{name}' has no version '{reference}'; it has: {some(versions)} "
            f"(@1 to @{len(versions)}), and `{WORKING}`; `promptyard evalset log {name}` lists them"
        )
    raise NotFound(
        f"'{reference}' is the beginning of {some(found)}; give at least {MIN_PREFIX} signs, and "
        "as many as only one version begins with"
    )


async def _versions(store: Store, name: str) -> Sequence[EvalSetVersion]:
    versions = await store.eval_set_versions(name)
    if not versions:
        tasks = sorted({str(row["task"]) for row in await store.runs(limit=ALL_RUNS)})
        close = difflib.get_close_matches(name, tasks, n=1)
        hint = (
            f"did you mean '{close[0]}'?" if close else f"it has those of: {some(tasks) or 'none'}"
        )
        raise NotFound(
            f"no version of the eval set '{name}' is in this store yet; {hint}; `promptyard eval` "
            "or `promptyard evalset add` records the first"
        )
    return versions
