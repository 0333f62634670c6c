from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.stats.association import fisher_p_value, slice_lift

from .scipy_oracle import scipy_stats

GROUP = st.integers(0, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("table", "p_value"),
    [
        ((3, 4, 1, 4), 0.4857),  # Fisher's lady tasting tea, two-sided
        ((1, 10, 11, 14), 0.00276),  # the textbook table of 1, 9, 11 and 3
        ((10, 13, 2, 17), 0.00054),  # Fisher's twins of convicts
    ],
)
def test_fisher_gives_the_published_values(
    table: tuple[int, int, int, int], p_value: float
) -> None:
    assert fisher_p_value(*table) == pytest.approx(p_value, abs=5e-5)


@given(one=GROUP, other=GROUP)
def test_fisher_agrees_with_scipy(one: tuple[int, int], other: tuple[int, int]) -> None:
    (hits, n), (other_hits, other_n) = one, other
    found = fisher_p_value(hits, n, other_hits, other_n)
    table = [[hits, n - hits], [other_hits, other_n - other_hits]]
    assert found == pytest.approx(float(scipy_stats.fisher_exact(table).pvalue), rel=1e-6)
    swapped = fisher_p_value(other_hits, other_n, hits, n)
    assert swapped == pytest.approx(found, rel=1e-9)
    failures = fisher_p_value(n - hits, n, other_n - other_hits, other_n)
    assert failures == pytest.approx(found, rel=1e-6)


@given(one=GROUP, other=GROUP)
def test_the_mid_p_value_takes_half_of_the_tables_that_are_as_likely(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    (hits, n), (other_hits, other_n) = one, other
    law = scipy_stats.hypergeom(n + other_n, hits + other_hits, n)
    mid, whole = (fisher_p_value(hits, n, other_hits, other_n, midp=midp) for midp in (True, False))
    own = float(law.pmf(hits)) if n + other_n else 1.0
    assert whole - mid >= own / 2 - 1e-9  # the mirrored table may be as likely
    assert whole - mid <= own + 1e-9
    assert mid > 0.0


def test_fisher_is_right_for_very_many_cases() -> None:
    found = fisher_p_value(620, 10_000, 540, 10_000)
    oracle = scipy_stats.fisher_exact([[620, 9_380], [540, 9_460]]).pvalue
    assert found == pytest.approx(float(oracle), rel=1e-6)


def test_the_lift_of_a_slice() -> None:
    found = slice_lift(9, 20, 15, 180)
    assert found.rate == pytest.approx(0.45)
    assert found.rate_outside == pytest.approx(1 / 12)
    assert found.ratio == pytest.approx(5.4)
    oracle = scipy_stats.fisher_exact([[9, 11], [15, 165]]).pvalue
    assert found.p_value == pytest.approx(float(oracle))


def test_what_was_not_seen_is_missing_and_not_zero() -> None:
    empty = slice_lift(0, 0, 5, 50)
    assert (empty.rate, empty.ratio, empty.p_value) == (None, None, None)
    everything = slice_lift(5, 50, 0, 0)
    assert (everything.rate, everything.ratio, everything.p_value) == (0.1, None, None)
    nothing_outside = slice_lift(5, 50, 0, 50)
    assert nothing_outside.ratio is None
    assert nothing_outside.p_value == pytest.approx(0.0563, abs=1e-4)
    nothing_inside = slice_lift(0, 50, 5, 50)
    assert nothing_inside.ratio == 0.0


@pytest.mark.parametrize("counts", [(5, 4, 0, 4), (-1, 4, 0, 4), (1, 4, 5, 4)])
def test_impossible_counts_are_refused(counts: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="cannot be counts"):
        slice_lift(*counts)
    with pytest.raises(ValueError, match="cannot be counts"):
        fisher_p_value(*counts)
