"""What a search is expected to spend: within its budget, and near what searches do spend."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.search.auto import Auto
from promptyard.search.outlook import SearchOutlook, search_outlook
from promptyard.testing.search_world import WorldContext


def outlook(n_train: int = 100, runs_left: int | None = None, **changes: object) -> SearchOutlook:
    given_: dict[str, object] = {
        "n_train": n_train,
        "n_labels": 0,
        "generators": ("reflect", "demos"),
        "runs_left": runs_left,
        **changes,
    }
    return search_outlook("auto", **given_)  # type: ignore[arg-type]


def runs(found: SearchOutlook) -> int:
    return sum(phase.runs or 0 for phase in found.phases)


@given(st.integers(0, 2000), st.integers(0, 3000), st.integers(0, 200))
def test_no_phase_expects_more_than_the_budget_pays(n_train: int, left: int, labels: int) -> None:
    found = outlook(n_train, left, n_labels=labels)
    assert runs(found) <= left
    assert all((phase.runs or 0) >= 0 for phase in found.phases)
    assert (found.optimizer_calls or 0) >= 0


@given(st.integers(1, 500), st.integers(0, 1000))
def test_a_larger_budget_never_expects_less(n_train: int, left: int) -> None:
    assert (
        runs(outlook(n_train, left)) <= runs(outlook(n_train, left + 50)) <= runs(outlook(n_train))
    )


def test_without_other_generators_none_are_expected() -> None:
    phases = {phase.phase: phase.runs for phase in outlook(generators=("reflect",)).phases}
    assert phases["other generators"] == 0
    assert phases["baseline"] == 30


def test_another_policy_is_expected_to_use_its_budget_up() -> None:
    for left in (None, 400):
        found = search_outlook("opro", n_train=9, n_labels=0, generators=(), runs_left=left)
        assert [phase.runs for phase in found.phases] == [left]
        assert found.optimizer_calls is None


@pytest.mark.parametrize("n_cases", [40, 100])
def test_a_real_search_spends_no_more_than_twice_what_is_expected(n_cases: int) -> None:
    context = WorldContext(n_cases=n_cases)
    asyncio.run(Auto().search(context))
    expected = runs(outlook(n_cases, generators=("reflect",)))
    assert context.n_calls <= 2 * expected
