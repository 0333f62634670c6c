"""The ledger: no prefix of a run, however concurrent, exceeds the budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.errors import BudgetExceeded
from promptyard.records.budget import Budget
from promptyard.runner.ledger import Ledger, Reservation


@given(
    limit=st.integers(0, 12),
    steps=st.lists(st.sampled_from(["reserve", "settle", "fail"]), max_size=60),
)
def test_calls_never_exceed_the_budget_in_any_order_of_steps(limit: int, steps: list[str]) -> None:
    ledger = Ledger(Budget(task_calls=limit))
    held: list[Reservation] = []
    n_granted = 0
    for step in steps:
        if step == "reserve":
            try:
                held.append(ledger.reserve("task"))
                n_granted += 1
            except BudgetExceeded:
                assert n_granted == limit
        elif held:
            ledger.settle(held.pop(), failure="timeout" if step == "fail" else None)
        assert ledger.spent.task_calls == n_granted <= limit


def test_roles_have_limits_of_their_own() -> None:
    ledger = Ledger(Budget(task_calls=1, optimizer_calls=0))
    ledger.reserve("task")
    ledger.reserve("judge")
    with pytest.raises(BudgetExceeded, match="raise optimizer_calls"):
        ledger.reserve("optimizer")


def test_reserved_tokens_and_money_count_until_they_are_settled() -> None:
    ledger = Ledger(Budget(tokens=100, usd=1.0))
    first = ledger.reserve("task", tokens=60, usd=0.6)
    with pytest.raises(BudgetExceeded, match="tokens"):
        ledger.reserve("task", tokens=60)
    ledger.settle(first, tokens=10, usd=0.1)
    second = ledger.reserve("task", tokens=60, usd=0.8)
    ledger.settle(second, tokens=90, usd=0.9)
    assert ledger.spent.tokens == 100
    with pytest.raises(BudgetExceeded):
        ledger.reserve("task", tokens=1)


def test_calls_kept_for_the_decision_are_not_spent_by_the_search() -> None:
    ledger = Ledger(Budget(task_calls=10))
    ledger.withhold({"full": 3, "decide": 5})
    assert ledger.free_task_calls_left == 2
    ledger.reserve("task")
    ledger.reserve("task")
    with pytest.raises(BudgetExceeded, match="kept for the decision"):
        ledger.reserve("task")
    ledger.release("full")
    for _ in range(3):
        ledger.reserve("task")
    with pytest.raises(BudgetExceeded, match="5 are kept"):
        ledger.reserve("task")
    ledger.release("decide")
    for _ in range(5):
        ledger.reserve("task")
    with pytest.raises(BudgetExceeded):
        ledger.reserve("task")


def test_time_runs_out() -> None:
    now = 0.0
    ledger = Ledger(Budget(seconds=5), clock=lambda: now)
    ledger.reserve("task")
    now = 5.0
    with pytest.raises(BudgetExceeded, match="seconds"):
        ledger.reserve("task")


def test_attempts_of_earlier_sessions_count() -> None:
    past = [
        {"role": "task", "key": "a", "outcome": "ok", "tokens": 7, "cost_usd": 0.5},
        {"role": "task", "key": "b", "outcome": "rate_limited", "tokens": None, "cost_usd": None},
        {"role": "task", "key": "b", "outcome": None, "tokens": None, "cost_usd": None},
    ]
    ledger = Ledger(Budget(task_calls=4), past=past)
    ledger.reserve("task")
    with pytest.raises(BudgetExceeded):
        ledger.reserve("task")
    spent = ledger.spent
    assert (spent.task_calls, spent.tokens, spent.usd) == (4, 7, 0.5)
    assert spent.failures == {"rate_limited": 1}


def test_calls_without_a_known_price_are_counted_apart() -> None:
    ledger = Ledger(Budget())
    ledger.settle(ledger.reserve("task"), tokens=3, usd=None)
    assert ledger.spent.unpriced_calls == 1
    assert ledger.spent.usd == 0
