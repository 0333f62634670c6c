from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.stats.halving import (
    NextCases,
    Rung,
    ScoresSoFar,
    halving_schedule,
    next_halving,
    next_race,
    schedule_calls,
)

Scores = Mapping[str, list[float | None]]


def run(all_scores: Scores, ask: Callable[[ScoresSoFar], NextCases]) -> tuple[NextCases, int]:
    """Run candidates as told until done; return the end and how many trials were made."""
    seen: dict[str, list[float | None]] = {name: [] for name in all_scores}
    for _ in range(1_000):
        step = ask(seen)
        if step.done:
            return step, sum(map(len, seen.values()))
        for name in step.candidates:
            assert len(seen[name]) <= step.n_cases
            seen[name] = list(all_scores[name][: step.n_cases])
    raise AssertionError("it never ends")


def world(seed: int, n_candidates: int = 16, n_cases: int = 200) -> tuple[Scores, list[float]]:
    """Scores of candidates whose ability spreads by 0.35 logit, and their true means."""
    rng = np.random.default_rng(seed)
    ability = rng.normal(1.4, 0.35, n_candidates)
    logits = ability[:, None] + rng.normal(0.0, 1.5, n_cases)[None, :]
    rates = 1 / (1 + np.exp(-logits))
    drawn = (rng.random(rates.shape) < rates).astype(float)
    scores: Scores = {f"c{index}": list(row) for index, row in enumerate(drawn.tolist())}
    return scores, rates.mean(axis=1).tolist()


# Halving


def test_the_schedule_of_the_anchor() -> None:
    schedule = halving_schedule(16, 200, n_first=25)
    assert schedule == (Rung(25, 8), Rung(75, 4), Rung(175, 2), Rung(200, 1))
    assert schedule == halving_schedule(16, 200)
    assert schedule_calls(schedule, 16) == 1_250


@pytest.mark.parametrize(
    ("n_candidates", "n_cases", "schedule"),
    [
        (4, 200, (Rung(67, 2), Rung(200, 1))),  # few candidates see more cases
        (2, 100, (Rung(100, 1),)),
        (64, 100, (Rung(25, 32), Rung(75, 16), Rung(100, 1))),  # few cases rank many at the end
        (16, 20, (Rung(20, 1),)),
        (1, 100, ()),
    ],
)
def test_the_last_rung_uses_all_cases(
    n_candidates: int, n_cases: int, schedule: tuple[Rung, ...]
) -> None:
    assert halving_schedule(n_candidates, n_cases) == schedule


@given(
    n_candidates=st.integers(2, 80),
    n_cases=st.integers(1, 400),
    n_first=st.none() | st.integers(1, 60),
    eta=st.integers(2, 4),
)
def test_a_schedule_is_nested_and_ends_with_one(
    n_candidates: int, n_cases: int, n_first: int | None, eta: int
) -> None:
    schedule = halving_schedule(n_candidates, n_cases, n_first=n_first, eta=eta)
    prefixes = [rung.n_cases for rung in schedule]
    kept = [n_candidates, *(rung.n_kept for rung in schedule)]
    assert prefixes == sorted(set(prefixes))
    assert prefixes[-1] <= n_cases
    assert kept == sorted(set(kept), reverse=True)
    assert kept[-1] == 1
    assert n_first is not None or prefixes[-1] == n_cases
    assert schedule_calls(schedule, n_candidates) <= n_candidates * n_cases


def test_halving_drops_the_worse_half_at_each_rung() -> None:
    scores, _ = world(1)
    schedule = halving_schedule(16, 200)
    for name, row in scores.items():  # no ties
        row[0] = float(name[1:]) / 100
    step = next_halving({name: [] for name in scores}, schedule)
    assert step == NextCases(tuple(scores), 25, False)
    step = next_halving({name: row[:25] for name, row in scores.items()}, schedule)
    assert step.n_cases == 75
    assert len(step.candidates) == 8

    def mean(name: str) -> float:
        return sum(score or 0.0 for score in scores[name][:25])

    assert list(step.candidates) == sorted(scores, key=mean, reverse=True)[:8]
    end, calls = run(scores, lambda seen: next_halving(seen, schedule))
    assert calls == 1_250
    assert len(end.candidates) == 1
    assert end.n_cases == 200


def test_ties_are_kept() -> None:
    rows = {"a": 0.9, "b": 0.5, "c": 0.5, "d": 0.5, "e": 0.1}
    scores: Scores = {name: [value] * 40 for name, value in rows.items()}
    schedule = (Rung(10, 2), Rung(40, 1))
    step = next_halving({name: row[:10] for name, row in scores.items()}, schedule)
    assert step.candidates == ("a", "b", "c", "d")
    end, _ = run({name: [1.0] * 40 for name in rows}, lambda seen: next_halving(seen, schedule))
    assert end.candidates == tuple(rows)


