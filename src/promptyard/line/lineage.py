"""Where the versions of an eval set come from: every version that is used is recorded, once."""

from __future__ import annotations

from promptyard.evalset.diff import diff_eval_sets
from promptyard.protocols import Store
from promptyard.records.cases import EvalSet


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
