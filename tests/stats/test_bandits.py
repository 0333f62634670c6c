from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.stats.bandits import (
    affordable_arms,
    next_pull,
    sequential_halving,
    successive_rejects,
)
from promptyard.stats.halving import Rung, schedule_calls


def pulls(n_arms: int, n_pulls: int, rates: list[float], c: float = 1.0) -> list[int]:
    """Pull arms by UCB with Bernoulli answers; return the arms in the order of the pulls."""
    rng = random.Random(7)
    counts, sums, order = [0] * n_arms, [0.0] * n_arms, list[int]()
    for _ in range(n_pulls):
        means = [s / n if n else 0.0 for s, n in zip(sums, counts, strict=True)]
        arm = next_pull(counts, means, c=c)
        counts[arm] += 1
        sums[arm] += rng.random() < rates[arm]
        order.append(arm)
    return order


def test_p6_each_arm_is_pulled_once_before_any_twice() -> None:
    order = pulls(8, 20, [0.9] + [0.1] * 7)
    assert order[:8] == list(range(8))


def test_p6_the_bound_is_mean_plus_c_root_of_ln_t_over_n() -> None:
    # t = 12: 0.5 + sqrt(ln 12 / 4) = 1.288, 0.6 + sqrt(ln 12 / 8) = 1.157
    assert next_pull([4, 8], [0.5, 0.6], c=1.0) == 0
    assert next_pull([4, 8], [0.5, 0.6], c=0.1) == 1
    edge = (0.6 - 0.5) / (math.sqrt(math.log(12) / 4) - math.sqrt(math.log(12) / 8))
    assert next_pull([4, 8], [0.5, 0.6], c=edge * 0.999) == 1
    assert next_pull([4, 8], [0.5, 0.6], c=edge * 1.001) == 0


def test_p6_the_best_arm_gets_most_pulls() -> None:
    order = pulls(6, 300, [0.2, 0.3, 0.9, 0.3, 0.2, 0.1], c=0.5)
    assert order.count(2) > 200


def test_ties_go_to_the_first_arm() -> None:
    assert next_pull([2, 2, 2], [0.5, 0.5, 0.5]) == 0
    with pytest.raises(ValueError, match="arms"):
        next_pull([], [])


def test_p6_successive_rejects_follows_the_formula() -> None:
    n_arms, budget = 8, 100
    spread = 0.5 + sum(1 / i for i in range(2, 9))
    expected = [math.ceil((budget - n_arms) / (spread * (n_arms + 1 - k))) for k in range(1, 5)]
    plan = successive_rejects(n_arms, budget, n_kept=4)
    assert plan == tuple(Rung(n, n_arms - k) for k, n in enumerate(expected, 1))


def test_p6_sequential_halving_follows_the_formula() -> None:
    # 3 rounds of 96/3 = 32 pulls: 4 each for 8 arms, 8 each for 4, 16 each for 2.
    assert sequential_halving(8, 96) == (Rung(4, 4), Rung(12, 2), Rung(28, 1))
    assert sequential_halving(8, 96, n_kept=4) == (Rung(4, 4),)
    # floor(100 / (10 * 4)) = 2, floor(100 / (5 * 4)) = 5, floor(100 / (3 * 4)) = 8, 12
    assert sequential_halving(10, 100) == (Rung(2, 5), Rung(7, 3), Rung(15, 2), Rung(27, 1))


@given(st.integers(1, 40), st.integers(1, 4000), st.integers(1, 5))
def test_no_schedule_spends_more_than_its_budget(n_arms: int, budget: int, n_kept: int) -> None:
    for plan in (successive_rejects, sequential_halving):
        try:
            schedule = plan(n_arms, budget, n_kept=n_kept)
        except ValueError:
            continue
        assert schedule_calls(schedule, n_arms) <= budget
        assert [rung.n_cases for rung in schedule] == sorted(rung.n_cases for rung in schedule)
        assert not schedule or schedule[-1].n_kept == min(n_arms, n_kept)


@given(st.integers(1, 2000))
def test_the_affordable_number_of_arms_is_the_largest_that_can_be_halved(budget: int) -> None:
    n_arms = affordable_arms(budget)
    sequential_halving(n_arms, max(budget, 1))
    with pytest.raises(ValueError, match="at least"):
        sequential_halving(n_arms + 1, budget)
