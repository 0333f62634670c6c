"""Two groups of different cases: for live traffic and old runs, where nothing can be paired.

Never for two programs on the same cases: `stats.paired` sees there what these cannot, since most
of the spread is between cases and cancels within pairs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from promptyard.records.scores import Interval
from promptyard.stats.association import fisher_p_value
from promptyard.stats.distributions import incomplete_beta, student_t_quantile
from promptyard.stats.intervals import wilson_interval


@dataclass(frozen=True)
class UnpairedTest:
    """Second group minus first, both drawn independently.

    `p_value` is two-sided, for "no difference". `method` names test and interval.
    """

    n_first: int
    n_second: int
    difference: float
    p_value: float
    interval: Interval
    method: str


def compare_unpaired_rates(
    first_hits: int, n_first: int, second_hits: int, n_second: int, *, alpha: float = 0.05
) -> UnpairedTest:
    """Compare the rates of two independent groups: Fisher's mid-p test and Newcombe's interval.

    The interval joins the Wilson limits of both rates and is no point where neither has a hit.
    Raises ValueError for an empty group or impossible counts.
    Source: Newcombe 1998, Statistics in Medicine 17:873-890, method 10; Lancaster 1961.
    """
    if min(n_first, n_second) < 1:
        raise ValueError(f"both groups need a case, got {n_first} and {n_second}")
    p_value = fisher_p_value(first_hits, n_first, second_hits, n_second, midp=True)
    first, second = first_hits / n_first, second_hits / n_second
    first_low, first_high = wilson_interval(first_hits, n_first, alpha=alpha)
    second_low, second_high = wilson_interval(second_hits, n_second, alpha=alpha)
    difference = second - first
    low = difference - math.hypot(second - second_low, first_high - first)
    high = difference + math.hypot(second_high - second, first - first_low)
    return UnpairedTest(
        n_first=n_first,
        n_second=n_second,
        difference=difference,
        p_value=p_value,
        interval=Interval(
            low=max(-1.0, low), high=min(1.0, high), level=1.0 - alpha, method="newcombe"
        ),
        method="fisher-midp/newcombe",
    )


def compare_unpaired_means(
    first: Sequence[float], second: Sequence[float], *, alpha: float = 0.05
) -> UnpairedTest | None:
    """Compare the means of two independent groups by Welch's t, test and interval.

    For latencies, costs and graded scores. None where a group has fewer than two values, or
    neither varies: then nothing is known of the spread. Raises ValueError for values that are not
    finite. Source: Welch 1947.
    """
    if not all(map(math.isfinite, (*first, *second))):
        raise ValueError("means need finite values; leave out cases without one")
    if min(len(first), len(second)) < 2:
        return None
    first_mean, first_error = _mean_and_error(first)
    second_mean, second_error = _mean_and_error(second)
    variance = first_error + second_error
    difference = second_mean - first_mean
    if variance <= (1e-12 * max(1.0, abs(first_mean), abs(second_mean))) ** 2:
        return None
    df = variance**2 / (first_error**2 / (len(first) - 1) + second_error**2 / (len(second) - 1))
    se = math.sqrt(variance)
    t_square = difference**2 / variance
    half = student_t_quantile(1.0 - alpha / 2.0, df) * se
    return UnpairedTest(
        n_first=len(first),
        n_second=len(second),
        difference=difference,
        p_value=incomplete_beta(df / (df + t_square), df / 2.0, 0.5),
        interval=Interval(
            low=difference - half, high=difference + half, level=1.0 - alpha, method="welch"
        ),
        method="welch/welch",
    )


def _mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and its squared standard error."""
    n = len(values)
    mean = math.fsum(values) / n
    return mean, math.fsum((value - mean) ** 2 for value in values) / (n - 1) / n
