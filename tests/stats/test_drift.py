"""Drift: found where it is, silent without it at every size, and never said of few values."""

from __future__ import annotations

import math
import random

import pytest

from promptyard.stats.drift import (
    MIN_VALUES,
    chi_square_quantile,
    freeze_number_bins,
    freeze_word_bins,
    jensen_shannon,
    population_stability,
    score_drift,
    text_drift,
)

from .scipy_oracle import scipy_stats


def lengths(n: int, seed: int, mean: float = 6.0) -> list[float]:
    dice = random.Random(seed)
    return [math.floor(math.exp(dice.gauss(mean, 0.7))) for _ in range(n)]


@pytest.mark.parametrize("df", [1, 2, 3, 9, 19, 60])
def test_the_quantile_is_that_of_the_chi_square_distribution(df: int) -> None:
    expected = float(scipy_stats.chi2.ppf(0.999, df))
    assert chi_square_quantile(0.999, df) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(("size", "n_seeds"), [(200, 300), (500, 300), (5_000, 50)])
def test_without_drift_hardly_any_window_alarms_at_any_size(size: int, n_seeds: int) -> None:
    alarms = 0
    for seed in range(n_seeds):
        bins = freeze_number_bins(lengths(size, 2 * seed))
        alarms += population_stability(bins, lengths(size, 2 * seed + 1)).is_drift
    assert alarms <= 3


def test_the_usual_limit_would_alarm_without_any_drift() -> None:
    """Why the limit knows the sizes: at 200 values a third of the windows exceed 0.1."""
    above = 0
    for seed in range(200):
        bins = freeze_number_bins(lengths(200, 2 * seed))
        above += population_stability(bins, lengths(200, 2 * seed + 1)).value > 0.1
    assert above > 40


def test_a_shift_of_the_inputs_is_found_and_the_bin_is_named() -> None:
    bins = freeze_number_bins(lengths(500, 1))
    drift = population_stability(bins, lengths(500, 2, mean=6.8))
    assert drift.is_drift
    assert drift.most_changed
    words = freeze_word_bins(["en"] * 450 + ["de"] * 50)
    found = population_stability(words, ["en"] * 250 + ["fr"] * 250)
    assert (found.is_drift, found.most_changed) == (True, "(other)")


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ([100.0] * 500, [10_000.0] * 500),
        ([100.0] * 500, [3.0] * 500),
        ([0.0] * 475 + [1.0] * 25, [1.0] * 500),
        ([0.0] * 25 + [100.0] * 475, [9_999.0] * 500),
        ([0.0] * 50 + [100.0] * 400 + [900.0] * 50, [0.0] * 50 + [500.0] * 450),
    ],
)
def test_a_number_that_fills_a_bin_cannot_hide_what_takes_its_place(
    before: list[float], now: list[float]
) -> None:
    assert population_stability(freeze_number_bins(before), now).is_drift
    assert not population_stability(freeze_number_bins(before), before).is_drift


def test_the_bin_of_one_number_is_called_by_it() -> None:
    steady = freeze_number_bins([1.0] * 250 + [2.0] * 250)
    assert population_stability(steady, [1.0] * 480 + [2.0] * 20).most_changed == "2"


@pytest.mark.parametrize(("size", "other"), [(200, 200), (200, 5_000), (5_000, 200)])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_numbers_of_which_some_are_frequent_hardly_alarm(
    share: float, size: int, other: int
) -> None:
    def values(n: int) -> list[float]:
        return [float(dice.choice((0, 9))) if dice.random() < share else x for x in lengths(n, 1)]

    dice = random.Random(3)
    alarms = 0
    for _ in range(20):
        alarms += population_stability(freeze_number_bins(values(size)), values(other)).is_drift
    assert alarms == 0


def test_few_values_say_nothing() -> None:
    bins = freeze_number_bins(lengths(MIN_VALUES - 1, 1))
    assert not population_stability(bins, lengths(1_000, 2, mean=9.0)).is_drift
    assert not score_drift([1.0] * 500, [0.0] * (MIN_VALUES - 1)).is_drift
    assert not text_drift([frozenset("a")] * 10, [frozenset("b")] * 10).drift.is_drift


def test_equal_values_share_a_bin_and_one_value_has_one() -> None:
    assert freeze_number_bins([3.0] * 50).counts == (0, 50, 0)
    bins = freeze_number_bins([0.0] * 90 + [1.0] * 10)
    assert bins.counts == (0, 90, 0, 10, 0)
    assert population_stability(bins, [0.0, 1.0]).limit == math.inf


@pytest.mark.parametrize("values", [[], [math.nan], [1.0, math.inf]])
def test_bins_need_finite_values(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        freeze_number_bins(values)


def test_scores_drift_only_by_a_change_that_is_both_large_and_significant() -> None:
    dice = random.Random(0)

    def scores(n: int, rate: float) -> list[float]:
        return [float(dice.random() < rate) for _ in range(n)]

    assert score_drift(scores(400, 0.9), scores(400, 0.4)).is_drift
    small = score_drift(scores(20_000, 0.90), scores(20_000, 0.87))  # significant, and a trifle
    assert not small.is_drift
    assert sum(score_drift(scores(300, 0.8), scores(300, 0.8)).is_drift for _ in range(200)) == 0


def test_jensen_shannon_is_symmetric_and_between_zero_and_one() -> None:
    assert jensen_shannon([1.0, 0.0], [0.0, 1.0]) == pytest.approx(1.0)
    assert jensen_shannon([0.5, 0.5], [0.5, 0.5]) == pytest.approx(0.0)
    one, two = [0.2, 0.8], [0.6, 0.4]
    assert jensen_shannon(one, two) == pytest.approx(jensen_shannon(two, one))


WORDS = [f"word{number}" for number in range(300)]


def texts(n: int, seed: int, new: float = 0.0) -> list[frozenset[str]]:
    """Texts of 20 words; a share `new` of them speaks of a topic of its own."""
    dice = random.Random(seed)
    return [
        frozenset(
            [*dice.choices(WORDS, k=20), *(["refund", "chargeback"] if dice.random() < new else [])]
        )
        for _ in range(n)
    ]


def test_a_new_topic_is_told_by_its_words() -> None:
    found = text_drift(texts(300, 1), texts(300, 2, new=0.6))
    assert found.drift.is_drift
    assert {"refund", "chargeback"} <= set(found.words[:2])


def test_windows_that_are_alike_are_not_told_apart() -> None:
    alarms = sum(
        text_drift(texts(200, 2 * s), texts(200, 2 * s + 1), n_permutations=30).drift.is_drift
        for s in range(10)
    )
    assert alarms == 0
