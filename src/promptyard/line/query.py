"""Reads for people and pages: runs, and whose each line of a prompt is."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from promptyard.errors import ConfigError, NotFound
from promptyard.evalset.wording import some
from promptyard.line.references import EVAL
from promptyard.line.session import OPTIMIZE
from promptyard.line.task import Task
from promptyard.line.wiring import build_store, store_address
from promptyard.protocols import Store
from promptyard.records.blame import Blame
from promptyard.records.evidence import Bucket, ConfusionPair
from promptyard.records.runs import Run
from promptyard.records.scores import GradedCase, Report
from promptyard.registry.blame import blame, lineage_of
from promptyard.registry.versions import resolve_version
from promptyard.signals.buckets import bucket_failures
from promptyard.signals.evidence import confusions

MOST_TO_BLAME = 10_000_000_000
"""Lines times characters that they are looked for in: about 4 seconds of a processor."""

StoreOrUrl: TypeAlias = Store | str | None
"""Where a function of the line works: an open store, the address of one, or the project's own."""


@contextlib.asynccontextmanager
async def opened(url: StoreOrUrl, *, must_exist: bool = True) -> AsyncGenerator[Store]:
    """Open the store at `url`, or the project's own; close it on the way out.

    A store that is open already is given as it is, and stays open. Raises NotFound when a store
    file is to be read and there is none: reading creates nothing.
    """
    if url is not None and not isinstance(url, str):
        yield url
        return
    address = store_address(url)
    path = address.removeprefix("sqlite:///")
    if must_exist and "://" not in path and not _is_file(path):
        raise NotFound(
            f"there is no store at {address}; run `promptyard optimize` first, or name one "
            "with --store"
        )
    store = build_store(address)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def _is_file(address: str) -> bool:
    return Path(address).is_file()


async def list_runs(url: StoreOrUrl, task: str | None, limit: int) -> Sequence[Mapping[str, Any]]:
    """List runs, newest first."""
    async with opened(url) as store:
        return await store.runs(task, limit)


async def show_run(url: StoreOrUrl, run_id: str) -> Run:
    """Return a finished run. Raises NotFound when there is none, or it has no result yet."""
    async with opened(url) as store:
        if run_id == "last":
            return await last_run(store)
        run = await store.run_result(run_id)
        if run is not None:
            return run
        kind = str((await store.run_header(run_id)).settings.get("kind", OPTIMIZE))
        if kind == OPTIMIZE:
            raise NotFound(
                f"run {run_id} has no result; if it was interrupted, take it up with "
                "`promptyard optimize --resume`"
            )
        how = (
            f"; `promptyard eval --compare {run_id}` compares with it"
            if kind.startswith(EVAL)
            else ""
        )
        raise NotFound(
            f"run {run_id} is no run of `promptyard optimize` but '{kind}', so it has no result to "
            f"show{how}"
        )


async def last_run(store: Store) -> Run:
    """Return the newest finished run of `optimize`. Raises NotFound where there is none."""
    for row in await store.runs(limit=1_000):
        decided = row["status"] == "finished" and row["sentence"]
        if decided and (last := await store.run_result(str(row["id"]))) is not None:
            return last  # evals have verdicts, too, and no result
    raise NotFound(
        "no finished run of `promptyard optimize` is in this store yet; "
        "`promptyard runs list` shows what there is"
    )


async def blame_version(url: StoreOrUrl, name: str, reference: str = "latest") -> Blame:
    """Say of each line of a version who put it there, why, and with what effect.

    Raises ConfigError for a prompt so long that this would take minutes.
    """
    async with opened(url) as store:
        await require_prompt(store, name)
        version = await resolve_version(store, name, reference)
        lineage = lineage_of(version, await store.versions(name))
    n_lines = sum(step.prompt.text.count("\n") for step in version.program.steps)
    n_chars = sum(len(s.prompt.text) for item in lineage for s in item.program.steps)
    if n_lines * n_chars > MOST_TO_BLAME:
        raise ConfigError(
            f"v{version.number} of '{name}' has {n_lines:,} lines, to be looked for in {n_chars:,} "
            f"characters of {len(lineage):,} versions: that is too much; `promptyard prompts diff` "
            "compares two versions"
        )
    # Elsewhere: it may take seconds, and others want to be answered.
    return await asyncio.to_thread(blame, lineage)


def failure_buckets(
    task: Task, report: Report
) -> tuple[tuple[Bucket, ...], tuple[ConfusionPair, ...]]:
    """Group the failures of a report on the task's own cases; and which labels were confused.

    Of a repeated case the first replicate counts.
    """
    cases = {case.id: case for case in task.eval_set.cases}
    trials = report.by_case().values()
    graded = [GradedCase(case=cases[trial.case_id], trial=trial) for trial in trials]
    return bucket_failures(graded, task.program, task.targets), confusions(graded)


async def require_prompt(store: Store, name: str) -> None:
    """Raise NotFound, naming what is registered, when there is no prompt of this name."""
    names = await store.prompt_names()
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        hint = (
            f"did you mean '{close[0]}'?" if close else f"registered: {some(names) or 'none yet'}"
        )
        raise NotFound(
            f"no prompt '{name}' is registered; {hint}; `promptyard prompts log` lists them"
        )
