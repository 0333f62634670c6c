"""What a search will probably spend, before it spends anything: runs of train cases by phase.

The figures of `auto` are means of 18 runs in our own simulated worlds, as benchmarks/plan_costs.py
prints them: three worlds, plain and with a weak optimizer and terse feedback, 100 train cases.
"""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.records.base import Record
from promptyard.search.learn import REFLECTORS
from promptyard.search.settings import AutoSettings, first_cases

SLICE_RUNS_A_CASE = 2.85
"""Runs on slices and in trap hunts, for each case that the baseline is run on first."""
FRESH_RUNS_A_CASE = 1.65
SEEN_RUNS_A_CASE = 1.64
ARM_RUNS = 168
"""Runs in arms where labels are many, as `promptyard demo` prints; elsewhere there were none."""
OPTIMIZER_CALLS_A_CASE = 1.90
"""Calls for each case that the baseline is run on first; evidence is what they are asked with."""


class SearchPhase(Record):
    """One phase of a search; `runs` of a case are expected, None where nobody can say."""

    phase: str
    runs: int | None


class SearchOutlook(Record):
    """What a search will probably ask for: runs by phase, in their order, and optimizer calls."""

    phases: tuple[SearchPhase, ...]
    optimizer_calls: int | None


def search_outlook(
    strategy: str,
    *,
    n_train: int,
    n_labels: int,
    generators: Sequence[str],
    runs_left: int | None,
    settings: AutoSettings | None = None,
) -> SearchOutlook:
    """Say what a search of `n_train` cases will ask for; `runs_left` is what a budget pays.

    Other policies than `auto` go on until the budget ends: they are expected to spend all of it.
    """
    if strategy != "auto":
        return SearchOutlook(
            phases=(SearchPhase(phase="search", runs=runs_left),), optimizer_calls=None
        )
    if not n_train:
        return SearchOutlook(phases=(), optimizer_calls=0)
    sizes = settings or AutoSettings()
    first = first_cases(sizes, n_train=n_train, n_labels=n_labels, calls_left=runs_left)
    # Idle rounds end a search whose train cases have not all been looked at.
    reach = sizes.max_idle_rounds * sizes.max_check_cases
    left = n_train - first
    seen = SEEN_RUNS_A_CASE * n_train if left <= reach else 0
    others = [name for name in generators if name not in REFLECTORS]
    wanted = {
        "baseline": first,
        "slices": round(SLICE_RUNS_A_CASE * first),
        "fresh checks": round(FRESH_RUNS_A_CASE * min(left, reach)),
        "other generators": ARM_RUNS if others and n_labels >= sizes.many_labels else 0,
        "second looks": round(min(seen, reach)),
    }
    phases: list[SearchPhase] = []
    for phase, runs in wanted.items():
        paid = runs if runs_left is None else min(runs, runs_left)
        runs_left = None if runs_left is None else runs_left - paid
        phases.append(SearchPhase(phase=phase, runs=paid))
    share = sum(phase.runs or 0 for phase in phases) / sum(wanted.values())
    asked = share * OPTIMIZER_CALLS_A_CASE * first
    return SearchOutlook(phases=tuple(phases), optimizer_calls=round(asked))
