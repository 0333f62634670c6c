from __future__ import annotations

import math
import random
import statistics
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.stats.intervals import (
    cluster_totals,
    mean_interval,
    percentile,
    rate_upper_bound,
    wilson_interval,
)

from .scipy_oracle import scipy_stats

SCORES = st.lists(st.floats(0.0, 1.0), min_size=2, max_size=30)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [  # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_limits(successes: int, n: int, low: float, high: float) -> None:
    assert wilson_interval(successes, n) == pytest.approx((low, high), abs=5e-5)


@given(n=st.integers(1, 500), share=st.floats(0.0, 1.0), alpha=st.floats(0.001, 0.5))
def test_wilson_agrees_with_scipy(n: int, share: float, alpha: float) -> None:
    successes = round(share * n)
    oracle = scipy_stats.binomtest(successes, n).proportion_ci(1.0 - alpha, method="wilson")
    low, high = wilson_interval(successes, n, alpha=alpha)
    assert (low, high) == pytest.approx((float(oracle.low), float(oracle.high)), abs=1e-12)
    assert 0.0 <= low <= successes / n <= high <= 1.0


@given(n=st.integers(1, 300), successes=st.floats(0.0, 1.0))
def test_wilson_mirrors_when_passes_and_failures_change_places(n: int, successes: float) -> None:
    low, high = wilson_interval(successes * n, n)
    mirrored_low, mirrored_high = wilson_interval(n - successes * n, n)
    assert (low, high) == pytest.approx((1.0 - mirrored_high, 1.0 - mirrored_low), abs=1e-12)


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_a_rate_that_cannot_be_is_an_error(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="rate"):
        wilson_interval(successes, n)


def test_passes_and_failures_get_wilson_from_one_case_on() -> None:
    interval = mean_interval([1.0, 0.0, 1.0, 1.0], clusters=["a", "b", "c", "d"])
    assert interval is not None
    assert (interval.low, interval.high) == wilson_interval(3, 4)
    assert (interval.method, interval.level) == ("wilson", 0.95)
    single = mean_interval([1.0])
    assert single is not None
    assert 0.0 < single.low < 0.3


def test_too_few_values_or_clusters_give_no_interval() -> None:
    assert mean_interval([]) is None
    assert mean_interval([0.5]) is None
    assert mean_interval([0.5, 0.7, 0.9], clusters=["a", "a", "a"]) is None
    assert mean_interval([1.0, 0.0, 1.0], clusters=["a", "a", "a"]) is None


def test_graded_values_get_students_interval() -> None:
    values = [0.2, 0.5, 0.55, 0.4, 0.9, 0.35]
    oracle = scipy_stats.ttest_1samp(values, 0.0).confidence_interval(0.9)
    interval = mean_interval(values, alpha=0.1)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((oracle.low, oracle.high), rel=1e-9)
    assert interval.level == pytest.approx(0.9)


def test_clusters_get_the_clustered_standard_error() -> None:
    values = [0.1, 0.2, 0.9, 0.8, 0.7, 0.4]
    clusters = ["a", "a", "b", "b", "b", "c"]
    mean = sum(values) / 6
    # sqrt(C / (C - 1) * sum of squared cluster sums of deviations) / n, C = 3
    sums = [0.3 - 2 * mean, 2.4 - 3 * mean, 0.4 - mean]
    half = scipy_stats.t.ppf(0.975, 2) * math.sqrt(3 / 2 * sum(s * s for s in sums)) / 6
    interval = mean_interval(values, clusters=clusters, bounded=False)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((mean - half, mean + half), rel=1e-9)
    assert interval.method == "clustered t"


@given(values=SCORES)
def test_one_case_per_cluster_is_the_same_as_no_clusters(values: list[float]) -> None:
    clusters = [str(index) for index in range(len(values))]
    assert mean_interval(values, clusters=clusters) == mean_interval(values)


@given(values=SCORES, alpha=st.floats(0.01, 0.5))
def test_an_interval_of_scores_holds_the_mean_and_stays_in_range(
    values: list[float], alpha: float
) -> None:
    interval = mean_interval(values, alpha=alpha)
    assert interval is not None
    assert 0.0 <= interval.low <= statistics.fmean(values) + 1e-12
    assert statistics.fmean(values) - 1e-12 <= interval.high <= 1.0
    assert interval.high - interval.low > 0.0


def test_scores_that_never_differ_still_leave_room_for_the_unseen() -> None:
    interval = mean_interval([1.0] * 60, clusters=[str(index // 3) for index in range(60)])
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx(wilson_interval(20, 20))
    half = mean_interval([0.5] * 20)
    assert half is not None
    assert half.low < 0.45 < 0.5 < 0.55 < half.high


def test_latencies_are_neither_clipped_nor_taken_for_passes() -> None:
    interval = mean_interval([0.0, 1.0, 1.0], bounded=False)
    assert interval is not None
    assert interval.low < 0.0
    assert interval.high > 1.0
    constant = mean_interval([3.0, 3.0, 3.0])
    assert constant is not None
    assert (constant.low, constant.high) == (3.0, 3.0)


def test_values_without_a_score_are_an_error() -> None:
    with pytest.raises(ValueError, match="finite"):
        mean_interval([0.5, math.nan])
    with pytest.raises(ValueError, match="2 values have 1 cluster"):
        mean_interval([0.5, 0.6], clusters=["a"])


@pytest.mark.parametrize("clustered", [False, True])
def test_the_interval_covers_the_true_mean_as_often_as_it_says(clustered: bool) -> None:
    rng = random.Random(20)
    n_runs, covered = 600, 0
    clusters = [str(index // 4) for index in range(80)] if clustered else None
    for _ in range(n_runs):
        levels = [rng.uniform(0.2, 0.8) for _ in range(80)]
        values = [
            (levels[index // 4] if clustered else levels[index]) + rng.uniform(-0.2, 0.2)
            for index in range(80)
        ]
        interval = mean_interval(values, clusters=clusters)
        assert interval is not None
        covered += interval.low <= 0.5 <= interval.high
    tolerance = 3 * math.sqrt(0.95 * 0.05 / n_runs)
    assert covered / n_runs == pytest.approx(0.95, abs=tolerance)


def test_ignoring_clusters_would_cover_too_rarely() -> None:
    rng = random.Random(21)
    covered = 0
    for _ in range(300):
        levels = [rng.uniform(0.2, 0.8) for _ in range(20)]
        values = [levels[index // 4] + rng.uniform(-0.05, 0.05) for index in range(80)]
        interval = mean_interval(values)
        assert interval is not None
        covered += interval.low <= 0.5 <= interval.high
    assert covered / 300 < 0.8


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
def test_percentiles_agree_with_the_inclusive_quantiles(values: list[float]) -> None:
    expected = statistics.quantiles(values, n=20, method="inclusive")
    found = [percentile(values, step / 20) for step in range(1, 20)]
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-6)
    assert all(one <= two for one, two in pairwise(found))


def test_percentiles_interpolate_between_neighbours() -> None:
    assert percentile([3.0, 1.0], 0.5) == 2.0
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.95) == pytest.approx(3.85)
    assert (percentile([5.0, 1.0], 0.0), percentile([5.0, 1.0], 1.0)) == (1.0, 5.0)


def test_a_percentile_of_nothing_or_in_percent_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        percentile([], 0.5)
    with pytest.raises(ValueError, match="fraction"):
        percentile([1.0], 95)


def test_cluster_totals_keep_the_order_of_first_appearance() -> None:
    assert cluster_totals([1.0, 2.0, 4.0], ["b", "a", "b"]) == ([5.0, 2.0], [2, 1])
    assert cluster_totals([1.0, 2.0], None) == ([1.0, 2.0], [1, 1])


# An upper bound of a rate


@pytest.mark.parametrize(("n", "percent"), [(50, 6), (100, 3), (300, 1)])
def test_without_a_failure_at_most_three_of_n_fail(n: int, percent: int) -> None:
    bound = rate_upper_bound(0, n)
    assert bound == pytest.approx(1 - 0.05 ** (1 / n), rel=1e-9)
    assert round(100 * bound) == percent == round(300 / n)
    assert wilson_interval(0, n)[1] == pytest.approx(3.84 / (n + 3.84), abs=1e-4)


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_upper_bound_is_the_exact_one(counts: tuple[int, int]) -> None:
    hits, n = counts
    for alpha in (0.01, 0.05, 0.2):
        found = rate_upper_bound(hits, n, alpha=alpha)
        oracle = 1.0 if hits == n else float(scipy_stats.beta.ppf(1 - alpha, hits + 1, n - hits))
        assert found == pytest.approx(oracle, abs=1e-7)


@pytest.mark.parametrize(("hits", "n", "alpha"), [(0, 0, 0.05), (3, 2, 0.05), (1, 2, 0.0)])
def test_an_upper_bound_of_impossible_counts_is_refused(hits: int, n: int, alpha: float) -> None:
    with pytest.raises(ValueError, match="a bound needs"):
        rate_upper_bound(hits, n, alpha=alpha)
