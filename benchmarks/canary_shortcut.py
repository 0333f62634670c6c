"""Which looks of the last step can end a rollout: a look that cannot need not be made in full.

Bounds of all looks at once, with arrays, and a little laxer than those of the engine.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from canary_worlds import Arm, Bools, Counts, Floats
from promptyard.records.guard_dimensions import FEWER, HARD_FAILURES, IN_LOGARITHMS
from promptyard.records.rollouts import Rollout
from promptyard.release.guards import PROOF_HORIZONS, all_guards
from promptyard.stats.confidence_sequence import half_width
from promptyard.stats.hard_failures import TOLERATED_RATIO

LAX = 1e-6
"""Bounds that miss by less than this count as reached."""


def telling_looks(counts: Counts, rollout: Rollout) -> Bools:
    """Say of each look whether a guard may be harmed or the score unharmed; else it can only hold.

    The last entry stands for looks after the last subject, which are always made.
    """
    plan, guards = rollout.plan, all_guards(rollout.plan, rollout)
    alpha_harm = plan.alpha / len(guards)
    telling = np.zeros(len(counts.looks) + 1, dtype=np.bool_)
    telling[-2:] = True
    with np.errstate(divide="ignore", invalid="ignore"):
        for guard in guards:
            arms = counts.columns[guard.dimension]
            worse = -1 if guard.dimension in {"score", FEWER} else 1
            pairs = counts.differences.get(guard.dimension)
            is_log = guard.dimension in IN_LOGARITHMS
            if pairs is None:
                difference, spread, n = _difference(*arms, is_log=is_log)
            else:
                difference, spread, n = _within_pairs(pairs, is_log=is_log)
            if guard.dimension == HARD_FAILURES:
                hits = _one_sided(pairs) if pairs else (arms[0].total, arms[1].total)
                bar = -math.log(alpha_harm)
                may_harm = _may_fail(arms[1], *hits, tolerated=guard.margin, bar=bar)
            else:
                width = np.sqrt(spread) * _unit_widths(n, alpha_harm, plan.horizon)
                may_harm = worse * difference - width > -LAX
            telling[:-1] |= may_harm
            if guard.dimension == "score":
                width = np.sqrt(spread) * _unit_widths(n, plan.alpha, plan.horizon * PROOF_HORIZONS)
                telling[:-1] |= worse * difference + width < guard.margin + LAX
    return telling


def _difference(control: Arm, treatment: Arm, *, is_log: bool) -> tuple[Floats, Floats, Floats]:
    """Return the difference of means, n times its squared error with pads, and n of both arms."""
    means: list[Floats] = []
    errors: list[Floats] = []
    for arm in (control, treatment):
        mean = arm.total / arm.n
        low, high = (mean - math.log(2.0), mean + math.log(2.0)) if is_log else (0.0, 1.0)
        total, squares = arm.total + low + high, arm.squares + low**2 + high**2
        variance = np.maximum(squares - total**2 / (arm.n + 2), 0.0) / (arm.n + 1)
        means.append(mean)
        errors.append(variance / arm.n)
    n = (control.n + treatment.n).astype(np.float64)
    return means[1] - means[0], n * (errors[0] + errors[1]), n


def _within_pairs(pairs: Arm, *, is_log: bool) -> tuple[Floats, Floats, Floats]:
    """Return the mean difference within pairs, its variance with pads, and the number of pairs."""
    mean = pairs.total / pairs.n
    low, high = (mean - math.log(2.0), mean + math.log(2.0)) if is_log else (-1.0, 1.0)
    total, squares = pairs.total + low + high, pairs.squares + low**2 + high**2
    variance = np.maximum(squares - total**2 / (pairs.n + 2), 0.0) / (pairs.n + 1)
    return mean, variance, pairs.n.astype(np.float64)


def _one_sided(pairs: Arm) -> tuple[Floats, Floats]:
    """Return how many pairs failed on the side of the control alone, and of the treatment."""
    return (pairs.squares - pairs.total) / 2.0, (pairs.squares + pairs.total) / 2.0


def _unit_widths(n: Floats, alpha: float, horizon: int) -> Floats:
    """Return the half widths for a variance of 1."""
    return np.array([_unit_width(int(x), alpha, horizon) for x in n])


@cache
def _unit_width(n: int, alpha: float, horizon: int) -> float:
    return half_width(n, 1.0, alpha=alpha, horizon=horizon) if n else math.inf


def _may_fail(
    treatment: Arm, by_control: Floats, by_treatment: Floats, *, tolerated: float, bar: float
) -> Bools:
    """Say where both e-values of hard failures may reach the bar; shares are of two hits.

    No mean of likelihood ratios exceeds the largest one, exp(n KL(rate of hits, p0)), and those for
    larger rates none below p0.
    """
    share = TOLERATED_RATIO / (TOLERATED_RATIO + 1.0)
    by_rate = _largest(treatment.total, treatment.n.astype(np.float64), tolerated)
    by_share = _largest(by_treatment, by_control + by_treatment, share)
    return (by_rate >= bar - LAX) & (by_share >= bar - LAX)


def _largest(hits: Floats, n: Floats, p0: float) -> Floats:
    rate = hits / n
    log_ratio = hits * np.log(rate / p0)
    rest = n - hits
    log_ratio = log_ratio + np.where(rest > 0, rest * np.log((1.0 - rate) / (1.0 - p0)), 0.0)
    return np.where(rate > p0, log_ratio, 0.0)
