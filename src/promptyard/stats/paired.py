"""Candidate against baseline on the same cases: is it better, and by how much at least?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from promptyard.records.scores import Interval
from promptyard.stats.distributions import normal_quantile
from promptyard.stats.intervals import cluster_totals, is_binary
from promptyard.stats.resampling import bootstrap_interval, sign_flip_p_value

_DEFAULT_RESAMPLES = 10_000
_ROUNDING = 1e-12  # a score difference below this is rounding, not a change


@dataclass(frozen=True)
class PairedTest:
    """Candidate minus baseline on `n` cases.

    `fixed` and `broken` count the cases whose score rose and fell. `p_value` is two-sided, for
    "no difference". `interval` is for the mean difference, two-sided. `method` is
    `mcnemar-midp/tango` or `sign-flip/bootstrap`: the test, then the interval
    (`sign-flip/one cluster` where a single cluster says nothing of spread: all that can be).
    """

    n: int
    mean: float
    fixed: int
    broken: int
    p_value: float
    interval: Interval
    method: str


def compare_paired(
    baseline: Sequence[float],
    candidate: Sequence[float],
    *,
    clusters: Sequence[str] | None = None,
    alpha: float = 0.05,
    seed: int = 0,
    n_resamples: int = _DEFAULT_RESAMPLES,
    bounded: bool = True,
) -> PairedTest:
    """Compare the scores of two programs on the same cases, in the same order.

    Independent scores that are all 0 or 1: McNemar's mid-p test and Tango's score interval.
    Anything else: a sign-flip test by cluster (exact where all flips are no more than
    `n_resamples`) and a percentile bootstrap of the mean difference by cluster; beyond 5,000
    clusters the normal limit of both. Test and interval rest on different approximations and can
    disagree near the limit (4 fixed, 0 broken): a claim of superiority should ask for both,
    `p_value <= alpha` and `interval.low > 0`.

    The bootstrap adds two pseudo-clusters, one as much better and one as much worse as the
    largest change of any cluster (where nothing changed: as far as scores can), so an interval is
    never a point: it is about +-2.7/n where nothing changed. It speaks of changes like those
    seen. That no rare disaster was missed is the claim of `noninferiority_lower_bound`.

    Args:
        baseline: one score per case, replicates averaged before; only cases that both finished.
        candidate: the same cases in the same order.
        clusters: one label per case; equal labels are cases that are not independent.
        alpha: the interval has level 1 - alpha.
        seed: makes the resampling repeatable.
        n_resamples: flips and bootstrap samples (fewer of these beyond 200 clusters, at least
            1,000); the smallest p-value of a sampled test is 1 / (1 + n_resamples).
        bounded: False for latency, cost and tokens, which are no scores in [0, 1]; values outside
            [0, 1] are taken so in any case.

    Raises ValueError for no cases, unequal lengths, values that are not finite, an alpha outside
    (0, 1) or n_resamples below 1.
    Cost: no calls; 0.2 to 0.3 s for 200 to 1,000 graded cases, at most about a second for 5,000.
    Source: Fagerland et al. 2013 (mid-p); Tango 1998; Bonett & Price 2012 (pseudo-cases).
    """
    pairs = _pair(baseline, candidate, clusters, alpha=alpha, bounded=bounded)
    interval = _interval(pairs, alpha=alpha, seed=seed, n_resamples=n_resamples)
    if pairs.binary:
        test, p_value = "mcnemar-midp", mcnemar_midp(pairs.fixed, pairs.broken)
    else:
        test = "sign-flip"
        p_value = sign_flip_p_value(pairs.totals, seed=seed, n_resamples=n_resamples)
    return PairedTest(
        n=pairs.n,
        mean=pairs.mean,
        fixed=pairs.fixed,
        broken=pairs.broken,
        p_value=p_value,
        interval=interval,
        method=f"{test}/{interval.method}",
    )


def noninferiority_lower_bound(
    baseline: Sequence[float],
    candidate: Sequence[float],
    *,
    clusters: Sequence[str] | None = None,
    alpha: float = 0.05,
    seed: int = 0,
    n_resamples: int = _DEFAULT_RESAMPLES,
    bounded: bool = True,
) -> float:
    """Return the one-sided lower bound, at level 1 - `alpha`, of candidate minus baseline.

    The candidate is not inferior by more than a margin when this is above -margin. It is the lower
    limit of `compare_paired` at 2 * alpha, except that the pseudo-clusters of graded scores are
    one all fixed and one all broken, whatever was seen. A case score falls to 0 by one failed hard
    check, so a few small differences say little of rare breaks: where 3 % of 20-50 cases break,
    a plain bootstrap's 95 % bound held in 48-80 % of our simulations and this one in 99 %; in no
    kind of data tried did it hold in less than 93 %. The price at 50 cases is a bound lower by
    0.01 to 0.04. Arguments and errors are the same; `alpha` < 0.5.
    """
    if not 0.0 < alpha < 0.5:
        raise ValueError(f"a one-sided alpha lies in (0, 0.5), got {alpha}")
    pairs = _pair(baseline, candidate, clusters, alpha=2.0 * alpha, bounded=bounded)
    if pairs.scores:
        pairs = replace(pairs, pseudo_change=1.0)
    return _interval(pairs, alpha=2.0 * alpha, seed=seed, n_resamples=n_resamples).low


def mcnemar_midp(fixed: int, broken: int) -> float:
    """Return the two-sided mid-p value of McNemar's test, in exact arithmetic.

    `fixed` and `broken` are the numbers of cases that changed for better and for worse. Where
    nothing changed p is 1. The smallest win at 0.05 is 5 to 0 (p = 0.031).
    Source: Fagerland, Lydersen & Laake 2013.
    """
    _check_counts(fixed, broken, fixed + broken)
    n_changed, fewer = fixed + broken, min(fixed, broken)
    if n_changed == 0:
        return 1.0
    term = cumulated = 1  # C(n_changed, k) and its sum up to k, in whole numbers
    for k in range(fewer):
        term = term * (n_changed - k) // (k + 1)
        cumulated += term
    everything = 1 << n_changed
    if fixed == broken:
        return 1.0 - term / everything / 2.0
    return (2 * cumulated - term) / everything


def tango_interval(fixed: int, broken: int, n: int, *, alpha: float = 0.05) -> tuple[float, float]:
    """Return Tango's score interval for (fixed - broken) / n, the difference of paired rates.

    It inverts the score test, stays in [-1, 1] and is no point where nothing changed: then it is
    +-z^2 / (n + z^2). One-sided bounds of level 1 - a are its limits at alpha = 2a. Source: Tango
    1998, Statistics in Medicine 17:891-908.
    """
    _check_counts(fixed, broken, n)
    if n == 0 or not 0.0 < alpha < 1.0:
        raise ValueError(f"an interval needs a case and alpha in (0, 1), got n={n}, alpha={alpha}")
    z = normal_quantile(1.0 - alpha / 2.0)
    return -_tango_upper(broken, fixed, n, z), _tango_upper(fixed, broken, n, z)


@dataclass(frozen=True)
class _Pairs:
    """What test and interval need to know: differences summed by cluster, and their kind.

    `binary`: independent and all 0 or 1. `scores`: all in [0, 1]. `pseudo_change`: what the
    bootstrap's pseudo-clusters gain and lose per case. `limit`: 1 for scores, else the largest
    value seen.
    """

    n: int
    mean: float
    fixed: int
    broken: int
    totals: Sequence[float]
    sizes: Sequence[int]
    binary: bool
    scores: bool
    pseudo_change: float
    limit: float


def _pair(
    baseline: Sequence[float],
    candidate: Sequence[float],
    clusters: Sequence[str] | None,
    *,
    alpha: float,
    bounded: bool,
) -> _Pairs:
    if len(baseline) != len(candidate):
        raise ValueError(
            f"a paired comparison needs the same cases: {len(baseline)} baseline scores, "
            f"{len(candidate)} candidate scores"
        )
    if not baseline:
        raise ValueError("a paired comparison needs at least one case that both programs finished")
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha lies in (0, 1), got {alpha}")
    differences = [
        _without_rounding(after - before) for before, after in zip(baseline, candidate, strict=True)
    ]
    raw_totals, sizes = cluster_totals(differences, clusters)
    totals = [_without_rounding(total) for total in raw_totals]
    values = [*baseline, *candidate]
    scores = bounded and all(0.0 <= value <= 1.0 for value in values)
    limit = 1.0 if scores else max(map(abs, values))
    largest_change = max(abs(total) / size for total, size in zip(totals, sizes, strict=True))
    return _Pairs(
        n=len(differences),
        mean=math.fsum(differences) / len(differences),
        fixed=sum(difference > 0.0 for difference in differences),
        broken=sum(difference < 0.0 for difference in differences),
        totals=totals,
        sizes=sizes,
        binary=max(sizes) == 1 and is_binary(values),
        scores=scores,
        pseudo_change=largest_change or limit,
        limit=limit,
    )


def _without_rounding(difference: float) -> float:
    return 0.0 if abs(difference) <= _ROUNDING else difference


def _interval(pairs: _Pairs, *, alpha: float, seed: int, n_resamples: int) -> Interval:
    level, n_clusters = 1.0 - alpha, len(pairs.sizes)
    if pairs.binary:
        low, high = tango_interval(pairs.fixed, pairs.broken, pairs.n, alpha=alpha)
        return Interval(low=low, high=high, level=level, method="tango")
    if n_clusters == 1:
        return Interval(low=-pairs.limit, high=pairs.limit, level=level, method="one cluster")
    average = pairs.n / n_clusters
    # The sign of the first change leads, so that programs which change places mirror the interval.
    leading = math.copysign(pairs.pseudo_change, next(filter(None, pairs.totals), 1.0))
    low, high = bootstrap_interval(
        [*pairs.totals, average * leading, -average * leading],
        [*map(float, pairs.sizes), average, average],
        alpha=alpha,
        seed=seed,
        n_resamples=n_resamples,
    )
    low, high = min(pairs.mean, low), max(pairs.mean, high)
    return Interval(low=low, high=high, level=level, method="bootstrap")


def _tango_upper(fixed: int, broken: int, n: int, z: float) -> float:
    """Find the difference above the observed one at which the score statistic is -z."""
    inside, outside = (fixed - broken) / n, 1.0
    while (middle := (inside + outside) / 2.0) not in (inside, outside):
        if _tango_score(fixed, broken, n, middle) > -z:
            inside = middle
        else:
            outside = middle
    return outside


def _tango_score(fixed: int, broken: int, n: int, difference: float) -> float:
    """Score statistic for H0: P(fixed) - P(broken) = `difference`; falls as that grows.

    `difference` lies above the observed one. The variance is taken at the most likely P(broken)
    under H0, the larger root of a quadratic.
    """
    linear = (2 * n - fixed + broken) * difference - fixed - broken
    constant = -broken * difference * (1.0 - difference)
    root = math.sqrt(max(0.0, linear * linear - 8.0 * n * constant))
    p_broken = max(0.0, -difference, (root - linear) / (4.0 * n))
    variance = n * (2.0 * p_broken + difference * (1.0 - difference))
    if variance <= 0.0:  # rounding, where every case broke and `difference` is all but -1
        return -math.inf
    return (fixed - broken - n * difference) / math.sqrt(variance)


def _check_counts(fixed: int, broken: int, n: int) -> None:
    if fixed < 0 or broken < 0 or fixed + broken > n:
        raise ValueError(f"{fixed} fixed and {broken} broken of {n} cases cannot be")
