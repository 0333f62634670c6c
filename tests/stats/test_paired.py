from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.records.scores import Interval
from promptyard.stats.paired import (
    compare_paired,
    mcnemar_midp,
    noninferiority_lower_bound,
    tango_interval,
)

from .scipy_oracle import scipy_stats

Scores: TypeAlias = tuple[list[float], list[float], list[str] | None]

COUNTS = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(1, 120))
GRADED = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=25)


def binary_scores(fixed: int, broken: int, n: int) -> tuple[list[float], list[float]]:
    same = n - fixed - broken
    return [0.0] * fixed + [1.0] * (n - fixed), [1.0] * fixed + [0.0] * broken + [1.0] * same


def limits(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


# McNemar's mid-p test


@pytest.mark.parametrize(
    ("fixed", "broken", "p_value"),
    [
        (1, 7, 0.0391),  # Bentur et al. 2009, as in Fagerland, Lydersen & Laake 2014
        (6, 16, 0.0347),  # Cavo et al. 2012, the same
        (5, 0, 0.03125),
        (0, 0, 1.0),
        (1, 1, 0.75),
    ],
)
def test_mid_p_gives_the_published_values(fixed: int, broken: int, p_value: float) -> None:
    assert mcnemar_midp(fixed, broken) == pytest.approx(p_value, abs=5e-5)


@given(fixed=st.integers(0, 300), broken=st.integers(0, 300))
def test_mid_p_agrees_with_the_binomial_distribution(fixed: int, broken: int) -> None:
    n_changed, fewer = fixed + broken, min(fixed, broken)
    mass = float(scipy_stats.binom.pmf(fewer, n_changed, 0.5))
    expected = 2 * float(scipy_stats.binom.cdf(fewer, n_changed, 0.5)) - mass
    if fixed == broken:
        expected = 1 - mass / 2 if n_changed else 1.0
    assert mcnemar_midp(fixed, broken) == pytest.approx(expected, rel=1e-9, abs=1e-15)
    assert mcnemar_midp(broken, fixed) == mcnemar_midp(fixed, broken)


@given(fixed=st.integers(0, 80), broken=st.integers(0, 80))
def test_one_more_fixed_case_makes_a_win_more_significant(fixed: int, broken: int) -> None:
    if fixed > broken:
        assert mcnemar_midp(fixed + 1, broken) < mcnemar_midp(fixed, broken)


def test_mid_p_is_exact_for_very_many_cases() -> None:
    z = (5_150 - 5_000) / math.sqrt(10_150)
    assert mcnemar_midp(5_150, 5_000) == pytest.approx(2 * scipy_stats.norm.sf(z), rel=1e-3)


def test_the_mid_p_test_keeps_its_size() -> None:
    """The size is summed over all outcomes, not simulated."""
    n = 50
    given_changes = [
        sum(
            math.comb(n_changed, fixed) / 2**n_changed
            for fixed in range(n_changed + 1)
            if mcnemar_midp(fixed, n_changed - fixed) <= 0.05
        )
        for n_changed in range(n + 1)
    ]
    assert max(given_changes) > 0.05  # not conservative for each number of changes ...
    for psi in (0.05, 0.1, 0.2, 0.4):
        weights = scipy_stats.binom.pmf(range(n + 1), n, psi)
        size = sum(w * size for w, size in zip(weights, given_changes, strict=True))
        assert 0.0 < size <= 0.05  # ... but over all of them


# Tango's interval


@pytest.mark.parametrize(
    ("fixed", "broken", "n", "alpha", "low", "high"),
    [
        (7, 1, 21, 0.05, 0.026, 0.517),  # Bentur et al. 2009, as in Fagerland et al. 2014
        (20, 60, 1000, 0.05, -0.0584, -0.0231),  # computed with the R package PropCIs
        (28, 25, 618, 0.10, -0.0148, 0.0247),  # the same
        (48, 41, 549, 0.10, -0.0157, 0.0414),  # the same
    ],
)
def test_tango_gives_the_published_limits(
    fixed: int, broken: int, n: int, alpha: float, low: float, high: float
) -> None:
    digits = 5e-4 if n == 21 else 5.1e-5
    assert tango_interval(fixed, broken, n, alpha=alpha) == pytest.approx((low, high), abs=digits)


@given(counts=COUNTS, alpha=st.sampled_from([0.01, 0.05, 0.1, 0.3]))
def test_tango_limits_solve_the_score_equation(counts: tuple[int, int, int], alpha: float) -> None:
    fixed, broken, same = counts
    n = fixed + broken + same
    z = float(scipy_stats.norm.ppf(1 - alpha / 2))
    low, high = tango_interval(fixed, broken, n, alpha=alpha)
    assert -1.0 < low < (fixed - broken) / n < high < 1.0
    assert score_statistic(fixed, broken, n, low) == pytest.approx(z, rel=1e-6)
    assert score_statistic(fixed, broken, n, high) == pytest.approx(-z, rel=1e-6)


def score_statistic(fixed: int, broken: int, n: int, difference: float) -> float:
    """The score statistic with the restricted maximum found by searching, not by formula."""
    same = n - fixed - broken

    def slope(p_broken: float) -> float:
        p_fixed, p_same = p_broken + difference, 1 - 2 * p_broken - difference
        return broken / p_broken + fixed / p_fixed - 2 * same / p_same

    low, high = max(0.0, -difference), (1 - difference) / 2
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if slope(middle) > 0:
            low = middle
        else:
            high = middle
    p_broken = (low + high) / 2
    variance = (2 * p_broken + difference - difference**2) / n
    return ((fixed - broken) / n - difference) / math.sqrt(variance)


@given(counts=COUNTS)
def test_tango_mirrors_when_the_arguments_change_places(counts: tuple[int, int, int]) -> None:
    fixed, broken, same = counts
    n = fixed + broken + same
    low, high = tango_interval(fixed, broken, n)
    assert tango_interval(broken, fixed, n) == (-high, -low)


@given(counts=COUNTS)
def test_one_more_fixed_case_raises_both_limits(counts: tuple[int, int, int]) -> None:
    fixed, broken, same = counts
    n = fixed + broken + same
    low, high = tango_interval(fixed, broken, n)
    better_low, better_high = tango_interval(fixed + 1, broken, n)
    assert better_low > low
    assert better_high > high


@given(counts=COUNTS)
def test_a_higher_level_is_a_wider_interval(counts: tuple[int, int, int]) -> None:
    fixed, broken, same = counts
    n = fixed + broken + same
    low, high = tango_interval(fixed, broken, n, alpha=0.05)
    wide_low, wide_high = tango_interval(fixed, broken, n, alpha=0.01)
    assert wide_low < low
    assert high < wide_high


def test_tango_is_no_point_where_nothing_or_everything_changed() -> None:
    assert tango_interval(0, 0, 50) == pytest.approx(
        (-3.8415 / 53.8415, 3.8415 / 53.8415), abs=1e-5
    )
    low, high = tango_interval(50, 0, 50)
    assert 0.8 < low < 0.9
    assert high == 1.0
    assert tango_interval(0, 50, 50) == (-1.0, -low)


@pytest.mark.parametrize("alpha", [1e-12, 1.0 - 1e-12])
@pytest.mark.parametrize("counts", [(0, 0, 1), (1, 0, 1), (0, 3, 5), (2, 2, 4), (999, 1, 1000)])
def test_tango_holds_the_observed_difference_at_any_level(
    counts: tuple[int, int, int], alpha: float
) -> None:
    fixed, broken, n = counts
    low, high = tango_interval(fixed, broken, n, alpha=alpha)
    assert -1.0 <= low <= (fixed - broken) / n <= high <= 1.0


@pytest.mark.parametrize(("n", "at_least"), [(20, 0.93), (40, 0.935)])
@pytest.mark.parametrize("rates", [(0.05, 0.05), (0.2, 0.1), (0.3, 0.3), (0.02, 0.1), (0.5, 0.05)])
def test_tango_covers_the_true_difference(
    n: int, at_least: float, rates: tuple[float, float]
) -> None:
    """The coverage is summed over all outcomes, not simulated."""
    p_fixed, p_broken = rates
    covered = 0.0
    for n_changed in range(n + 1):
        weight = float(scipy_stats.binom.pmf(n_changed, n, p_fixed + p_broken))
        if weight < 1e-6:
            continue
        chances = scipy_stats.binom.pmf(range(n_changed + 1), n_changed, p_fixed / sum(rates))
        for fixed, chance in enumerate(map(float, chances)):
            low, high = tango_interval(fixed, n_changed - fixed, n)
            covered += weight * chance * (low <= p_fixed - p_broken <= high)
    assert covered >= at_least


@pytest.mark.parametrize("counts", [(-1, 0, 5), (3, 3, 5), (0, 0, 0)])
def test_counts_that_cannot_be_are_an_error(counts: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError):
        tango_interval(*counts)


# compare_paired: which test for which scores


def test_passes_and_failures_get_mcnemar_and_tango() -> None:
    baseline, candidate = binary_scores(9, 2, 60)
    test = compare_paired(baseline, candidate, clusters=[str(index) for index in range(60)])
    assert (test.n, test.fixed, test.broken) == (60, 9, 2)
    assert test.mean == pytest.approx(7 / 60)
    assert test.p_value == mcnemar_midp(9, 2)
    assert limits(test.interval) == tango_interval(9, 2, 60)
    assert (test.method, test.interval.method) == ("mcnemar-midp/tango", "tango")
    assert test.interval.level == 0.95


@pytest.mark.parametrize(
    ("baseline", "candidate", "clusters"),
    [
        ([0.0, 1.0, 0.5, 1.0], [1.0, 1.0, 1.0, 1.0], None),
        ([0.0, 1.0, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0], ["a", "a", "b", "c"]),
    ],
)
def test_graded_or_clustered_scores_get_sign_flips_and_bootstrap(
    baseline: list[float], candidate: list[float], clusters: list[str] | None
) -> None:
    test = compare_paired(baseline, candidate, clusters=clusters)
    assert (test.method, test.interval.method) == ("sign-flip/bootstrap", "bootstrap")
    assert (test.fixed, test.broken) == (2, 0)
    assert test.p_value == 0.5  # two units moved: two of four patterns are as extreme


def test_clusters_that_agree_within_count_once() -> None:
    baseline, candidate = [0.4] * 40, [0.6] * 30 + [0.3] * 10
    alone = compare_paired(baseline, candidate)
    together = compare_paired(baseline, candidate, clusters=[str(i // 10) for i in range(40)])
    assert together.mean == alone.mean
    assert together.p_value > 0.1 > 0.001 > alone.p_value
    assert together.interval.low < alone.interval.low


def test_a_clear_gain_is_found_and_a_clear_loss_too() -> None:
    rng = random.Random(1)
    baseline = [rng.uniform(0.2, 0.6) for _ in range(30)]
    candidate = [score + rng.uniform(0.0, 0.3) for score in baseline]
    gain, loss = compare_paired(baseline, candidate), compare_paired(candidate, baseline)
    assert gain.p_value < 0.001
    assert gain.interval.low > 0.05
    assert loss.interval.high < -0.05


def test_nothing_changed_is_p_one_with_an_interval_that_is_no_point() -> None:
    passes = compare_paired([1.0] * 50, [1.0] * 50)
    assert passes.p_value == 1.0
    assert limits(passes.interval) == tango_interval(0, 0, 50)
    graded = compare_paired([0.5] * 50, [0.5] * 50)
    assert (graded.p_value, graded.fixed, graded.broken) == (1.0, 0, 0)
    assert -0.08 < graded.interval.low < -0.04 < 0.04 < graded.interval.high < 0.08
    rounding = compare_paired([0.1 + 0.2, 0.5] * 25, [0.3, 0.5] * 25)
    assert rounding == graded


def test_the_same_gain_everywhere_is_no_point_either() -> None:
    interval = compare_paired([0.5] * 10, [0.8] * 10).interval
    assert 0.05 < interval.low < 0.25
    assert interval.high == pytest.approx(0.3)


def test_one_case_or_one_cluster_shows_nothing() -> None:
    one = compare_paired([0.2], [0.9])
    assert (one.p_value, limits(one.interval)) == (1.0, (-1.0, 1.0))
    cluster = compare_paired([0.2] * 9, [0.9] * 9, clusters=["thread"] * 9)
    assert (cluster.p_value, limits(cluster.interval)) == (1.0, (-1.0, 1.0))
    assert cluster.method == "sign-flip/one cluster"
    latency = compare_paired([3.0], [2.0])
    assert limits(latency.interval) == (-3.0, 3.0)


def test_latencies_may_be_compared_too() -> None:
    rng = random.Random(2)
    baseline = [rng.uniform(1.0, 5.0) for _ in range(60)]
    test = compare_paired(baseline, [0.8 * value for value in baseline], bounded=False)
    assert test.interval.low < test.mean < test.interval.high < -0.3
    assert test.p_value < 0.001


@pytest.mark.parametrize(
    ("baseline", "candidate", "clusters", "message"),
    [
        ([], [], None, "at least one case"),
        ([0.5], [0.5, 0.6], None, "1 baseline scores, 2 candidate scores"),
        ([0.5], [math.nan], None, "finite"),
        ([math.inf], [math.inf], None, "finite"),
        ([0.5, 0.6], [0.5, 0.6], ["a"], "2 values have 1 cluster"),
    ],
)
@pytest.mark.parametrize("compare", [compare_paired, noninferiority_lower_bound])
def test_scores_that_are_not_pairs_are_an_error(
    compare: Callable[..., object],
    baseline: list[float],
    candidate: list[float],
    clusters: list[str] | None,
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        compare(baseline, candidate, clusters=clusters)


def test_levels_and_resamples_that_cannot_be_are_errors() -> None:
    with pytest.raises(ValueError, match="alpha"):
        compare_paired([0.5], [0.6], alpha=0.0)
    with pytest.raises(ValueError, match="one-sided alpha"):
        noninferiority_lower_bound([0.5], [0.6], alpha=0.5)
    with pytest.raises(ValueError, match="n_resamples"):
        compare_paired([0.5, 0.4], [0.6, 0.8], n_resamples=0)


# compare_paired: laws


@settings(max_examples=50)
@given(pairs=GRADED, clustered=st.booleans(), seed=st.integers(0, 9))
def test_changing_places_turns_the_sign(
    pairs: list[tuple[float, float]], clustered: bool, seed: int
) -> None:
    before, after = [one for one, _ in pairs], [two for _, two in pairs]
    clusters = [str(index // 3) for index in range(len(pairs))] if clustered else None
    there = compare_paired(before, after, clusters=clusters, seed=seed, n_resamples=200)
    back = compare_paired(after, before, clusters=clusters, seed=seed, n_resamples=200)
    assert (back.fixed, back.broken) == (there.broken, there.fixed)
    assert back.mean == pytest.approx(-there.mean, abs=1e-12)
    assert back.p_value == pytest.approx(there.p_value)
    if there.p_value < 1.0:  # where nothing changed there is nothing to mirror
        mirrored = (-there.interval.high, -there.interval.low)
        assert limits(back.interval) == pytest.approx(mirrored, abs=1e-9)
    assert -1.0 <= there.interval.low <= there.mean <= there.interval.high <= 1.0
    assert there.interval.low < there.interval.high


@settings(max_examples=30)
@given(pairs=GRADED)
def test_a_seed_repeats_the_comparison(pairs: list[tuple[float, float]]) -> None:
    before, after = [one for one, _ in pairs], [two for _, two in pairs]
    first = compare_paired(before, after, seed=3, n_resamples=100)
    assert compare_paired(before, after, seed=3, n_resamples=100) == first


@given(counts=COUNTS, alpha=st.sampled_from([0.01, 0.05, 0.2]))
def test_the_lower_bound_of_passes_is_the_one_sided_tango_limit(
    counts: tuple[int, int, int], alpha: float
) -> None:
    fixed, broken, same = counts
    n = fixed + broken + same
    bound = noninferiority_lower_bound(*binary_scores(fixed, broken, n), alpha=alpha)
    assert bound == tango_interval(fixed, broken, n, alpha=2 * alpha)[0]


def test_the_lower_bound_of_scores_allows_for_breaks_that_were_not_seen() -> None:
    rng = random.Random(3)
    baseline = [0.9] * 50
    candidate = [0.9 + rng.uniform(-0.02, 0.02) for _ in baseline]
    plain = compare_paired(baseline, candidate, alpha=0.1).interval.low
    bound = noninferiority_lower_bound(baseline, candidate)
    assert -0.01 < plain < 0.0
    assert -0.06 < bound < -0.03  # 50 cases cannot exclude that 3 % break


def test_the_lower_bound_of_latencies_knows_no_worst_case() -> None:
    rng = random.Random(4)
    baseline = [rng.uniform(0.2, 0.9) for _ in range(50)]
    candidate = [value + rng.uniform(-0.02, 0.02) for value in baseline]
    as_latency = noninferiority_lower_bound(baseline, candidate, bounded=False)
    assert as_latency == compare_paired(baseline, candidate, alpha=0.1, bounded=False).interval.low
    assert as_latency > noninferiority_lower_bound(baseline, candidate) + 0.02


def test_the_lower_bound_rises_with_more_cases() -> None:
    bounds = [noninferiority_lower_bound([0.5] * n, [0.5] * n) for n in (10, 40, 160)]
    assert bounds == sorted(bounds)
    assert len(set(bounds)) == 3


# compare_paired: how often it errs


N_RUNS = 400
WITHIN_THREE_SIGMA = N_RUNS * 0.05 + 3 * math.sqrt(N_RUNS * 0.05 * 0.95)
Draw: TypeAlias = Callable[[random.Random], Scores]


def binary_runs(rng: random.Random) -> Scores:
    """Draw two runs of the same program whose cases pass with their own probability."""
    chances = [rng.betavariate(2.0, 1.0) for _ in range(60)]
    before, after = ([float(rng.random() < chance) for chance in chances] for _ in range(2))
    return before, after, None


def graded_runs(rng: random.Random) -> Scores:
    before, after = ([rng.betavariate(4.0, 1.0) for _ in range(40)] for _ in range(2))
    return before, after, None


def runs_with_few_changes(rng: random.Random) -> Scores:
    before = [rng.choice([0.5, 0.75, 1.0]) for _ in range(40)]
    after = [score if rng.random() < 0.8 else rng.choice([0.5, 0.75, 1.0]) for score in before]
    return before, after, None


def clustered_runs(rng: random.Random) -> Scores:
    """Draw passes that rise and fall together in threads of five cases."""
    before: list[float] = []
    after: list[float] = []
    for _ in range(16):
        for scores in (before, after):
            luck = rng.choice([0.2, 0.9])
            scores.extend(float(rng.random() < luck) for _ in range(5))
    return before, after, [str(index // 5) for index in range(80)]


@pytest.mark.no_cover  # the same lines many times
@pytest.mark.parametrize("draw", [binary_runs, graded_runs, runs_with_few_changes, clustered_runs])
def test_a_program_against_itself_is_rarely_called_different(draw: Draw) -> None:
    rng = random.Random(11)
    alarms = 0
    for run in range(N_RUNS):
        before, after, clusters = draw(rng)
        test = compare_paired(before, after, clusters=clusters, seed=run, n_resamples=199)
        alarms += test.p_value <= 0.05
    assert alarms <= WITHIN_THREE_SIGMA
    assert alarms > 0.002 * N_RUNS  # a test that never alarms would find nothing either


def test_ignoring_clusters_would_call_it_different_too_often() -> None:
    rng = random.Random(12)
    alarms = 0
    for run in range(200):
        before, after, _ = clustered_runs(rng)
        alarms += compare_paired(before, after, seed=run, n_resamples=199).p_value <= 0.05
    assert alarms / 200 > 0.15


def even_differences(rng: random.Random, n: int) -> list[float]:
    return [rng.uniform(-0.5, 0.5) for _ in range(n)]


def differences_with_breaks(rng: random.Random, n: int) -> list[float]:
    return [-0.9 if rng.random() < 0.03 else rng.uniform(-0.1, 0.1) for _ in range(n)]


@pytest.mark.no_cover  # the same lines many times
@pytest.mark.parametrize("n", [20, 60])
def test_the_interval_of_graded_scores_covers_the_true_difference(n: int) -> None:
    rng = random.Random(13)
    n_covered = 0
    for run in range(300):
        before, after = as_scores(even_differences(rng, n))
        interval = compare_paired(before, after, seed=run, n_resamples=200).interval
        n_covered += interval.low <= 0.0 <= interval.high
    assert n_covered / 300 >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / 300)


@pytest.mark.no_cover  # the same lines many times
@pytest.mark.parametrize(
    ("differences", "truth"), [(even_differences, 0.0), (differences_with_breaks, -0.027)]
)
@pytest.mark.parametrize("n", [20, 60])
def test_the_lower_bound_is_below_the_true_difference_as_often_as_it_says(
    differences: Callable[[random.Random, int], list[float]], truth: float, n: int
) -> None:
    rng = random.Random(14)
    n_runs, n_below = 200, 0
    for run in range(n_runs):
        before, after = as_scores(differences(rng, n))
        bound = noninferiority_lower_bound(before, after, seed=run, n_resamples=200)
        n_below += bound <= truth
    assert n_below / n_runs >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / n_runs)


def as_scores(differences: list[float]) -> tuple[list[float], list[float]]:
    return [max(0.0, -d) for d in differences], [max(0.0, d) for d in differences]


def test_a_thousand_graded_cases_take_less_than_a_second_and_a_half() -> None:
    rng = random.Random(15)
    before = [rng.random() for _ in range(1_000)]
    after = [min(1.0, score + rng.uniform(-0.2, 0.25)) for score in before]
    started = time.process_time()
    test = compare_paired(before, after)
    assert time.process_time() - started < 1.5
    assert test.p_value < 0.05
