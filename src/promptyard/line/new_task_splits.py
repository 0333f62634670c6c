"""Chooses how the cases of a new task are divided, so that no split of it is empty by chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from promptyard.config import SplitsConfig
from promptyard.evalset.load import cases_from_rows
from promptyard.evalset.split import assign_splits
from promptyard.records.base import Json
from promptyard.records.cases import Case

SHARES: Mapping[str, float] = {"train": 0.3, "dev": 0.3, "holdout": 0.4}
ALL_IN_DEV: Mapping[str, float] = {"train": 0, "dev": 1, "holdout": 0}
FIRST_SEED = 7
MAX_SEEDS = 2000
FEW = (
    "these cases cannot fill train, dev and holdout: dev takes them, which `eval` measures; "
    "`optimize` needs more"
)


def new_splits(
    rows: Sequence[Mapping[str, Json]], source: str
) -> tuple[Mapping[str, float] | None, int]:
    """Choose shares, and a seed under which no split is empty or far smaller than its share.

    Returns no shares where every row names its split, and dev's alone where no seed fills all.
    """
    cases = cases_from_rows(rows, source=source)
    if all(case.split for case in cases):
        return None, FIRST_SEED
    if len({case.cluster or case.id for case in cases}) < len(SHARES):
        return ALL_IN_DEV, FIRST_SEED
    best = (0.0, FIRST_SEED)
    for seed in range(FIRST_SEED, FIRST_SEED + MAX_SEEDS):
        least = _smallest(cases, seed, SHARES)
        if least >= 0.75:
            return SHARES, seed
        if least > best[0]:
            best = (least, seed)
    return (SHARES, best[1]) if best[0] else (ALL_IN_DEV, FIRST_SEED)


def splits_where_needed(
    rows: Sequence[Mapping[str, Json]], source: str
) -> Mapping[str, float] | None:
    """Return the key `splits` of a task, where without it a split would be empty."""
    default = SplitsConfig()
    shares = {name: float(getattr(default, name)) for name in SHARES}
    cases = cases_from_rows(rows, source=source)
    if _smallest(cases, default.seed, shares):
        return None
    chosen, seed = new_splits(rows, source)
    if chosen is None:
        return None
    return chosen if chosen is ALL_IN_DEV else {**chosen, "seed": seed}


def _smallest(cases: Sequence[Case], seed: int, shares: Mapping[str, float]) -> float:
    """Return the smallest split of a seed as a share of what it should be; 0 where it is empty."""
    made = assign_splits(
        cases,
        seed=seed,
        name="new",
        train=shares["train"],
        dev=shares["dev"],
        holdout=shares["holdout"],
    )
    return min(
        n / (shares[name] * len(cases)) for name, n in made.n_by_split.items() if shares[name]
    )
