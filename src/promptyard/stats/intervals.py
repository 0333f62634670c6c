"""Intervals of one mean: a pass rate, a score, a latency; and percentiles."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

from promptyard.records.scores import Interval
from promptyard.stats.distributions import incomplete_beta, normal_quantile, student_t_quantile


def mean_interval(
    values: Sequence[float],
    *,
    clusters: Sequence[str] | None = None,
    alpha: float = 0.05,
    bounded: bool = True,
) -> Interval | None:
    """Return a two-sided interval of level 1 - `alpha` for the mean, or None if too few values.

    Scores that are all 0 or 1 and independent get Wilson's interval (from one value on). Others
    get the clustered standard error with a t quantile of C - 1 degrees of freedom, C being the
    number of clusters; that needs C >= 2. Values in [0, 1] count as scores: their interval is
    clipped to [0, 1], and where no cluster differs from the others it is not a point but allows
    for the cases that C clusters cannot show (about 3.8 / C of all).

    Args:
        values: one per case, replicates averaged before.
        clusters: one label per value; equal labels are cases that are not independent.
        alpha: one minus the coverage.
        bounded: False for latency, cost and tokens, which have no upper limit.

    Raises ValueError for values that are not finite or clusters of another length.
    Source: Wilson 1927; cluster-robust standard error as in arXiv 2411.00640, appendix A.
    """
    totals, sizes = cluster_totals(values, clusters)
    scores = bounded and all(0.0 <= value <= 1.0 for value in values)
    if scores and values and max(sizes) == 1 and is_binary(values):
        low, high = wilson_interval(math.fsum(values), len(values), alpha=alpha)
        return Interval(low=low, high=high, level=1.0 - alpha, method="wilson")
    if len(totals) < 2:
        return None
    mean = math.fsum(values) / len(values)
    deviations = [total - mean * size for total, size in zip(totals, sizes, strict=True)]
    if max(map(abs, deviations)) <= 1e-12 * max(1.0, abs(mean)):
        return _interval_without_variation(mean, len(totals), alpha=alpha, scores=scores)
    n_clusters = len(totals)
    variance = n_clusters / (n_clusters - 1) * math.fsum(e * e for e in deviations)
    half = student_t_quantile(1.0 - alpha / 2.0, n_clusters - 1) * math.sqrt(variance) / len(values)
    low, high = mean - half, mean + half
    if scores:
        low, high = max(low, 0.0), min(high, 1.0)
    method = "t" if max(sizes) == 1 else "clustered t"
    return Interval(low=low, high=high, level=1.0 - alpha, method=method)


def wilson_interval(successes: float, n: int, *, alpha: float = 0.05) -> tuple[float, float]:
    """Return Wilson's score interval of a rate: `successes` of `n`, 0 <= successes <= n, n >= 1.

    `successes` need not be whole: for values inside [0, 1] the sum may stand for it, which is
    conservative. Source: Wilson 1927.
    """
    if n < 1 or not 0.0 <= successes <= n:
        raise ValueError(f"a rate needs 0 <= successes <= n and n >= 1, got {successes} of {n}")
    z_square = normal_quantile(1.0 - alpha / 2.0) ** 2
    rate = successes / n
    centre = (successes + z_square / 2.0) / (n + z_square)
    spread = math.sqrt(z_square * (n * rate * (1.0 - rate) + z_square / 4.0)) / (n + z_square)
    # The limits at 0 and n successes are exact; rounding must not leave them beside 0 and 1.
    low = 0.0 if successes == 0 else max(0.0, centre - spread)
    high = 1.0 if successes == n else min(1.0, centre + spread)
    return low, high


def rate_upper_bound(hits: int, n: int, *, alpha: float = 0.05) -> float:
    """Return the exact one-sided upper bound, at level 1 - `alpha`, of a rate: `hits` of `n`.

    Where none of n cases failed, at most about 3 / n of all do: 5.8 % for 50, 3.0 % for 100, 1.0 %
    for 300. Wilson's limits differ there: 3.8 / n two-sided, 2.7 / n one-sided. Raises
    ValueError unless 0 <= hits <= n, n >= 1 and 0 < alpha < 1.
    Source: Clopper & Pearson 1934; Hanley & Lippman-Hand 1983 (rule of three).
    """
    if n < 1 or not 0 <= hits <= n or not 0.0 < alpha < 1.0:
        raise ValueError(f"a bound needs 0 <= hits <= n and n >= 1, got {hits} of {n} at {alpha}")
    if hits == n:
        return 1.0
    low, high = hits / n, 1.0
    while (middle := (low + high) / 2.0) not in {low, high}:
        # P(at most `hits` of n) at the rate `middle` falls as that grows.
        if 1.0 - incomplete_beta(middle, hits + 1.0, float(n - hits)) > alpha:
            low = middle
        else:
            high = middle
    return high


def percentile(values: Sequence[float], q: float) -> float:
    """Return the `q` quantile (q in [0, 1], so 0.95 for p95), interpolating between neighbours.

    Raises ValueError for no values or a q outside [0, 1].
    """
    if not values:
        raise ValueError("a percentile needs at least one value")
    if not 0.0 <= q <= 1.0:
        raise ValueError(f"q is a fraction in [0, 1], got {q}")
    ordered = sorted(values)
    position = q * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    share = position - below
    if share == 0.0 or ordered[below] == ordered[above]:
        return ordered[below]
    return ordered[below] * (1.0 - share) + ordered[above] * share


def cluster_totals(
    values: Sequence[float], clusters: Sequence[Hashable] | None
) -> tuple[list[float], list[int]]:
    """Return the sum of the values and their number per cluster, in order of first appearance.

    Without `clusters` each value is a cluster of its own. Raises ValueError for values that are
    not finite or clusters of another length.
    """
    if not all(map(math.isfinite, values)):
        raise ValueError("a mean needs finite values; leave out cases without a score")
    if clusters is None:
        return [float(value) for value in values], [1] * len(values)
    if len(clusters) != len(values):
        raise ValueError(f"{len(values)} values have {len(clusters)} cluster labels")
    if len(set(clusters)) == len(clusters):  # as nearly always, and then there is nothing to sum
        return [float(value) for value in values], [1] * len(values)
    members: dict[Hashable, list[float]] = {}
    for value, cluster in zip(values, clusters, strict=True):
        members.setdefault(cluster, []).append(value)
    return [math.fsum(group) for group in members.values()], [len(g) for g in members.values()]


def is_binary(values: Sequence[float]) -> bool:
    """Say whether every value is 0 or 1."""
    return all(value in (0.0, 1.0) for value in values)


def _interval_without_variation(
    mean: float, n_clusters: int, *, alpha: float, scores: bool
) -> Interval:
    """Allow for the share of clusters that may differ although none of those seen did."""
    unseen = 0.0
    if scores:
        z_square = normal_quantile(1.0 - alpha / 2.0) ** 2
        unseen = z_square / (n_clusters + z_square)  # Wilson's upper limit for 0 of C
    low, high = mean - unseen * mean, mean + unseen * (1.0 - mean)
    return Interval(low=low, high=high, level=1.0 - alpha, method="no variation seen")
