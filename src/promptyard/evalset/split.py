"""Gives every case its split, and the eval set its version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from promptyard.errors import EvalSetError
from promptyard.evalset.strict_json import find_fault
from promptyard.evalset.wording import one_line, some
from promptyard.records.cases import SPLITS, Case, EvalSet, SplitName, eval_set_version
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
    there twice, a number that is not finite, shares that cannot be, or an empty split (saying which
    and what to change).
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
    shares: dict[SplitName, float] = {"train": train, "dev": dev, "holdout": holdout}
    _refuse_empty_splits(placed, shares, name)
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


def _refuse_empty_splits(cases: Sequence[Case], shares: dict[SplitName, float], name: str) -> None:
    sizes = Counter(case.split for case in cases)
    empty: list[SplitName] = [split for split in SPLITS if not sizes[split]]
    if not empty:
        return
    counts = ", ".join(f"{split} {sizes[split]}" for split in SPLITS)
    n_units = len({case.cluster or case.id for case in cases})
    without_share = [split for split in empty if shares[split] == 0]
    if without_share:
        remedy = f"set splits.{without_share[0]} above 0"
    elif n_units < len(SPLITS):
        unit = "clusters" if n_units < len(cases) else "cases"
        remedy = f"there are only {n_units} {unit} for 3 splits, so add cases"
    else:
        remedy = "add cases, raise its share or change splits.seed"
    raise EvalSetError(
        f"eval set '{name}': the split {' and '.join(empty)} is empty ({counts}); {remedy}, or "
        f'give cases "split": "{empty[0]}"'
    )