def test_cases_without_a_score_compare_nobody() -> None:
    """A candidate is not better because the hard cases gave it no score."""
    hard: list[float | None] = [0.0] * 4
    scores: Scores = {
        "lucky": [None, None, None, None, 1.0, 1.0, 0.0, 1.0],
        "better": [*hard, 1.0, 1.0, 1.0, 1.0],
        "silent": [None] * 5 + [1.0] * 3,
    }
    end = next_halving(scores, (Rung(8, 1),))
    assert end.candidates == ("better",)
    assert end.unmeasured == ("silent",)
    nobody: Scores = {"x": [None] * 8, "y": [None] * 8}
    assert next_halving(nobody, (Rung(8, 1),)).candidates == ()
    assert next_halving({"only": []}, ()).candidates == ("only",)


def test_a_survivor_that_is_alone_runs_no_further() -> None:
    scores: Scores = {"a": [1.0] * 10, "b": [None] * 10}
    end = next_halving(scores, (Rung(10, 1), Rung(50, 1)))
    assert (end.candidates, end.done, end.n_cases) == (("a",), True, 10)


@pytest.mark.parametrize("arguments", [(0, 5), (5, 0)])
def test_a_schedule_of_nothing_is_refused(arguments: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="halving needs"):
        halving_schedule(*arguments)
    with pytest.raises(ValueError, match="halving needs"):
        halving_schedule(5, 5, n_first=0)
    with pytest.raises(ValueError, match="halving needs"):
        halving_schedule(5, 5, eta=1)


# Racing


def test_who_is_clearly_behind_goes_after_each_block() -> None:
    good: list[float | None] = [1.0, 1.0, 1.0, 0.0] * 25
    near: list[float | None] = [1.0, 1.0, 0.0, 1.0] * 25
    bad: list[float | None] = [0.0, 1.0, 0.0, 0.0] * 25
    scores: Scores = {"good": good, "near": near, "bad": bad}
    start = next_race({name: [] for name in scores}, 100)
    assert start == NextCases(("good", "near", "bad"), 25, False)
    step = next_race({name: row[:25] for name, row in scores.items()}, 100)
    assert set(step.candidates) == {"good", "near"}
    assert step.n_cases == 50
    end, calls = run(scores, lambda seen: next_race(seen, 100))
    assert set(end.candidates) == {"good", "near"}  # a tie
    assert calls == 225


def test_the_standard_error_is_that_of_the_pairs() -> None:
    """0.16 behind on 25 cases: z = 2.1 where 4 cases are lost, 1.1 where 14 change hands."""
    leader: list[float | None] = [*[1.0] * 20, *[0.0] * 5]
    close: list[float | None] = [*[1.0] * 16, *[0.0] * 9]
    other: list[float | None] = [*[0.0] * 9, *[1.0] * 16]
    assert next_race({"a": leader, "b": close}, 50).candidates == ("a",)
    assert next_race({"a": leader, "b": other}, 50).candidates == ("a", "b")
    clusters = [str(number // 25) for number in range(50)]  # one cluster says nothing of spread
    assert next_race({"a": leader, "b": close}, 50, clusters=clusters).candidates == ("a", "b")


def test_a_constant_lag_is_clear() -> None:
    scores: Scores = {"a": [0.8] * 25, "b": [0.7] * 25, "c": [0.8] * 25}
    assert next_race(scores, 50).candidates == ("a", "c")


def test_a_race_of_one_costs_nothing() -> None:
    assert next_race({"a": []}, 100) == NextCases(("a",), 0, True)
    assert next_race({"a": [None] * 25, "b": [None] * 25}, 100).unmeasured == ("a", "b")
    with pytest.raises(ValueError, match="a race needs"):
        next_race({"a": []}, 0)


# What they are worth


@pytest.mark.no_cover  # the same lines many times
def test_both_find_nearly_the_best_for_a_fraction_of_the_calls() -> None:
    """Full grid: 3,200 calls and a regret of about one point."""
    schedule = halving_schedule(16, 200)
    policies: dict[str, Callable[[ScoresSoFar], NextCases]] = {
        "halving": lambda seen: next_halving(seen, schedule),
        "race": lambda seen: next_race(seen, 200),
    }
    regret = dict.fromkeys(policies, 0.0)
    n_calls = dict.fromkeys(policies, 0)
    n_runs = 120
    for seed in range(n_runs):
        scores, truth = world(seed)
        for name, ask in policies.items():
            end, calls = run(scores, ask)
            n_calls[name] += calls
            chosen = truth[int(end.candidates[0][1:])]
            regret[name] += 100 * (max(truth) - chosen) / n_runs
    assert 1_250 <= n_calls["halving"] / n_runs < 1_600
    assert n_calls["race"] / n_runs < 1_100
    assert regret["halving"] < 1.8  # a random choice loses more than 10 points
    assert regret["race"] < 2.2
    assert all(math.isfinite(value) for value in regret.values())
