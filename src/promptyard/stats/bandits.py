"""Which of many candidates deserves the next case: three ways to spend a fixed number of pulls.

A pull is one candidate on one case, or on one block of cases. Pure: told what was measured so far,
they say who is next. Successive rejects and sequential halving are schedules of rungs over one
order of cases, so that every comparison is paired and no case is paid twice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from promptyard.stats.halving import Rung


def next_pull(n_pulls: Sequence[int], means: Sequence[float], *, c: float = 1.0) -> int:
    """Return the index of the arm with the highest upper confidence bound.

    The bound is mean + c * sqrt(ln t / n) after n of t pulls in all. An arm without a pull comes
    before all others; ties go to the first. Raises ValueError where there is no arm, or unequal
    lengths. Source: UCB1 (Auer et al. 2002) as in ProTeGi (arXiv 2305.03495), c = 1.
    """
    if not n_pulls or len(n_pulls) != len(means):
        raise ValueError(f"a pull needs arms with means, got {len(n_pulls)} and {len(means)}")
    if 0 in n_pulls:
        return list(n_pulls).index(0)
    bound = [
        mean + c * math.sqrt(math.log(sum(n_pulls)) / n)
        for n, mean in zip(n_pulls, means, strict=True)
    ]
    return bound.index(max(bound))


def successive_rejects(n_arms: int, n_pulls: int, *, n_kept: int = 1) -> tuple[Rung, ...]:
    """Plan successive rejects: after each rung the worst arm goes, until `n_kept` are left.

    After phase k of K arms each has n_k = ceil((B - K) / (L * (K + 1 - k))) pulls, where B is
    `n_pulls` and L = 1/2 + sum of 1/i for i = 2..K. Never more than B pulls in all. Raises
    ValueError for arms or pulls below 1, or fewer than two pulls an arm where a choice is to be
    made. Source: Audibert, Bubeck & Munos 2010.
    """
    _check(n_arms, n_pulls, n_kept, least=2 * n_arms)
    spread = 0.5 + math.fsum(1 / i for i in range(2, n_arms + 1))
    return tuple(
        Rung(math.ceil((n_pulls - n_arms) / (spread * (n_arms + 1 - k)) - 1e-9), n_arms - k)
        for k in range(1, n_arms - n_kept + 1)
    )


def sequential_halving(n_arms: int, n_pulls: int, *, n_kept: int = 1) -> tuple[Rung, ...]:
    """Plan sequential halving within a number of pulls: half of the arms go after each rung.

    With n arms there are R = ceil(log2 n) rounds, each of which gives every arm that is left
    t = floor(B / (arms left * R)) further pulls; it ends early where `n_kept` are left. Rungs hold
    the pulls so far. Never more than B pulls in all. Raises ValueError for arms or pulls below 1,
    or where B does not give each arm one pull a round. Source: Karnin, Koren & Somekh 2013.
    """
    n_rounds = max(1, math.ceil(math.log2(max(1, n_arms))))
    _check(n_arms, n_pulls, n_kept, least=n_arms * n_rounds)
    rungs: list[Rung] = []
    left, so_far = n_arms, 0
    while left > n_kept:
        so_far += n_pulls // (left * n_rounds)
        left = max(n_kept, math.ceil(left / 2))
        rungs.append(Rung(so_far, left))
    return tuple(rungs)


def affordable_arms(n_pulls: int) -> int:
    """Return how many arms sequential halving can choose among with so many pulls; at least 1."""
    n_arms = 1
    while (n_arms + 1) * math.ceil(math.log2(n_arms + 1)) <= n_pulls:
        n_arms += 1
    return n_arms


def _check(n_arms: int, n_pulls: int, n_kept: int, *, least: int) -> None:
    if min(n_arms, n_pulls, n_kept) < 1:
        raise ValueError(
            f"a choice needs arms, pulls and survivors, got {n_arms}, {n_pulls} and {n_kept}"
        )
    if n_arms > n_kept and n_pulls < least:
        raise ValueError(f"{n_arms} arms need at least {least} pulls, got {n_pulls}")
