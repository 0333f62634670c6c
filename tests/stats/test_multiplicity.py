from __future__ import annotations

import itertools
import math
import random

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.stats.multiplicity import max_t_test
from promptyard.stats.resampling import sign_flip_p_value

from .scipy_oracle import scipy_stats

SCORES = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=6, max_size=6)


def draw(rng: np.random.Generator, n: int, rates: list[float]) -> list[list[float]]:
    """Scores of programs on the same cases; the scores of two programs correlate by about 0.4."""
    thresholds = scipy_stats.norm.ppf(rates)
    shared = rng.standard_normal(n)
    return [
        (math.sqrt(0.6) * shared + math.sqrt(0.4) * rng.standard_normal(n) < threshold)
        .astype(float)
        .tolist()
        for threshold in thresholds
    ]


def test_candidates_that_tie_share_the_larger_adjusted_p_value() -> None:
    first, second = [0, 0, 0, 0.25, 0.25, 0.5], [0, 0, 0.25, 0, 0.25, 0.5]
    found = max_t_test([0.0] * 6, [first, second])
    assert found[0].statistic == pytest.approx(found[1].statistic)
    assert [item.adjusted_p_value for item in found] == [0.375, 0.375]


@given(baseline=SCORES, candidates=st.lists(SCORES, min_size=1, max_size=3))
def test_few_cases_are_flipped_in_every_way_for_all_candidates_at_once(
    baseline: list[float], candidates: list[list[float]]
) -> None:
    differences = np.array(candidates) - np.array(baseline)
    scale = np.sqrt(np.sum(differences**2, axis=1))
    scale[scale == 0.0] = 1.0
    observed = np.abs(differences.sum(axis=1)) / scale
    flips = np.array(list(itertools.product([1.0, -1.0], repeat=6)))
    flipped: npt.NDArray[np.float64] = np.abs(flips @ differences.T) / scale
    found = max_t_test(baseline, candidates)
    order = sorted(range(len(candidates)), key=lambda index: -float(observed[index]))
    least = 0.0
    for rank, index in enumerate(order):
        alone = np.count_nonzero(flipped[:, index] >= observed[index] - 1e-9) / len(flips)
        assert found[index].p_value == pytest.approx(alone)
        rest = flipped[:, order[rank:]].max(axis=1)
        least = max(least, np.count_nonzero(rest >= observed[index] - 1e-9) / len(flips))
        assert found[index].adjusted_p_value == pytest.approx(least)
        assert found[index].mean == pytest.approx(float(differences[index].mean()))


def test_one_candidate_is_a_sign_flip_test() -> None:
    rng = random.Random(1)
    baseline = [rng.random() for _ in range(12)]
    candidate = [score + rng.gauss(0.1, 0.2) for score in baseline]
    (found,) = max_t_test(baseline, [candidate])
    totals = [after - before for before, after in zip(baseline, candidate, strict=True)]
    expected = sign_flip_p_value(totals, seed=0, n_resamples=10_000)
    assert found.p_value == found.adjusted_p_value == pytest.approx(expected)


def test_cases_of_a_cluster_flip_together() -> None:
    scores = draw(np.random.default_rng(2), 60, [0.5, 0.7, 0.6])
    clusters = [str(number % 6) for number in range(60)]
    found = max_t_test(scores[0], scores[1:], clusters=clusters)
    summed = [
        [sum(row[start::6]) for start in range(6)] for row in scores
    ]  # clusters of equal size act as cases
    expected = max_t_test(summed[0], summed[1:])
    for one, other in zip(found, expected, strict=True):
        assert one.adjusted_p_value == pytest.approx(other.adjusted_p_value)
        assert one.mean == pytest.approx(other.mean / 10)


