"""Claims about many candidates at once: the best of many looks better than it is.

`max_t_test` keeps the chance of any false claim among all candidates at the level that is asked
for. It knows that they share a baseline and cases, which costs far less than Bonferroni.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from operator import getitem

from promptyard.stats.intervals import cluster_totals
from promptyard.stats.resampling import sign_tables

_LOOK_UPS = 20_000_000  # about a second; more candidates and cases get fewer resamples
_LEAST_RESAMPLES = 1_000
_ROUNDING = 1e-9  # a statistic this close to the observed one is a tie, and ties are extreme


@dataclass(frozen=True)
class CandidateTest:
    """One candidate of many, against the baseline that all share.

    `statistic` is the sum of the differences over the root of their squares. `p_value` is that of
    this candidate alone; `adjusted_p_value` may be compared with alpha whichever candidate it is.
    """

    mean: float
    statistic: float
    p_value: float
    adjusted_p_value: float


def max_t_test(
    baseline: Sequence[float],
    candidates: Sequence[Sequence[float]],
    *,
    clusters: Sequence[str] | None = None,
    two_sided: bool = True,
    seed: int = 0,
    n_resamples: int = 10_000,
) -> tuple[CandidateTest, ...]:
    """Test every candidate against the baseline, on cases that all of them finished.

    The rows of a cluster change sign together for all candidates at once, so that what candidates
    have in common stays, and each is compared with the largest statistic among those that did no
    better (step-down). All sign patterns are tried where there are no more than `n_resamples`.

    For one candidate the test is exact, like `compare_paired` on graded scores. For several it is
    exact where the rows are symmetric, and close to it elsewhere: 16 candidates equal to a baseline
    that passes 50-90 % of 50-200 cases gave a false claim in 3 to 6 % of our simulations at 5 %.

    Args:
        baseline: one score per case, replicates averaged before.
        candidates: for each candidate the same cases in the same order.
        clusters: one label per case; equal labels are cases that are not independent.
        two_sided: False where only "better than the baseline" is claimed.
        seed: makes the resampling repeatable.
        n_resamples: sign patterns, fewer (at least 1,000) for very many candidates and cases.

    Raises ValueError for no cases, unequal lengths, scores that are not finite or n_resamples < 1.
    Cost: no calls; 0.2 s for 16 candidates on 200 cases, 3 s for 64 on 5,000.
    Source: Westfall & Young 1993 (step-down max-T); Romano & Wolf 2005.
    """
    if n_resamples < 1:
        raise ValueError(f"n_resamples is at least 1, got {n_resamples}")
    rows = [_totals(baseline, candidate, clusters) for candidate in candidates]
    moved = [index for index in range(len(rows[0]) if rows else 0) if any(r[index] for r in rows)]
    rows = [[row[index] for index in moved] for row in rows]
    patterns, exact = _patterns(len(moved), len(rows), seed=seed, n_resamples=n_resamples)
    scales = [math.sqrt(math.fsum(total * total for total in row)) or 1.0 for row in rows]
    statistics = [math.fsum(row) / scale for row, scale in zip(rows, scales, strict=True)]
    observed = [abs(value) if two_sided else value for value in statistics]
    own: dict[int, float] = {}
    joint: dict[int, float] = {}
    highest = [-math.inf] * len(patterns)
    for index in sorted(range(len(rows)), key=observed.__getitem__):
        tables = sign_tables([total / scales[index] for total in rows[index]])
        flipped: list[float] = [sum(map(getitem, tables, pattern)) for pattern in patterns]
        if two_sided:
            flipped = list(map(abs, flipped))
        highest = list(map(max, highest, flipped))
        bar = observed[index] - _ROUNDING
        own[index] = _share(flipped, bar, exact=exact)
        joint[index] = _share(highest, bar, exact=exact)
    least = 0.0
    for index in reversed(own):  # ties in the very order of the steps
        joint[index] = least = max(least, joint[index])
    return tuple(
        CandidateTest(
            mean=math.fsum(row) / len(baseline),
            statistic=statistics[index],
            p_value=own[index],
            adjusted_p_value=joint[index],
        )
        for index, row in enumerate(rows)
    )


def _totals(
    baseline: Sequence[float], candidate: Sequence[float], clusters: Sequence[str] | None
) -> list[float]:
    """Sum the differences by cluster; differences that are rounding count as none."""
    if len(candidate) != len(baseline) or not baseline:
        raise ValueError(
            f"a paired test needs the same cases: {len(baseline)} baseline scores, "
            f"{len(candidate)} candidate scores"
        )
    differences = [after - before for before, after in zip(baseline, candidate, strict=True)]
    totals, _ = cluster_totals(list(map(_without_rounding, differences)), clusters)
    return list(map(_without_rounding, totals))


def _without_rounding(difference: float) -> float:
    return 0.0 if abs(difference) <= 1e-12 else difference


def _patterns(
    n_moved: int, n_candidates: int, *, seed: int, n_resamples: int
) -> tuple[list[bytes], bool]:
    """Return sign patterns, eight clusters a byte, and whether they are all there are."""
    n_bytes = -(-n_moved // 8)
    if n_moved < 64 and 2**n_moved <= n_resamples:
        return [number.to_bytes(n_bytes, "little") for number in range(2**n_moved)], True
    affordable = _LOOK_UPS // max(1, n_candidates * n_bytes)
    n_drawn = min(n_resamples, max(_LEAST_RESAMPLES, affordable))
    rng = random.Random(f"max-t:{seed}")
    return [rng.randbytes(n_bytes) for _ in range(n_drawn)], False


def _share(statistics: Sequence[float], bar: float, *, exact: bool) -> float:
    n_extreme = sum(statistic >= bar for statistic in statistics)
    if exact:
        return n_extreme / len(statistics)
    return (1 + n_extreme) / (1 + len(statistics))
