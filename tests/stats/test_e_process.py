from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.stats.e_process import gather_evidence, log_e_value

from .scipy_oracle import scipy_special

SIGNS = st.lists(st.sampled_from([-1.0, 0.0, 1.0]), max_size=80)


def changes(rng: random.Random, n: int, psi: float, gain: float) -> list[float]:
    """Draw differences: a share `psi` of the cases changes, `gain` more are fixed than broken."""
    fixed = (psi + gain) / 2
    draws = [rng.random() for _ in range(n)]
    return [1.0 if u < fixed else -1.0 if u < psi else 0.0 for u in draws]


@given(fixed=st.integers(0, 200), broken=st.integers(0, 200))
def test_the_evidence_is_the_formula(fixed: int, broken: int) -> None:
    tail = float(scipy_special.betainc(broken + 1, fixed + 1, 0.5))  # 1 - I_0.5(b+1, c+1)
    expected = (fixed + broken + 1) * math.log(2)
    expected += float(scipy_special.betaln(fixed + 1, broken + 1)) + math.log(tail)
    assert log_e_value(fixed, broken) == pytest.approx(expected, abs=1e-8)


def test_no_change_is_no_evidence_and_one_fixed_case_is_little() -> None:
    assert log_e_value(0, 0) == 0.0
    assert math.exp(log_e_value(1, 0)) == pytest.approx(1.5)
    assert math.exp(log_e_value(0, 1)) == pytest.approx(0.5)
    assert math.exp(log_e_value(6, 0)) < 20 < math.exp(log_e_value(7, 0))


@given(fixed=st.integers(0, 60), broken=st.integers(0, 60))
def test_the_evidence_is_a_fair_bet_where_nothing_is_better(fixed: int, broken: int) -> None:
    """Its expectation after one more changed case is what it was: a martingale."""
    after = math.exp(log_e_value(fixed + 1, broken)) + math.exp(log_e_value(fixed, broken + 1))
    assert after / 2 == pytest.approx(math.exp(log_e_value(fixed, broken)), rel=1e-9)


@given(differences=SIGNS)
def test_following_the_cases_gives_the_evidence_of_the_counts(differences: list[float]) -> None:
    found = gather_evidence(differences, alpha=1e-6)
    seen = differences[: found.n_cases]
    assert (found.fixed, found.broken) == (seen.count(1.0), seen.count(-1.0))
    assert found.log_e == pytest.approx(log_e_value(found.fixed, found.broken), abs=1e-9)
    assert math.exp(-found.log_e) >= found.p_value * (1 - 1e-9)
    assert 0.0 < found.p_value <= 1.0
    assert found.stopped == (found.p_value <= 1e-6)
    assert found.stopped or found.n_cases == len(differences)


def test_it_stops_at_the_case_that_decides() -> None:
    found = gather_evidence([0.0, *[1.0] * 50])
    assert found.stopped
    assert found.fixed == found.n_cases - 1 == 7  # a test at the end wants 5 to 0
    assert found.p_value <= 0.05
    assert not gather_evidence([1.0] * 6).stopped
    assert gather_evidence([0.25] * 50).n_cases == 7  # the sign counts


def test_thousands_of_changes_do_not_overflow() -> None:
    rng = random.Random(3)
    found = gather_evidence(changes(rng, 6_000, 0.5, -0.2))
    assert not found.stopped
    assert -20 < found.log_e < -5  # what is broken costs the bet, but never all of it
    assert log_e_value(4_000, 0) == pytest.approx(4_001 * math.log(2) - math.log(4_001), abs=1e-6)


def test_it_rarely_claims_anything_where_nothing_is_better() -> None:
    """Peeking after each of 500 cases, 2,000 times; 5 % is the most that may happen."""
    rng = random.Random(11)
    n_stopped = sum(gather_evidence(changes(rng, 500, 0.2, 0.0)).stopped for _ in range(2_000))
    assert 0.01 <= n_stopped / 2_000 <= 0.05


def test_it_finds_a_gain_of_ten_points_early() -> None:
    rng = random.Random(12)
    found = [gather_evidence(changes(rng, 500, 0.2, 0.1)) for _ in range(300)]
    assert sum(item.stopped for item in found) > 285
    assert 110 < sum(item.n_cases for item in found) / 300 < 170


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="-1 fixed"):
        log_e_value(-1, 2)
    with pytest.raises(ValueError, match="alpha"):
        gather_evidence([1.0], alpha=0.0)
    with pytest.raises(ValueError, match="finite"):
        gather_evidence([1.0, math.nan])
