"""What parts two versions of an eval set, and which of their cases can be compared. Pure."""

from __future__ import annotations

from promptyard.records.cases import Case, EvalSet, EvalSplit
from promptyard.records.differences import ChangedCase, EvalSetDiff, MovedCase

_NOT_MEASURED = frozenset({"id", "split", "tags", "source", "cluster", "kind"})
"""Keys of a case that do not change what is asked of a model or how its answer is graded."""


def diff_eval_sets(old: EvalSet, new: EvalSet) -> EvalSetDiff:
    """Compare two versions case by case; ids say which cases belong together."""
    before = {case.id: case for case in old.cases}
    after = {case.id: case for case in new.cases}
    gone = [case_id for case_id in before if case_id not in after]
    both = [(before[case_id], case) for case_id, case in after.items() if case_id in before]
    changed = [ChangedCase(case_id=b.id, keys=keys) for a, b in both if (keys := _differing(a, b))]
    moved = [
        MovedCase(case_id=b.id, old=a.split, new=b.split) for a, b in both if a.split != b.split
    ]
    return EvalSetDiff(
        old=old.version,
        new=new.version,
        added=tuple(case_id for case_id in after if case_id not in before),
        retired={case_id: new.retired[case_id] for case_id in gone if case_id in new.retired},
        removed=tuple(case_id for case_id in gone if case_id not in new.retired),
        changed=tuple(changed),
        moved=tuple(moved),
        n_same=sum(a == b for a, b in both),
    )


def shared_cases(old: EvalSet, new: EvalSet, split: EvalSplit) -> tuple[str, ...]:
    """Ids of the cases of a split (or of `all`) that both versions measure in the same way.

    Input, expectation, checks and weight are equal; tags and the like may differ.
    """
    before = {case.id: case for case in old.split(split)}
    return tuple(
        case.id
        for case in new.split(split)
        if case.id in before
        and all(key in _NOT_MEASURED for key in _differing(before[case.id], case))
    )


def _differing(old: Case, new: Case) -> tuple[str, ...]:
    if old == new:
        return ()
    return tuple(
        key
        for key in Case.model_fields
        if key != "split" and getattr(old, key) != getattr(new, key)
    )
