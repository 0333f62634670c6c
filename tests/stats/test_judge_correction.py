from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.records.scores import Interval
from promptyard.stats.agreement import JudgeAccuracy, judge_accuracy
from promptyard.stats.estimates import Estimate
from promptyard.stats.judge_correction import (
    JudgedScores,
    ppi_difference,
    ppi_mean,
    rogan_gladen,
    sampling_inflation,
)

from .scipy_oracle import scipy_stats

JudgedPair: TypeAlias = tuple[list[float], list[float]]  # labels, and the judge's scores

Z = 1.959963984540054


def accuracy(tp: int, n_passed: int, tn: int, n_failed: int) -> JudgeAccuracy:
    human = [True] * n_passed + [False] * n_failed
    judge = [True] * tp + [False] * (n_passed - tp) + [False] * tn + [True] * (n_failed - tn)
    return judge_accuracy(human, judge)


def interval_of(estimate: Estimate) -> Interval:
    assert estimate.interval is not None, estimate.reason
    return estimate.interval


def holds(estimate: Estimate, truth: float) -> bool:
    interval = interval_of(estimate)
    return interval.low <= truth <= interval.high


# How many more cases a judge needs


@pytest.mark.parametrize(
    ("tpr", "tnr", "factor"), [(0.95, 0.95, 1.23), (0.9, 0.85, 1.78), (0.8, 0.8, 2.78), (1, 1, 1)]
)
def test_the_cases_that_a_judge_needs_grow_as_the_anchor_says(
    tpr: float, tnr: float, factor: float
) -> None:
    assert sampling_inflation(tpr, tnr) == pytest.approx(factor, abs=0.005)


def test_no_number_of_cases_helps_a_coin() -> None:
    assert sampling_inflation(0.5, 0.5) is None
    assert sampling_inflation(0.3, 0.5) is None
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        sampling_inflation(1.2, 0.5)


# Rogan and Gladen


def test_a_corrected_rate_is_the_formula() -> None:
    found = rogan_gladen(70, 100, accuracy(45, 50, 42, 50))
    assert found.value == pytest.approx((0.7 + 0.84 - 1) / (0.9 + 0.84 - 1))
    assert holds(found, found.value or 0.0)


@given(
    passed=st.integers(0, 300),
    tp=st.integers(0, 40),
    tn=st.integers(0, 40),
)
def test_a_correction_is_a_rate_inside_its_interval_or_a_reason(
    passed: int, tp: int, tn: int
) -> None:
    found = rogan_gladen(passed, 300, accuracy(tp, 40, tn, 40))
    if found.value is None:
        assert found.interval is None
        assert found.reason
        assert tp + tn < 60 or "do not allow" in found.reason
        return
    interval = interval_of(found)
    assert 0.0 <= interval.low <= found.value <= interval.high <= 1.0
    assert interval.low < interval.high


def test_a_perfect_judge_with_endless_labels_changes_nothing() -> None:
    found = rogan_gladen(160, 200, JUDGE_WITHOUT_ERROR)
    assert found.value == pytest.approx(0.8)
    n = 200 + Z**2
    rate = (160 + Z**2 / 2) / n
    half = Z * math.sqrt(rate * (1 - rate) / n)  # Agresti and Coull's interval
    interval = interval_of(found)
    assert (interval.low, interval.high) == pytest.approx((rate - half, rate + half), abs=1e-4)


JUDGE_WITHOUT_ERROR = accuracy(100_000, 100_000, 100_000, 100_000)


