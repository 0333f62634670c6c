from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.stats.sample_ratio import log_e_ratio, ratio_p_value

from .scipy_oracle import scipy_special

COUNTS = st.integers(0, 100_000)


@given(first=COUNTS, second=COUNTS)
def test_the_evidence_is_the_formula_and_does_not_ask_which_arm_is_which(
    first: int, second: int
) -> None:
    expected = (first + second) * math.log(2.0)
    expected += float(scipy_special.betaln(first + 1, second + 1))
    assert log_e_ratio(first, second) == pytest.approx(expected, abs=1e-6)
    assert log_e_ratio(first, second) == log_e_ratio(second, first)


@given(first=st.integers(0, 500), second=st.integers(0, 500))
def test_the_evidence_is_a_fair_bet_where_the_arms_are_even(first: int, second: int) -> None:
    after = math.exp(log_e_ratio(first + 1, second)) + math.exp(log_e_ratio(first, second + 1))
    assert after / 2 == pytest.approx(math.exp(log_e_ratio(first, second)), rel=1e-8)


def test_an_empty_arm_is_found_after_a_dozen_subjects() -> None:
    assert log_e_ratio(0, 0) == 0.0
    assert log_e_ratio(12, 0) < math.log(1000.0) < log_e_ratio(14, 0)
    with pytest.raises(ValueError, match="0 subjects or more"):
        log_e_ratio(-1, 3)


def test_even_arms_raise_no_alarm_and_uneven_ones_do() -> None:
    """Up to 10,000 subjects, looked at every 50: 53 / 47 is found in most, 50 / 50 in none."""
    rng = np.random.default_rng(31)
    looks = np.arange(50, 10_001, 50)

    def alarms(share: float, n_runs: int) -> list[int]:
        found: list[int] = []
        for _ in range(n_runs):
            first = np.cumsum(rng.random(10_000) < share)[looks - 1].tolist()
            rows = zip(first, looks.tolist(), strict=True)
            hit = (n for a, n in rows if log_e_ratio(a, n - a) >= math.log(1000.0))
            found += [next(hit, 0)]
        return [n for n in found if n]

    assert len(alarms(0.5, 1_000)) <= 2
    faulty = alarms(0.53, 200)
    assert len(faulty) >= 160
    assert 4_000 <= float(np.median(faulty)) <= 7_500


def test_the_test_at_one_look_is_chi_square() -> None:
    assert ratio_p_value(0, 0) == ratio_p_value(50, 50) == 1.0
    chi_square = (2_120 - 2_000) ** 2 / 2_000 * 2
    expected = float(scipy_special.chdtrc(1, chi_square))
    assert ratio_p_value(2_120, 1_880) == pytest.approx(expected)
    assert log_e_ratio(2_120, 1_880) < math.log(1000.0)  # the e-value takes more subjects
    with pytest.raises(ValueError, match="0 subjects or more"):
        ratio_p_value(-1, 3)
