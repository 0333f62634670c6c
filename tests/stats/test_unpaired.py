from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.stats.association import fisher_p_value
from promptyard.stats.unpaired import compare_unpaired_means, compare_unpaired_rates

from .scipy_oracle import scipy_stats

GROUP = st.integers(1, 80).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
VALUES = st.lists(st.integers(0, 50), min_size=2, max_size=30)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [  # Newcombe 1998, table II, method 10; his difference is first minus second
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((0, 10, 0, 10), -0.2775, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0000),
        ((10, 10, 0, 10), 0.6075, 1.0000),
    ],
)
def test_newcombe_gives_the_published_limits(
    counts: tuple[int, int, int, int], low: float, high: float
) -> None:
    hits, n, other_hits, other_n = counts
    found = compare_unpaired_rates(other_hits, other_n, hits, n)
    assert found.interval.low == pytest.approx(low, abs=5e-5)
    assert found.interval.high == pytest.approx(high, abs=5e-5)


@given(one=GROUP, other=GROUP)
def test_rates_mirror_when_the_groups_change_places(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    found = compare_unpaired_rates(*one, *other)
    mirrored = compare_unpaired_rates(*other, *one)
    assert mirrored.difference == -found.difference
    assert mirrored.p_value == pytest.approx(found.p_value)
    assert mirrored.interval.low == pytest.approx(-found.interval.high)
    assert -1.0 <= found.interval.low < found.interval.high <= 1.0
    assert found.interval.low <= found.difference <= found.interval.high
    assert found.p_value <= fisher_p_value(*one, *other)


def test_the_test_of_two_rates_keeps_its_size() -> None:
    """Summed over all outcomes of two groups of 40, not simulated."""
    n = 40
    for rate in (0.1, 0.5, 0.8):
        mass = scipy_stats.binom.pmf(range(n + 1), n, rate)
        size = sum(
            mass[first] * mass[second]
            for first in range(n + 1)
            for second in range(n + 1)
            if compare_unpaired_rates(first, n, second, n).p_value <= 0.05
        )
        assert 0.02 < size < 0.06


@given(first=VALUES, second=VALUES)
def test_means_agree_with_scipy(first: list[int], second: list[int]) -> None:
    found = compare_unpaired_means(first, second)
    if len(set(first)) == len(set(second)) == 1:
        assert found is None
        return
    assert found is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a group that does not vary
        oracle = scipy_stats.ttest_ind(second, first, equal_var=False)
    assert found.p_value == pytest.approx(float(oracle.pvalue), rel=1e-6, abs=1e-9)
    limits = oracle.confidence_interval(0.95)
    assert found.interval.low == pytest.approx(float(limits.low), abs=1e-6)
    assert found.interval.high == pytest.approx(float(limits.high), abs=1e-6)


def test_pairing_sees_what_two_groups_do_not() -> None:
    """Why the name says unpaired: the same cases, and the claim is lost."""
    from promptyard.stats.paired import compare_paired

    rng = np.random.default_rng(1)
    before = (rng.random(200) < 0.6).astype(float)
    after = before.copy()
    after[np.flatnonzero(before == 0.0)[:12]] = 1.0
    paired = compare_paired(before.tolist(), after.tolist())
    counts = (int(before.sum()), 200, int(after.sum()), 200)
    assert paired.p_value < 0.001
    assert compare_unpaired_rates(*counts).p_value > 0.1


def test_groups_that_say_nothing_are_refused_or_missing() -> None:
    with pytest.raises(ValueError, match="0 and 5"):
        compare_unpaired_rates(0, 0, 1, 5)
    with pytest.raises(ValueError, match="cannot be counts"):
        compare_unpaired_rates(6, 5, 1, 5)
    with pytest.raises(ValueError, match="finite"):
        compare_unpaired_means([1.0, math.inf], [1.0, 2.0])
    assert compare_unpaired_means([1.0], [1.0, 2.0]) is None
    assert compare_unpaired_means([0.1 + 0.2, 0.3], [0.3, 0.3]) is None
