from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.stats.distributions import incomplete_beta, normal_quantile, student_t_quantile

from .scipy_oracle import scipy_special, scipy_stats

PROBABILITIES = (0.001, 0.025, 0.2, 0.5, 0.8, 0.95, 0.975, 0.9995)


@pytest.mark.parametrize("df", [1, 2, 3, 7.5, 30, 499, 1e5])
@pytest.mark.parametrize("probability", PROBABILITIES)
def test_t_quantiles_agree_with_scipy(probability: float, df: float) -> None:
    expected = float(scipy_stats.t.ppf(probability, df))
    assert student_t_quantile(probability, df) == pytest.approx(expected, rel=1e-8, abs=1e-12)


def test_the_t_quantile_becomes_the_normal_one() -> None:
    assert student_t_quantile(0.975, 1e9) == normal_quantile(0.975)
    assert student_t_quantile(0.975, 1e7) == pytest.approx(normal_quantile(0.975), rel=1e-6)


@given(
    x=st.floats(0.0, 1.0, allow_subnormal=False),
    a=st.floats(0.1, 5000.0),
    b=st.floats(0.1, 5000.0),
)
def test_the_incomplete_beta_function_agrees_with_scipy(x: float, a: float, b: float) -> None:
    assert incomplete_beta(x, a, b) == pytest.approx(
        float(scipy_special.betainc(a, b, x)), abs=1e-10
    )


@pytest.mark.parametrize(("probability", "df"), [(0.0, 3), (1.0, 3), (0.5, 0), (0.5, -1)])
def test_a_t_quantile_outside_its_range_is_an_error(probability: float, df: float) -> None:
    with pytest.raises(ValueError, match="t quantile"):
        student_t_quantile(probability, df)


@pytest.mark.parametrize(("x", "a"), [(-0.1, 1.0), (1.1, 1.0), (0.5, 0.0)])
def test_an_incomplete_beta_outside_its_range_is_an_error(x: float, a: float) -> None:
    with pytest.raises(ValueError, match="incomplete beta"):
        incomplete_beta(x, a, 1.0)
