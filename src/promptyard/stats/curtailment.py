"""Stopping an evaluation early when its outcome can no longer change.

Deterministic curtailment costs no error: it stops only where every way in which the remaining
cases could come out gives the same answer. It answers for the full number of cases; if one of them
ends without a score, the number of cases changes and the question must be asked again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

Outcome: TypeAlias = Literal["cannot_pass", "cannot_fail", "open"]

_TIE = 1e-9  # per case; a mean this close to the bar is a tie, and a tie does not pass


def paired_outcome(
    done_differences: Sequence[float], remaining_baseline: Sequence[float], *, bar: float
) -> Outcome:
    """Say whether "mean difference over all cases > `bar`" can still come out either way.

    The comparison is strict. A remaining case on which the baseline scored b counts between -b and
    1 - b: a case that the baseline passes cannot be a gain. Raises ValueError for no cases at
    all, differences outside [-1, 1] or scores outside [0, 1].
    """
    n_total = len(done_differences) + len(remaining_baseline)
    if n_total == 0:
        raise ValueError("an outcome needs at least one case")
    if not all(-1.0 <= difference <= 1.0 for difference in done_differences):
        raise ValueError("differences of scores lie in [-1, 1]")
    best = math.fsum(done_differences) + best_remaining(remaining_baseline)
    worst = best - len(remaining_baseline)
    passing = bar * n_total + _TIE * n_total
    if best <= passing:
        return "cannot_pass"
    return "cannot_fail" if worst > passing else "open"


def best_remaining(baseline_scores: Sequence[float]) -> float:
    """Return the most that a candidate can still gain: the sum of 1 - b over these scores.

    The least is this minus the number of scores. Raises ValueError for scores outside [0, 1].
    """
    if not all(0.0 <= score <= 1.0 for score in baseline_scores):
        raise ValueError("scores lie in [0, 1]; leave out cases that the baseline did not finish")
    return math.fsum(1.0 - score for score in baseline_scores)
