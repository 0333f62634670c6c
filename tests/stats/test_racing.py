from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.stats.racing import beaten, better_p_value, race_level


def test_the_p_value_of_binary_scores_is_the_binomial_tail() -> None:
    assert better_p_value([1.0] * 5) == 1 / 32
    assert better_p_value([1.0] * 5 + [-1.0] + [0.0] * 9) == 7 / 64
    assert better_p_value([1.0, -1.0]) == 1.0


def test_graded_scores_are_flipped_exactly() -> None:
    # Of 8 sign patterns of 0.5, 0.3 and 0.1 only the observed one reaches 0.9.
    assert better_p_value([0.5, 0.3, 0.1]) == 1 / 8


@pytest.mark.parametrize("differences", [[], [0.0], [0.0] * 40, [1e-9] * 9, [-1.0] * 9])
def test_nothing_better_is_never_significant_and_never_undefined(differences: list[float]) -> None:
    assert better_p_value(differences) == 1.0


@given(st.lists(st.sampled_from([-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0]), max_size=14))
def test_a_p_value_is_a_number_in_zero_to_one_and_falls_as_differences_rise(
    differences: list[float],
) -> None:
    p_value = better_p_value(differences)
    assert 0.0 < p_value <= 1.0
    assert not math.isnan(p_value)


def test_who_is_beaten_by_n_kept_others_goes() -> None:
    scores = {"a": [1.0] * 10, "b": [1.0] * 9 + [0.0], "c": [0.0] * 10, "d": [0.0] * 9 + [1.0]}
    assert beaten(scores, n_kept=2, level=0.05) == ("c", "d")
    assert beaten(scores, n_kept=3, level=0.05) == ()


def test_equal_rows_beat_nobody_and_missing_scores_are_left_out() -> None:
    same = {name: [1.0, 0.0, 1.0] for name in "abcd"}
    assert beaten(same, n_kept=1, level=0.9) == ()
    gaps: dict[str, list[float | None]] = {
        "a": [1.0, None] * 6,
        "b": [0.0, 1.0] * 6,
        "c": [None] * 12,
    }
    assert beaten(gaps, n_kept=1, level=0.05) == ("b",)


def test_the_level_is_shared_out_over_looks_and_rivals() -> None:
    assert race_level(0.2, n_candidates=12, n_kept=4, n_looks=10) == pytest.approx(0.8 / 110)
    assert race_level(0.05, n_candidates=2, n_kept=4, n_looks=1) == 0.05
    with pytest.raises(ValueError, match="alpha"):
        race_level(1.0, n_candidates=2, n_kept=1, n_looks=1)


def race(rates: list[float], *, n_kept: int, alpha: float, seed: int) -> set[str]:
    """Race candidates over 8 blocks of 12 cases; return who is left."""
    rng = random.Random(seed)
    n_looks, block = 8, 12
    rows: dict[str, list[float | None]] = {str(n): [] for n in range(len(rates))}
    level = race_level(alpha, n_candidates=len(rates), n_kept=n_kept, n_looks=n_looks)
    for _ in range(n_looks):
        for _ in range(block):
            difficulty = rng.gauss(0, 0.15)
            for name in rows:
                rows[name].append(float(rng.random() < rates[int(name)] + difficulty))
        for name in beaten(rows, n_kept=n_kept, level=level):
            del rows[name]
    return set(rows)


@pytest.mark.no_cover  # the same lines many times
@pytest.mark.parametrize("n_kept", [1, 3])
def test_a_race_loses_the_true_best_with_at_most_alpha(n_kept: int) -> None:
    alpha = 0.2
    lost = 0
    for seed in range(400):
        # The best shares its rate with seven others: nothing tells it apart, the worst case.
        lost += "0" not in race([0.6] * 8, n_kept=n_kept, alpha=alpha, seed=seed)
    assert lost <= 400 * alpha


def test_a_race_drops_what_is_clearly_worse() -> None:
    left = [race([0.9, 0.85] + [0.3] * 6, n_kept=2, alpha=0.2, seed=seed) for seed in range(20)]
    assert sum(map(len, left)) <= 20 * 2.5
    assert all({"0", "1"} <= names for names in left)