def test_fewer_labels_make_the_interval_wider() -> None:
    widths: list[float] = []
    for n in (20, 80, 320, 1280):
        interval = interval_of(rogan_gladen(350, 500, accuracy(9 * n // 10, n, 9 * n // 10, n)))
        widths.append(interval.high - interval.low)
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 2 * widths[-1]


@pytest.mark.parametrize(
    ("judge", "reason"),
    [
        (accuracy(0, 0, 20, 20), "no answer was passed"),
        (accuracy(20, 20, 0, 0), "no answer was failed"),
        (accuracy(50, 100, 50, 100), "TPR 0.50 and TNR 0.50"),
        (accuracy(30, 100, 40, 100), "-0.30, below 0.2"),
        (accuracy(3, 4, 3, 4), "4 passed and 4 failed labels do not show"),
    ],
)
def test_a_judge_that_says_too_little_is_not_corrected(judge: JudgeAccuracy, reason: str) -> None:
    found = rogan_gladen(70, 100, judge)
    assert found.value is None
    assert reason in found.reason


def test_labels_that_contradict_what_the_judge_passed_are_not_used() -> None:
    found = rogan_gladen(2, 300, accuracy(45, 50, 35, 50))  # it passes 30 % of what people fail
    assert found.value is None
    assert "2 of 300, which its TPR 0.90 and TNR 0.70 do not allow" in found.reason


@pytest.mark.parametrize(("passed", "n"), [(5, 4), (-1, 4), (0, 0)])
def test_impossible_counts_are_refused(passed: int, n: int) -> None:
    with pytest.raises(ValueError, match="0 <= passed <= judged"):
        rogan_gladen(passed, n, JUDGE_WITHOUT_ERROR)


@pytest.mark.parametrize(
    ("n_labels", "n_judged", "rate", "tpr", "tnr"),
    [
        (100, 500, 0.8, 0.9, 0.85),
        (100, 100, 0.5, 0.95, 0.95),
        (50, 500, 0.8, 0.8, 0.8),
        (50, 200, 0.9, 0.98, 0.9),
    ],
)
def test_the_corrected_interval_holds(
    n_labels: int, n_judged: int, rate: float, tpr: float, tnr: float
) -> None:
    rng = np.random.default_rng(3)
    n_runs, n_held, n_made = 2_000, 0, 0
    naive = rate * tpr + (1 - rate) * (1 - tnr)
    for _ in range(n_runs):
        n_passed = int(rng.binomial(n_labels, rate))
        tp, tn = int(rng.binomial(n_passed, tpr)), int(rng.binomial(n_labels - n_passed, tnr))
        judge = accuracy(tp, n_passed, tn, n_labels - n_passed)
        found = rogan_gladen(int(rng.binomial(n_judged, naive)), n_judged, judge)
        if found.value is not None:
            n_made += 1
            n_held += holds(found, rate)
    assert n_made > 0.85 * n_runs
    assert 0.93 <= n_held / n_made <= 0.99


# PPI++


def draw_rates(rng: np.random.Generator, n: int, rate: float, tpr: float, tnr: float) -> JudgedPair:
    labels = rng.random(n) < rate
    judged = rng.random(n) < np.where(labels, tpr, 1 - tnr)
    return labels.astype(float).tolist(), judged.astype(float).tolist()


def draw_differences(rng: np.random.Generator, n: int, fixed: float, broken: float) -> JudgedPair:
    """Differences of two answers by people, and by a judge that errs on 5 % of all answers."""
    before = rng.random(n) < 0.7
    draw = rng.random(n)
    after = np.where(before, draw >= broken / 0.7, draw < fixed / 0.3)
    seen_before, seen_after = before ^ (rng.random(n) < 0.05), after ^ (rng.random(n) < 0.05)
    human = after.astype(float) - before.astype(float)
    return human.tolist(), (seen_after.astype(float) - seen_before.astype(float)).tolist()


def test_ppi_is_the_formula() -> None:
    rng = np.random.default_rng(8)
    labels, judged = draw_rates(rng, 60, 0.7, 0.9, 0.8)
    _, others = draw_rates(rng, 240, 0.7, 0.9, 0.8)
    found = ppi_mean(JudgedScores(labels, judged, others))
    weight = 240 / 300 * np.cov(labels, judged)[0, 1] / np.var(judged + others, ddof=1)
    expected = np.mean(labels) + weight * (np.mean(others) - np.mean(judged))
    assert found.value == pytest.approx(float(expected))
    residuals = np.array(labels) - weight * np.array(judged)
    variance = np.sum((residuals - residuals.mean()) ** 2) / 58 / 60 + 1 / 60**2
    variance += weight**2 * np.var(others, ddof=1) / 240
    assert found.se == pytest.approx(float(np.sqrt(variance)))
    half = float(scipy_stats.t.ppf(0.975, 58) * np.sqrt(variance))
    interval = interval_of(found)
    assert (interval.low, interval.high) == pytest.approx((expected - half, expected + half))


def test_a_good_judge_narrows_what_the_labels_say_and_a_worthless_one_changes_nothing() -> None:
    rng = np.random.default_rng(9)
    labels, judged = draw_rates(rng, 100, 0.7, 0.97, 0.95)
    _, others = draw_rates(rng, 900, 0.7, 0.97, 0.95)
    good = ppi_mean(JudgedScores(labels, judged, others))
    constant = ppi_mean(JudgedScores(labels, [1.0] * 100, [1.0] * 900))
    alone = ppi_mean(JudgedScores(labels, judged, []))
    assert constant.value == alone.value == pytest.approx(np.mean(labels))
    assert constant.se is not None
    assert alone.se == pytest.approx(constant.se)
    assert good.se is not None
    assert good.se < 0.65 * constant.se


@given(
    rows=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=30, max_size=60),
    others=st.lists(st.floats(0, 1), max_size=60),
)
def test_a_ppi_mean_is_a_score_inside_its_interval(
    rows: list[tuple[float, float]], others: list[float]
) -> None:
    labels, judged = [label for label, _ in rows], [score for _, score in rows]
    found = ppi_mean(JudgedScores(labels, judged, others))
    assert found.value is not None
    interval = interval_of(found)
    assert 0.0 <= interval.low <= found.value <= interval.high <= 1.0
    assert interval.low < interval.high
    reversed_rows = JudgedScores(labels[::-1], judged[::-1], others[::-1])
    assert ppi_mean(reversed_rows).value == pytest.approx(found.value, abs=1e-9)


@given(
    rows=st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=30, max_size=60),
    others=st.lists(st.floats(-1, 1), max_size=60),
)
def test_a_ppi_difference_mirrors_when_the_programs_change_places(
    rows: list[tuple[float, float]], others: list[float]
) -> None:
    labels, judged = [label for label, _ in rows], [score for _, score in rows]
    found = ppi_difference(JudgedScores(labels, judged, others))
    mirrored = ppi_difference(
        JudgedScores([-x for x in labels], [-x for x in judged], [-x for x in others])
    )
    assert found.value is not None
    assert mirrored.value == pytest.approx(-found.value, abs=1e-9)
    assert interval_of(mirrored).low == pytest.approx(-interval_of(found).high, abs=1e-9)


def test_too_few_labels_are_refused() -> None:
    found = ppi_mean(JudgedScores([1.0] * 29, [1.0] * 29, [1.0] * 100))
    assert found.value is None
    assert found.interval is None
    assert found.reason == "29 labels are too few to correct the judge's mean; it takes 30"
    assert ppi_mean(JudgedScores([1.0] * 30, [1.0] * 30, [1.0] * 100)).value == 1.0


def test_wrong_scores_are_refused() -> None:
    with pytest.raises(ValueError, match="30 labels belong to 29"):
        ppi_mean(JudgedScores([1.0] * 30, [1.0] * 29, []))
    for value in (-0.5, 1.5, math.nan):
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            ppi_mean(JudgedScores([1.0] * 30, [1.0] * 29 + [value], []))
    with pytest.raises(ValueError, match=r"\[-1, 1\]"):
        ppi_difference(JudgedScores([1.0] * 30, [1.0] * 29 + [1.5], []))


@pytest.mark.no_cover  # the same lines many times
@pytest.mark.parametrize(
    ("n", "n_others", "draw", "truth"),
    [
        (30, 200, partial(draw_rates, rate=0.8, tpr=0.9, tnr=0.85), 0.8),
        (50, 450, partial(draw_rates, rate=0.5, tpr=0.9, tnr=0.9), 0.5),
        (100, 400, partial(draw_rates, rate=0.95, tpr=0.95, tnr=0.9), 0.95),
        (50, 450, partial(draw_differences, fixed=0.08, broken=0.02), 0.06),
        (100, 400, partial(draw_differences, fixed=0.15, broken=0.05), 0.1),
    ],
)
def test_the_ppi_interval_holds(
    n: int, n_others: int, draw: Callable[[np.random.Generator, int], JudgedPair], truth: float
) -> None:
    rng = np.random.default_rng(4)
    n_runs, n_held = 1_500, 0
    for _ in range(n_runs):
        labels, judged = draw(rng, n)
        scores = JudgedScores(labels, judged, draw(rng, n_others)[1])
        n_held += holds(ppi_difference(scores), truth)
    assert 0.93 <= n_held / n_runs <= 0.99


def test_labels_in_another_order_than_the_judge_lose_its_help() -> None:
    rng = np.random.default_rng(12)
    labels, judged = draw_rates(rng, 100, 0.6, 0.95, 0.95)
    _, others = draw_rates(rng, 900, 0.6, 0.95, 0.95)
    shuffled = list(judged)
    random.Random(1).shuffle(shuffled)
    paired = ppi_mean(JudgedScores(labels, judged, others))
    confused = ppi_mean(JudgedScores(labels, shuffled, others))
    assert paired.se is not None
    assert confused.se is not None
    assert paired.se < 0.7 * confused.se
