"""Gives every case its split, and the eval set its version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from promptyard.errors import EvalSetError
from promptyard.evalset.strict_json import find_fault
from promptyard.evalset.wording import one_line, some
from promptyard.records.cases import Case, EvalSet, SplitName, eval_set_version
from promptyard.stats.assignment import assign_split


def assign_splits(
    cases: Sequence[Case], *, seed: int, train: float, dev: float, holdout: float, name: str
) -> EvalSet:
    """Build the eval set: a given split stands, the seeded hash decides the others.

    The hash is taken of the case's cluster, else of its id, so adding cases never moves old ones.
    Cases of one cluster are never parted: where one of them has a given split, the others follow
    it (naming a split for a case is the only way to move its cluster). `train`, `dev` and `holdout`
    are shares; only their proportions count.

    Raises EvalSetError for two members of a cluster with different given splits, an id that is
    there twice, a number that is not finite, or shares that cannot be. A split may be empty.
    """
    _check_cases(cases, name)
    given = _given_by_cluster(cases, name)

    def split_of(case: Case) -> SplitName:
        fixed = case.split or (given.get(case.cluster) if case.cluster else None)
        return fixed or assign_split(
            case.cluster or case.id, seed=seed, train=train, dev=dev, holdout=holdout
        )

    try:
        placed = tuple(case.model_copy(update={"split": split_of(case)}) for case in cases)
    except ValueError as error:
        raise EvalSetError(f"eval set '{name}': splits: {error}") from None
    return EvalSet(name=name, cases=placed, version=eval_set_version(placed))


def _check_cases(cases: Sequence[Case], name: str) -> None:
    twice = [case_id for case_id, count in Counter(case.id for case in cases).items() if count > 1]
    if twice:
        raise EvalSetError(
            f"eval set '{name}': {len(twice)} ids are there more than once: "
            f"{some(twice)}; give each case its own id"
        )
    for case in cases:
        # The version would take NaN for null, so that two measurements looked like one.
        if fault := find_fault({"input": dict(case.input), "expected": case.expected}):
            raise EvalSetError(
                f"eval set '{name}': case '{one_line(case.id)}': {fault.path}: {fault.reason}"
            )


def _given_by_cluster(cases: Sequence[Case], name: str) -> dict[str, SplitName]:
    first: dict[str, tuple[SplitName, str]] = {}
    for case in cases:
        if case.cluster is None or case.split is None:
            continue
        split, case_id = first.setdefault(case.cluster, (case.split, case.id))
        if split != case.split:
            raise EvalSetError(
                f"eval set '{name}': cluster '{one_line(case.cluster)}' is in two splits: case "
                f"'{one_line(case_id)}' gives {split}, case '{one_line(case.id)}' gives "
                f"{case.split}; cases of one cluster are not independent, so give them the same "
                "split"
            )
    return {cluster: split for cluster, (split, _) in first.items()}
