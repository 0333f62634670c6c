from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.stats.curtailment import best_remaining, paired_outcome

# Scores and bars as decimals, so that exact arithmetic says what a person would.
SCORE = st.sampled_from(["0", "0.25", "0.3", "0.5", "0.8", "1"])
BAR = st.sampled_from(["-0.25", "-0.1", "-0.03", "0", "0.05", "0.1", "0.3", "0.5"])
PAIRS = st.lists(st.tuples(SCORE, SCORE), min_size=1, max_size=25)


def passes(pairs: list[tuple[str, str]], bar: str) -> bool:
    differences = [Fraction(after) - Fraction(before) for before, after in pairs]
    return sum(differences, Fraction(0)) / len(pairs) > Fraction(bar)


@given(pairs=PAIRS, bar=BAR, done=st.integers(0, 25))
def test_a_settled_outcome_is_that_of_the_full_evaluation(
    pairs: list[tuple[str, str]], bar: str, done: int
) -> None:
    differences = [float(after) - float(before) for before, after in pairs[:done]]
    remaining = [float(before) for before, _ in pairs[done:]]
    outcome = paired_outcome(differences, remaining, bar=float(bar))
    assert outcome in {"open", "cannot_fail" if passes(pairs, bar) else "cannot_pass"}
    if not remaining:
        assert outcome != "open"


@given(pairs=PAIRS, bar=BAR)
def test_a_settled_outcome_stays_settled(pairs: list[tuple[str, str]], bar: str) -> None:
    differences = [float(after) - float(before) for before, after in pairs]
    baseline = [float(before) for before, _ in pairs]
    outcomes = [
        paired_outcome(differences[:done], baseline[done:], bar=float(bar))
        for done in range(len(pairs) + 1)
    ]
    settled = [outcome for outcome in outcomes if outcome != "open"]
    assert len(set(settled)) == 1
    assert outcomes[-len(settled) :] == settled


@given(pairs=PAIRS, bar=BAR)
def test_an_open_outcome_can_really_go_both_ways(pairs: list[tuple[str, str]], bar: str) -> None:
    done = len(pairs) // 2
    differences = [float(after) - float(before) for before, after in pairs[:done]]
    remaining = [before for before, _ in pairs[done:]]
    if paired_outcome(differences, [float(b) for b in remaining], bar=float(bar)) == "open":
        assert passes([*pairs[:done], *((before, "1") for before in remaining)], bar)
        assert not passes([*pairs[:done], *((before, "0") for before in remaining)], bar)


def test_it_settles_as_soon_as_the_rest_cannot_matter() -> None:
    half = [0.5] * 4
    assert paired_outcome([-1.0, -0.5, 0.0, 0.0], half, bar=0.0) == "open"
    assert paired_outcome([-1.0, -1.0, 0.0, 0.0], half, bar=0.0) == "cannot_pass"
    assert paired_outcome([1.0, 1.0, 0.0, 0.0], half, bar=0.0) == "open"
    assert paired_outcome([1.0, 1.0, 0.5, 0.0], half, bar=0.0) == "cannot_fail"


def test_a_baseline_that_passes_everything_left_leaves_nothing_to_gain() -> None:
    assert paired_outcome([0.0, 0.0], [1.0] * 50, bar=0.0) == "cannot_pass"
    assert paired_outcome([1.0], [0.0] * 50, bar=0.0) == "cannot_fail"


def test_a_tie_with_the_bar_does_not_pass() -> None:
    assert paired_outcome([0.1] * 10, [], bar=0.1) == "cannot_pass"
    assert paired_outcome([0.3 - 0.2] * 10, [], bar=0.1) == "cannot_pass"


def test_what_can_still_be_gained_is_what_the_baseline_lost() -> None:
    assert best_remaining([1.0, 0.25, 0.0]) == 1.75
    assert best_remaining([]) == 0.0


def test_scores_that_cannot_be_are_errors() -> None:
    with pytest.raises(ValueError, match="at least one case"):
        paired_outcome([], [], bar=0.0)
    with pytest.raises(ValueError, match="differences"):
        paired_outcome([1.5], [], bar=0.0)
    with pytest.raises(ValueError, match="scores"):
        best_remaining([1.5])
