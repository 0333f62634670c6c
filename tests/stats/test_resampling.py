from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.stats.resampling import bootstrap_interval, sign_flip_p_value

from .scipy_oracle import scipy_stats


@pytest.mark.parametrize(
    "totals",
    [
        [0.3, -0.1, 0.25, 0.4, 0.0, 0.15, -0.2],
        [0.1, 0.1, 0.1, 0.1, 0.1],
        [1.0, -1.0, 0.5, 0.5, 0.5, 0.5, -0.5, 0.25, 0.25, 1.0],
    ],
)
def test_few_totals_are_flipped_in_every_way_as_scipy_does(totals: list[float]) -> None:
    oracle = scipy_stats.permutation_test(
        (np.array(totals),), np.sum, permutation_type="samples", n_resamples=10_000
    )
    found = sign_flip_p_value(totals, seed=0, n_resamples=10_000)
    assert found == pytest.approx(float(oracle.pvalue), abs=1e-12)


def test_ties_count_as_extreme_despite_rounding() -> None:
    # 0.1 + 0.2 - 0.3 is 5.6e-17 and not 0: all eight patterns but two are at least as far from 0
    assert sign_flip_p_value([0.1, 0.2, -0.3], seed=0, n_resamples=10) == 1.0
    assert sign_flip_p_value([0.1, 0.2, 0.3], seed=0, n_resamples=10) == 0.25


def test_nothing_that_moved_has_p_one() -> None:
    assert sign_flip_p_value([0.0] * 40, seed=0, n_resamples=100) == 1.0


def test_sampled_flips_agree_with_all_flips() -> None:
    rng = random.Random(4)
    totals = [rng.gauss(0.25, 1.0) for _ in range(16)]
    exact = sign_flip_p_value(totals, seed=0, n_resamples=2**16)
    sampled = sign_flip_p_value(totals, seed=0, n_resamples=20_000)
    assert 0.02 < exact < 0.9
    assert sampled == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 20_000))


def test_a_sampled_p_value_is_never_zero() -> None:
    assert sign_flip_p_value([1.0] * 60, seed=0, n_resamples=999) == pytest.approx(1 / 1000)


def test_very_many_totals_use_the_normal_limit() -> None:
    rng = random.Random(5)
    totals = [rng.gauss(0.015, 1.0) for _ in range(6_000)]
    z = sum(totals) / math.sqrt(sum(t * t for t in totals))
    found = sign_flip_p_value(totals, seed=0, n_resamples=10_000)
    assert found == pytest.approx(2 * float(scipy_stats.norm.sf(abs(z))), rel=1e-6)
    just_sampled = sign_flip_p_value(totals[:5_000], seed=0, n_resamples=2_000)
    part = sum(totals[:5_000]) / math.sqrt(sum(t * t for t in totals[:5_000]))
    assert just_sampled == pytest.approx(2 * float(scipy_stats.norm.sf(abs(part))), abs=0.04)


def test_very_many_totals_that_cancel_have_p_one() -> None:
    assert sign_flip_p_value([0.5, -0.5] * 3_000, seed=0, n_resamples=10_000) == 1.0


@given(totals=st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=40), seed=st.integers(0, 9))
def test_the_p_value_does_not_depend_on_who_is_called_candidate(
    totals: list[float], seed: int
) -> None:
    swapped = [-total for total in totals]
    one = sign_flip_p_value(totals, seed=seed, n_resamples=50)
    assert 0.0 < one <= 1.0
    assert sign_flip_p_value(swapped, seed=seed, n_resamples=50) == one


def test_a_bootstrap_of_many_cases_is_close_to_students_interval() -> None:
    rng = random.Random(6)
    totals = [rng.uniform(-1.0, 1.0) for _ in range(300)]
    oracle = scipy_stats.ttest_1samp(totals, 0.0).confidence_interval(0.95)
    found = bootstrap_interval(totals, [1.0] * 300, alpha=0.05, seed=0, n_resamples=10_000)
    assert found == pytest.approx((oracle.low, oracle.high), abs=0.1 * (oracle.high - oracle.low))


def test_a_bootstrap_divides_by_the_cases_that_were_drawn() -> None:
    # each cluster has mean 0.5 whatever its size, so every resample has mean 0.5
    found = bootstrap_interval([0.5, 2.0, 5.0], [1.0, 4.0, 10.0], alpha=0.1, seed=0, n_resamples=50)
    assert found == pytest.approx((0.5, 0.5))


def test_equal_clusters_are_resampled_as_unequal_ones_are() -> None:
    totals = [math.cos(index) for index in range(40)]
    equal = bootstrap_interval(totals, [2.0] * 40, alpha=0.05, seed=0, n_resamples=500)
    nearly = bootstrap_interval(
        totals, [2.0] * 39 + [2.0 + 1e-9], alpha=0.05, seed=0, n_resamples=500
    )
    assert equal == pytest.approx(nearly, abs=1e-8)


def test_a_bootstrap_of_very_many_clusters_is_the_normal_interval() -> None:
    rng = random.Random(7)
    totals = [rng.gauss(0.2, 1.0) for _ in range(6_000)]
    mean, sd = float(np.mean(totals)), float(np.std(totals))
    found = bootstrap_interval(totals, [1.0] * 6_000, alpha=0.05, seed=0, n_resamples=10_000)
    half = 1.959964 * sd / math.sqrt(6_000)
    assert found == pytest.approx((mean - half, mean + half), abs=1e-6)


def test_a_seed_repeats_a_bootstrap_and_another_changes_it_little() -> None:
    totals = [math.sin(index) for index in range(80)]

    def interval(seed: int) -> tuple[float, float]:
        return bootstrap_interval(totals, [1.0] * 80, alpha=0.05, seed=seed, n_resamples=2_000)

    assert interval(1) == interval(1)
    assert interval(1) != interval(2)
    assert interval(1) == pytest.approx(interval(2), abs=0.03)
