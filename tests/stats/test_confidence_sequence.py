from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.stats.confidence_sequence import (
    Sample,
    difference_half_width,
    half_width,
    mean_half_width,
)

SAMPLES = st.builds(Sample, st.integers(2, 100_000), st.floats(-1.0, 1.0), st.floats(1e-6, 100.0))
LEVELS = st.floats(0.0001, 0.2)


def test_the_width_is_the_formula_worked_by_hand() -> None:
    """alpha 0.05, horizon 2,000: -2 ln 0.1 = 4.6052, ln 5.6052 = 1.7237, r^2 = 0.00316442.

    n = 1,000: n r^2 + 1 = 4.16442 and ln(1 + sqrt(4.16442) / 0.1) = 3.06371; the square is
    0.16 * 2 * 4.16442 / (1,000 * 3.16442) * 3.06371 = 0.00129020.
    """
    assert half_width(1000, 0.16, alpha=0.05, horizon=2000) == pytest.approx(0.0359194, abs=2e-7)


def test_two_equal_arms_are_one_sample_of_twice_the_size_and_four_times_the_variance() -> None:
    arm = Sample(500, 0.8, 0.16)
    found = difference_half_width(arm, arm, alpha=0.05, horizon=2000)
    assert found == pytest.approx(half_width(1000, 0.64, alpha=0.05, horizon=2000))
    paired = mean_half_width(Sample(1000, 0.0, 0.64), alpha=0.05, horizon=2000)
    assert found == pytest.approx(paired)


@given(first=SAMPLES, second=SAMPLES, alpha=LEVELS)
def test_it_does_not_matter_which_arm_is_which(first: Sample, second: Sample, alpha: float) -> None:
    one = difference_half_width(first, second, alpha=alpha, horizon=2000)
    assert one == difference_half_width(second, first, alpha=alpha, horizon=2000)
    assert 0.0 < one < math.inf


@given(n=st.integers(2, 10**6), alpha=LEVELS, other=LEVELS)
def test_a_stricter_level_is_never_narrower_near_the_horizon(
    n: int, alpha: float, other: float
) -> None:
    strict, loose = sorted((alpha, other))
    widths = [half_width(n, 1.0, alpha=level, horizon=n) for level in (strict, loose)]
    assert widths[0] >= widths[1] * (1 - 1e-12)


@given(n=st.integers(2, 10**6), variance=st.floats(0.0, 100.0))
def test_more_values_are_narrower_and_more_spread_is_wider(n: int, variance: float) -> None:
    def width(size: int, spread: float) -> float:
        return half_width(size, spread, alpha=0.05, horizon=2000)

    assert width(2 * n, variance) <= width(n, variance) <= width(n, 2 * variance)


@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=60))
def test_sums_give_the_sample_and_the_pad_its_variance_with_two_more_values(
    values: list[float],
) -> None:
    squares = math.fsum(value * value for value in values)
    found = Sample.of_sums(len(values), math.fsum(values), squares)
    assert found.mean == pytest.approx(statistics.fmean(values), abs=1e-12)
    assert found.variance == pytest.approx(statistics.variance(values), abs=1e-9)
    padded = found.padded(0.0, 1.0)
    assert padded.variance == pytest.approx(statistics.variance([*values, 0.0, 1.0]), abs=1e-9)
    assert (padded.n, padded.mean) == (found.n, found.mean)


def test_nothing_is_bounded_while_a_variance_is_not_defined() -> None:
    none, one, many = Sample.of_sums(0, 0.0, 0.0), Sample.of_sums(1, 1.0, 1.0), Sample(9, 0.5, 0.1)
    for few in (none, one, one.padded(0.0, 1.0)):
        assert difference_half_width(few, many, alpha=0.05, horizon=2000) == math.inf
        assert difference_half_width(many, few, alpha=0.05, horizon=2000) == math.inf
        assert mean_half_width(few, alpha=0.05, horizon=2000) == math.inf


def test_scores_that_are_all_one_do_not_prove_a_margin_on_few_subjects() -> None:
    """The exact bound at 95 % for no failure of n is 3 / n: 3 points take 100 subjects."""
    for n, is_shown in ((30, False), (100, False), (300, True)):
        arm = Sample.of_sums(n, float(n), float(n))
        assert difference_half_width(arm, arm, alpha=0.05, horizon=2000) == 0.0
        padded = arm.padded(0.0, 1.0)
        width = difference_half_width(padded, padded, alpha=0.05, horizon=2000)
        assert (width < 0.03) == is_shown
        assert width > 3.0 / n


@pytest.mark.parametrize("alpha", [0.0, 0.5, -1.0])
def test_a_level_that_cannot_be_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        half_width(10, 1.0, alpha=alpha, horizon=100)


def test_sizes_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="horizon"):
        half_width(10, 1.0, alpha=0.05, horizon=0)
    for n, variance in ((0, 1.0), (10, -1.0), (10, math.nan)):
        with pytest.raises(ValueError, match="variance"):
            half_width(n, variance, alpha=0.05, horizon=100)


@pytest.mark.parametrize(("rate", "seed"), [(0.8, 1), (0.95, 2), (0.99, 3)])
def test_a_bound_is_rarely_ever_wrong_at_any_of_two_hundred_looks(rate: float, seed: int) -> None:
    """2,000 rollouts of equal prompts, looked at every 25 subjects an arm up to 5,000."""
    rng = np.random.default_rng(seed)
    looks = np.arange(50, 5_001, 25)
    n_wrong = 0
    for _ in range(2_000):
        control, treatment = (np.cumsum(rng.random(5_000) < rate)[looks - 1] for _ in range(2))
        n_wrong += any(
            (c - t) / n
            > difference_half_width(
                Sample.of_sums(n, c, c).padded(0.0, 1.0),
                Sample.of_sums(n, t, t).padded(0.0, 1.0),
                alpha=0.05,
                horizon=2_000,
            )
            for n, c, t in zip(looks.tolist(), control.tolist(), treatment.tolist(), strict=True)
        )
    assert 0.01 <= n_wrong / 2_000 <= 0.05


def test_the_mean_of_paired_differences_is_rarely_ever_missed() -> None:
    rng = np.random.default_rng(4)
    looks = np.arange(50, 2_001, 25)
    n_wrong = 0
    for _ in range(2_000):
        values = rng.choice([-1.0, 0.0, 1.0], p=[0.08, 0.84, 0.08], size=2_000)
        totals, squares = np.cumsum(values)[looks - 1], np.cumsum(values**2)[looks - 1]
        rows = zip(looks.tolist(), totals.tolist(), squares.tolist(), strict=True)
        n_wrong += any(
            -total / n
            > mean_half_width(
                Sample.of_sums(n, total, square).padded(-1.0, 1.0), alpha=0.05, horizon=2_000
            )
            for n, total, square in rows
        )
    assert 0.005 <= n_wrong / 2_000 <= 0.05
