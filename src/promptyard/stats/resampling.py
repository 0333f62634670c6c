"""Sign flips and bootstrap of a mean over clusters: seeded, in pure Python, within a second.

Both take cluster totals, so that cases which are not independent move together.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from operator import getitem

from promptyard.stats.distributions import normal_quantile
from promptyard.stats.intervals import percentile

_BOOTSTRAP_DRAWS = 2_000_000  # about 0.3 s; more than 200 clusters get fewer resamples
_LEAST_RESAMPLES = 1_000
_NORMAL_FROM = 5_000  # clusters; resampling more costs seconds and adds nothing


def sign_flip_p_value(totals: Sequence[float], *, seed: int, n_resamples: int) -> float:
    """Return the two-sided p-value of "each total is as likely to be -t as t".

    It is the share of sign patterns whose sum is at least as far from 0 as the observed sum: of all
    patterns where they are no more than `n_resamples`, else (1 + extreme) / (1 + `n_resamples`)
    over random ones. Beyond 5,000 totals the normal limit. Totals of 0 change nothing; without
    others p is 1.
    """
    _check(n_resamples)
    moved = [total for total in totals if total != 0.0]
    observed = abs(math.fsum(moved)) - 1e-9 * math.fsum(map(abs, moved))  # ties despite rounding
    if len(moved) < 64 and 2 ** len(moved) <= n_resamples:
        sums = _signed_sums(moved)
        return sum(abs(value) >= observed for value in sums) / len(sums)
    if len(moved) > _NORMAL_FROM:
        return 2.0 * _normal_tail(max(0.0, observed) / math.sqrt(math.fsum(t * t for t in moved)))
    tables = sign_tables(moved)
    rng = random.Random(f"sign-flip:{seed}")
    n_tables = len(tables)
    n_extreme = sum(
        abs(sum(map(getitem, tables, rng.randbytes(n_tables)))) >= observed
        for _ in range(n_resamples)
    )
    return (1 + n_extreme) / (1 + n_resamples)


def sign_tables(totals: Sequence[float]) -> list[list[float]]:
    """Return, for each eight totals, their 256 sums with each combination of signs.

    One random byte then chooses the signs of eight totals at once: a look-up, not eight flips.
    """
    padded = [*totals, *[0.0] * (-len(totals) % 8)]
    return [_signed_sums(padded[i : i + 8]) for i in range(0, len(padded), 8)]


def bootstrap_interval(
    totals: Sequence[float],
    sizes: Sequence[float],
    *,
    alpha: float,
    seed: int,
    n_resamples: int,
) -> tuple[float, float]:
    """Return a two-sided percentile interval of level 1 - `alpha` for sum(totals) / sum(sizes).

    Clusters are drawn with replacement. By itself such an interval is too narrow for few clusters
    or rare changes; `compare_paired` adds pseudo-clusters. Beyond 200 clusters fewer than 10,000
    resamples are drawn, at least 1,000; beyond 5,000 clusters the interval is the normal limit.
    """
    _check(n_resamples)
    n_clusters = len(totals)
    if n_clusters > _NORMAL_FROM:
        return _normal_interval(totals, sizes, alpha=alpha)
    n_drawn = min(n_resamples, max(_LEAST_RESAMPLES, _BOOTSTRAP_DRAWS // n_clusters))
    means = _resampled_means(totals, sizes, seed=seed, n_resamples=n_drawn)
    return percentile(means, alpha / 2.0), percentile(means, 1.0 - alpha / 2.0)


def _resampled_means(
    totals: Sequence[float], sizes: Sequence[float], *, seed: int, n_resamples: int
) -> list[float]:
    rng = random.Random(f"bootstrap:{seed}")
    n_clusters = len(totals)
    if min(sizes) == max(sizes):  # the usual case, in half the time
        n_cases = n_clusters * sizes[0]
        return [sum(rng.choices(totals, k=n_clusters)) / n_cases for _ in range(n_resamples)]
    means: list[float] = []
    for _ in range(n_resamples):
        drawn = rng.choices(range(n_clusters), k=n_clusters)
        total = sum(map(totals.__getitem__, drawn))
        means.append(total / sum(map(sizes.__getitem__, drawn)))
    return means


def _signed_sums(totals: Sequence[float]) -> list[float]:
    """All 2^k sums of k totals with each combination of signs."""
    sums = [0.0]
    for total in totals:
        sums = [value + total for value in sums] + [value - total for value in sums]
    return sums


def _normal_interval(
    totals: Sequence[float], sizes: Sequence[float], *, alpha: float
) -> tuple[float, float]:
    n_cases = math.fsum(sizes)
    mean = math.fsum(totals) / n_cases
    square = math.fsum((t - mean * size) ** 2 for t, size in zip(totals, sizes, strict=True))
    half = normal_quantile(1.0 - alpha / 2.0) * math.sqrt(square) / n_cases
    return mean - half, mean + half


def _normal_tail(z: float) -> float:
    return 0.5 * math.erfc(z / math.sqrt(2.0))


def _check(n_resamples: int) -> None:
    if n_resamples < 1:
        raise ValueError(f"n_resamples is at least 1, got {n_resamples}")
