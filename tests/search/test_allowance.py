"""What a policy plans with: trials, parts of train, batches (criterion G6)."""

from __future__ import annotations

import math

import pytest

from promptyard.search.allowance import Allowance, Batches, two_parts, unseen_by
from support.stations import label_case, seed_candidate
from support.toy_search import ToyContext, ToyWorld

CASES = [label_case(f"c{n}", f"text {n}", "top_up") for n in range(11)]


@pytest.mark.parametrize(("n_cases", "size"), [(9, 3), (11, 3), (10, 4), (2, 3)])
def test_g6_each_case_is_seen_once_in_an_epoch(n_cases: int, size: int) -> None:
    batches = Batches(CASES[:n_cases], size, "seed")
    n_batches = math.ceil(n_cases / size)
    for _ in range(5):
        epoch = [batches.next() for _ in range(n_batches)]
        assert all(len({case.id for case in batch}) == min(size, n_cases) for batch in epoch)
        first = [case.id for batch in epoch for case in batch][:n_cases]
        assert sorted(first) == sorted(case.id for case in CASES[:n_cases])


def test_g6_the_order_is_another_in_each_epoch_and_the_same_for_a_seed() -> None:
    def ids(seed: str) -> list[tuple[str, ...]]:
        batches = Batches(CASES[:9], 3, seed)
        return [tuple(case.id for case in batches.next()) for _ in range(6)]

    assert ids("a") == ids("a")
    assert ids("a")[:3] != ids("a")[3:]
    assert ids("a") != ids("b")


def test_train_is_parted_by_what_can_be_paid() -> None:
    train = CASES * 10  # 110
    for left, n_choosing in ((math.inf, 55), (1200, 40), (300, 10), (30, 8)):
        learning, choosing = two_parts(train, left, most=60)
        assert len(choosing) == n_choosing
        assert (*learning, *choosing) == tuple(train)
    assert len(two_parts(train * 2, math.inf, most=60)[1]) == 60
    learning, choosing = two_parts(CASES[:1], math.inf, most=60)
    assert [*learning, *choosing] == [CASES[0]] * 2  # one case has to do for both


def test_trials_are_counted_in_calls_of_all_steps() -> None:
    context = ToyContext(ToyWorld(), [], budget=10)
    allowance = Allowance(context)
    assert allowance.take(7)
    assert not allowance.take(4)
    allowance.give_back(2)
    assert allowance.take(4)
    assert math.isinf(Allowance(ToyContext(ToyWorld(), [])).left)


def test_what_a_candidate_shows_does_not_measure_it() -> None:
    shown = (
        "system:\nSort.\n\ndemos:\n"
        '{"input": {"text": "text 3"}, "output": "top_up", "case_id": "c3"}\n'
        "user:\n{{text}}\n"
    )
    left = unseen_by(CASES, seed_candidate(), seed_candidate(shown))
    assert [case.id for case in left] == [case.id for case in CASES if case.id != "c3"]
