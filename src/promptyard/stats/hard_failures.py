"""Exact evidence on rates of failure that may be looked at after every subject.

Three e-values on counts, each a mean of likelihood ratios over a grid of alternatives: under their
hypothesis they pass 1 / alpha at any time with probability at most alpha, at any sample size.
Source: Ville 1939; Waudby-Smith & Ramdas, arXiv 2010.09686 (bets); anchors on release, 2.3 (c).
"""

from __future__ import annotations

import math
from functools import lru_cache

TOLERATED_RATIO = 2.0
"""How many times the control's failures a treatment may have before it counts as worse."""

_FINEST = 0.25  # the smallest excess that is bet on, as a part of the smaller of p0 and 1 - p0
_LARGEST = 0.95  # the largest bet, as a part of the one that could lose everything
_STEP = math.sqrt(2.0)


def log_e_above(hits: int, n: int, p0: float) -> float:
    """Return ln E for "the rate is at most `p0`": large where `hits` of `n` are too many.

    E is the mean over the grid of prod(1 + b (x - p0)), with bets 0 < b < 1 / p0. Raises ValueError
    unless 0 <= hits <= n and 0 < p0 < 1.
    """
    if not 0 <= hits <= n:
        raise ValueError(f"a rate needs 0 <= hits <= n, got {hits} of {n}")
    logs = [hits * won + (n - hits) * lost for won, lost in _bets(p0)]
    highest = max(logs)
    return highest + math.log(math.fsum(math.exp(x - highest) for x in logs) / len(logs))


def log_e_share_above(
    treatment: int,
    control: int,
    *,
    n_treatment: int,
    n_control: int,
    ratio: float = TOLERATED_RATIO,
) -> float:
    """Return ln E for "the treatment fails at most `ratio` times as often as the control".

    `treatment` and `control` are failures of `n_treatment` and `n_control` subjects. Arms that are
    assigned 1:1 then give the treatment at most ratio / (ratio + 1) of all failures, which is
    exact; where more subjects of the treatment than of the control came, the larger share that
    these numbers allow counts, too, and the smaller evidence stands. Raises ValueError for counts
    that cannot be or a ratio <= 0.
    """
    _check(treatment, n_treatment, control, n_control, ratio)
    failures = treatment + control
    shares = _allowed_shares(n_treatment, n_control, ratio)
    return min(log_e_above(treatment, failures, share) for share in shares)


def log_e_share_below(
    treatment: int,
    control: int,
    *,
    n_treatment: int,
    n_control: int,
    ratio: float = TOLERATED_RATIO,
) -> float:
    """Return ln E for "the treatment fails at least `ratio` times as often": the proof of no harm.

    Arguments, exactness and errors as `log_e_share_above`.
    """
    _check(treatment, n_treatment, control, n_control, ratio)
    failures = treatment + control
    shares = _allowed_shares(n_treatment, n_control, ratio)
    return min(log_e_above(control, failures, 1.0 - share) for share in shares)


@lru_cache(maxsize=1024)
def _bets(p0: float) -> tuple[tuple[float, float], ...]:
    """Return for each alternative p1 > p0 the logarithms of p1 / p0 and (1 - p1) / (1 - p0).

    A bet of b = (p1 - p0) / (p0 (1 - p0)) multiplies by just these.
    """
    if not 0.0 < p0 < 1.0:
        raise ValueError(f"a rate to test lies in (0, 1), got {p0}")
    smallest = _FINEST * min(p0, 1.0 - p0)
    bets: list[tuple[float, float]] = []
    excess = _LARGEST * (1.0 - p0)
    while excess > smallest or not bets:
        bets.append((math.log1p(excess / p0), math.log1p(-excess / (1.0 - p0))))
        excess /= _STEP
    return tuple(bets)


def _allowed_shares(n_treatment: int, n_control: int, ratio: float) -> tuple[float, ...]:
    planned = ratio / (ratio + 1.0)
    if not n_treatment or not n_control or n_treatment == n_control:
        return (planned,)
    return (planned, ratio * n_treatment / (ratio * n_treatment + n_control))


def _check(treatment: int, n_treatment: int, control: int, n_control: int, ratio: float) -> None:
    if not (0 <= treatment <= n_treatment and 0 <= control <= n_control and ratio > 0.0):
        raise ValueError(
            f"failures lie between 0 and their subjects and a ratio is positive, got {treatment} "
            f"of {n_treatment}, {control} of {n_control} and {ratio}"
        )