@given(st.integers(0, 20))
def test_adjusted_p_values_are_larger_and_in_the_order_of_the_statistics(seed: int) -> None:
    scores = draw(np.random.default_rng(seed), 40, [0.6, 0.65, 0.7, 0.8, 0.6])
    for two_sided in (True, False):
        found = max_t_test(scores[0], scores[1:], two_sided=two_sided, n_resamples=500)
        ranked = sorted(found, key=lambda t: -abs(t.statistic) if two_sided else -t.statistic)
        adjusted = [test.adjusted_p_value for test in ranked]
        assert adjusted == sorted(adjusted)
        assert all(0.0 < test.p_value <= test.adjusted_p_value <= 1.0 for test in found)
        single = [test.p_value * len(found) for test in found]
        assert found[single.index(min(single))].adjusted_p_value <= min(single) + 0.1


def test_the_same_candidate_many_times_costs_nothing() -> None:
    """Bonferroni would multiply by eight; candidates that always agree are one candidate."""
    scores = draw(np.random.default_rng(3), 100, [0.6, 0.75])
    one = max_t_test(scores[0], [scores[1]])[0]
    many = max_t_test(scores[0], [scores[1]] * 8)
    assert one.p_value < 0.05
    assert {test.adjusted_p_value for test in many} == {one.adjusted_p_value}


def test_a_candidate_that_changes_nothing_has_p_one() -> None:
    scores = draw(np.random.default_rng(4), 40, [0.6, 0.8])
    same, other = max_t_test(scores[0], [scores[0], scores[1]])
    assert (same.statistic, same.p_value, same.adjusted_p_value) == (0.0, 1.0, 1.0)
    assert other.adjusted_p_value < 1.0
    assert max_t_test(scores[0], []) == ()


def test_a_claim_of_better_is_one_sided() -> None:
    scores = draw(np.random.default_rng(5), 120, [0.8, 0.5])
    (worse,) = max_t_test(scores[0], [scores[1]], two_sided=False)
    assert worse.adjusted_p_value > 0.99
    assert max_t_test(scores[0], [scores[1]])[0].adjusted_p_value < 0.01


def test_a_seed_repeats_the_test() -> None:
    scores = draw(np.random.default_rng(6), 60, [0.6, 0.7, 0.7])
    assert max_t_test(scores[0], scores[1:], seed=1) == max_t_test(scores[0], scores[1:], seed=1)


@pytest.mark.no_cover  # the same lines many times
@pytest.mark.parametrize("rate", [0.5, 0.8])
def test_equal_candidates_rarely_give_any_claim(rate: float) -> None:
    rng = np.random.default_rng(7)
    n_runs, n_claims, n_naive = 400, 0, 0
    for _ in range(n_runs):
        scores = draw(rng, 60, [rate] * 9)
        found = max_t_test(scores[0], scores[1:], n_resamples=199)
        n_claims += min(test.adjusted_p_value for test in found) <= 0.05
        n_naive += min(test.p_value for test in found) <= 0.05
    assert 0.02 <= n_claims / n_runs <= 0.075  # 0.05 and two standard errors
    assert n_naive / n_runs > 0.12  # what the adjustment is for


def test_a_better_candidate_is_found_among_equal_ones() -> None:
    rng = np.random.default_rng(8)
    found = 0
    for _ in range(60):
        scores = draw(rng, 150, [0.7, *[0.7] * 7, 0.87])
        tests = max_t_test(scores[0], scores[1:], n_resamples=299)
        found += tests[-1].adjusted_p_value <= 0.05
    assert found > 45


def test_unequal_or_missing_scores_are_refused() -> None:
    with pytest.raises(ValueError, match="2 baseline scores, 1 candidate"):
        max_t_test([0.0, 1.0], [[1.0]])
    with pytest.raises(ValueError, match="0 baseline scores"):
        max_t_test([], [[]])
    with pytest.raises(ValueError, match="finite"):
        max_t_test([0.0, math.nan], [[1.0, 1.0]])
    with pytest.raises(ValueError, match="n_resamples"):
        max_t_test([0.0], [[1.0]], n_resamples=0)
