"""Where versions come from: those of an eval set, recorded once, and the sentences of prompts."""

from __future__ import annotations

from promptyard.evalset.diff import diff_eval_sets
from promptyard.line.task import Task
from promptyard.protocols import Store
from promptyard.records.cases import EvalSet
from promptyard.records.origins import Origin
from promptyard.records.regions import regions
from promptyard.records.runs import RunHeader

MAX_VERSIONS = 5
"""The newest versions tell; older ones have been edited over."""


async def record_version(store: Store, eval_set: EvalSet, change: str = "") -> None:
    """Store a version that is new, as the child of the newest one that is known.

    `change` says what was done; where nobody said it (the files were edited by hand), it is counted
    from the two versions. A version that is known already stays as it was recorded.
    """
    known = await store.eval_set_versions(eval_set.name)
    if any(item.version == eval_set.version for item in known):
        return
    if not known:
        await store.save_eval_set(eval_set, change=change)
        return
    parent = known[-1].version
    if not change:
        change = diff_eval_sets(await store.eval_set(parent), eval_set).sentence
    await store.save_eval_set(eval_set, parent=parent, change=change)


async def past_origins(store: Store, task: Task, header: RunHeader) -> tuple[Origin, ...]:
    """Return what was measured of the sentences in versions that passed before this run started.

    Only of places that the prompt still has. A resumed run sees the same ones again.
    """
    versions = [
        version
        for version in await store.versions(task.name)
        if version.status == "passed" and version.run_id and version.created_at < header.started_at
    ]
    places = {
        (step.name, region.id) for step in task.program.steps for region in regions(step.prompt)
    }
    found: list[Origin] = []
    for version in versions[-MAX_VERSIONS:]:
        run = await store.run_result(version.run_id or "")
        for origin in run.origins if run is not None else ():
            if (origin.atom.step, origin.atom.region) in places:
                found.append(origin)
    return tuple(found)
