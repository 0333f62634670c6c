from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.stats.hard_failures import log_e_above, log_e_share_above, log_e_share_below

RATES = st.floats(0.001, 0.9)
COUNTS = st.integers(0, 300)


@given(hits=COUNTS, misses=COUNTS, p0=RATES)
def test_the_evidence_is_a_fair_bet_at_the_tolerated_rate(
    hits: int, misses: int, p0: float
) -> None:
    """Its expectation after one more subject is what it was: a martingale, exact at any size."""
    n = hits + misses
    now = log_e_above(hits, n, p0)
    after = p0 * math.exp(log_e_above(hits + 1, n + 1, p0) - now)
    after += (1.0 - p0) * math.exp(log_e_above(hits, n + 1, p0) - now)
    assert after == pytest.approx(1.0, rel=1e-9)


@given(hits=COUNTS, misses=COUNTS, p0=RATES, share=st.floats(0.0, 1.0))
def test_a_lower_rate_than_the_tolerated_one_only_loses(
    hits: int, misses: int, p0: float, share: float
) -> None:
    n, rate = hits + misses, p0 * share
    now = log_e_above(hits, n, p0)
    after = rate * math.exp(log_e_above(hits + 1, n + 1, p0) - now)
    after += (1.0 - rate) * math.exp(log_e_above(hits, n + 1, p0) - now)
    assert after <= 1.0 + 1e-9


def test_no_subject_is_no_evidence_and_failures_are() -> None:
    assert log_e_above(0, 0, 0.01) == pytest.approx(0.0)
    assert log_e_above(0, 500, 0.01) < 0.0
    assert log_e_above(3, 30, 0.01) > log_e_above(1, 30, 0.01)
    assert log_e_above(25, 500, 0.01) > math.log(1000.0)
    assert log_e_above(900_000, 1_000_000, 0.01) < math.inf


@given(few=st.integers(0, 40), many=st.integers(0, 40), n=st.integers(40, 500))
def test_who_of_two_fails_too_often_is_a_question_with_two_sides(
    few: int, many: int, n: int
) -> None:
    above = log_e_share_above(many, few, n_treatment=n, n_control=n, ratio=1.0)
    below = log_e_share_below(few, many, n_treatment=n, n_control=n, ratio=1.0)
    assert above == pytest.approx(below, abs=1e-9)
    assert min(above, log_e_share_below(many, few, n_treatment=n, n_control=n)) < math.log(20.0)


def test_more_subjects_of_the_treatment_explain_more_failures_of_it() -> None:
    even = log_e_share_above(60, 10, n_treatment=1000, n_control=1000)
    uneven = log_e_share_above(60, 10, n_treatment=1500, n_control=500)
    assert even > math.log(20.0) > uneven
    assert log_e_share_above(60, 10, n_treatment=500, n_control=1500) <= even


@pytest.mark.parametrize("p0", [0.0, 1.0, -0.1])
def test_a_rate_that_cannot_be_is_refused(p0: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        log_e_above(1, 2, p0)


def test_counts_that_cannot_be_are_refused() -> None:
    for hits, n in ((-1, 2), (3, 2)):
        with pytest.raises(ValueError, match="hits"):
            log_e_above(hits, n, 0.1)
    for function in (log_e_share_above, log_e_share_below):
        with pytest.raises(ValueError, match="failures"):
            function(3, 0, n_treatment=2, n_control=2)
        with pytest.raises(ValueError, match="ratio"):
            function(1, 0, n_treatment=2, n_control=2, ratio=0.0)


def test_a_tolerated_rate_is_rarely_ever_called_too_high_however_often_one_looks() -> None:
    """2,000 rollouts at just the tolerated rate, looked at after every subject up to 2,000."""
    rng = np.random.default_rng(21)
    n_runs, n_alarms = 2_000, 0
    for _ in range(n_runs):
        at = np.flatnonzero(rng.random(2_000) < 0.01).tolist()  # evidence peaks at a failure
        n_alarms += any(log_e_above(k + 1, n + 1, 0.01) >= math.log(20.0) for k, n in enumerate(at))
    assert 0.005 <= n_alarms / n_runs <= 0.05


def test_twice_the_failures_are_rarely_ever_called_more_than_twice() -> None:
    """Subjects that come to either arm by chance; rates 4 % and 2 %, looked at every failure."""
    rng = np.random.default_rng(22)
    n_runs, n_alarms = 2_000, 0
    for _ in range(n_runs):
        arm = rng.integers(0, 2, 3_000)
        failed = rng.random(3_000) < np.where(arm == 1, 0.04, 0.02)
        at = np.flatnonzero(failed)
        n_treatment = np.cumsum(arm)[at]
        k_treatment = np.cumsum(arm[at])
        n_alarms += any(
            log_e_share_above(k_t, k - k_t, n_treatment=n_t, n_control=n - n_t) >= math.log(20.0)
            for k, k_t, n, n_t in zip(
                range(1, len(at) + 1),
                k_treatment.tolist(),
                (at + 1).tolist(),
                n_treatment.tolist(),
                strict=True,
            )
        )
    assert 0.003 <= n_alarms / n_runs <= 0.05
