"""Racing many candidates on the same blocks of cases: who is clearly beaten goes.

A candidate goes when at least `n_kept` others are significantly better than it, by an exact paired
test that is never undefined: where nothing differs, nothing is significant. Source: CAPO (arXiv
2504.16005), whose uncorrected t-tests this replaces.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from promptyard.stats.resampling import sign_flip_p_value

_ROUNDING = 1e-6
_FLIPS = 4096


def better_p_value(differences: Sequence[float]) -> float:
    """Return the one-sided p-value of "the first is no better", by sign flips of differences.

    Exact for up to 12 changed cases and wherever all changes are equally large (scores of 0 and
    1: the binomial tail); sampled with a fixed seed beyond. 1.0 where nothing changed or the mean
    is not above zero.
    """
    moved = [value for value in differences if abs(value) > _ROUNDING]
    if math.fsum(moved) <= _ROUNDING:
        return 1.0
    sizes = [abs(value) for value in moved]
    if max(sizes) - min(sizes) <= _ROUNDING:
        n_up = sum(value > 0 for value in moved)
        n_extreme = sum(math.comb(len(moved), k) for k in range(n_up, len(moved) + 1))
        return n_extreme / 2 ** len(moved)
    # Sign patterns are symmetric: half of the two-sided p-value lies above.
    return sign_flip_p_value(moved, seed=0, n_resamples=_FLIPS) / 2


def race_level(alpha: float, *, n_candidates: int, n_kept: int, n_looks: int) -> float:
    """Return the level of each test so that the race loses the best with at most `alpha`.

    It goes only where `n_kept` of the others look better by mistake. Their expected number in all
    looks is at most `n_looks` * (`n_candidates` - 1) * level, and the chance of `n_kept` of them
    is at most that over `n_kept` (Markov). Raises ValueError outside of (0, 1) or below 1.
    """
    if not 0.0 < alpha < 1.0 or min(n_candidates, n_kept, n_looks) < 1:
        raise ValueError(
            f"a race needs 0 < alpha < 1, candidates, survivors and looks, got {alpha}, "
            f"{n_candidates}, {n_kept} and {n_looks}"
        )
    return min(alpha, alpha * n_kept / (n_looks * max(1, n_candidates - 1)))


def beaten(
    scores: Mapping[str, Sequence[float | None]], *, n_kept: int, level: float
) -> tuple[str, ...]:
    """Return the names that at least `n_kept` others beat at this level, in the order given.

    `scores` has for each name the same cases in the same order, None where one gave no score. A
    pair is compared on the cases that both have. The best `n_kept` by mean always stay.
    """
    ranked = sorted(scores, key=lambda name: -_mean(scores[name]))
    return tuple(
        name
        for name in scores
        if name not in ranked[:n_kept] and is_beaten(name, scores, n_kept=n_kept, level=level)
    )


def is_beaten(
    name: str, scores: Mapping[str, Sequence[float | None]], *, n_kept: int, level: float
) -> bool:
    """Say whether at least `n_kept` others are significantly better than `name`."""
    own = scores[name]
    n_better = 0
    for other, values in scores.items():
        if other == name:
            continue
        pairs = [
            ahead - behind
            for ahead, behind in zip(values, own, strict=True)
            if ahead is not None and behind is not None
        ]
        n_better += better_p_value(pairs) <= level
        if n_better >= n_kept:
            return True
    return False


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else -math.inf
