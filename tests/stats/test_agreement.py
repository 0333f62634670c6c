from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.records.scores import Interval
from promptyard.stats.agreement import Agreement, cohen_kappa, judge_accuracy
from promptyard.stats.intervals import wilson_interval

LABELS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), max_size=60)


def spread(table: Sequence[Sequence[int]]) -> tuple[list[int], list[int]]:
    """Turn a table of counts into two columns of labels."""
    pairs = [(i, j) for i, row in enumerate(table) for j, n in enumerate(row) for _ in range(n)]
    return [i for i, _ in pairs], [j for _, j in pairs]


def value_of(agreement: Agreement) -> float:
    assert agreement.kappa.value is not None
    return agreement.kappa.value


def interval_of(agreement: Agreement) -> Interval:
    assert agreement.kappa.interval is not None
    return agreement.kappa.interval


@pytest.mark.parametrize(
    ("table", "kappa", "se"),
    [
        ([[75, 1, 4], [5, 4, 1], [0, 0, 10]], 0.676, 0.087),  # Fleiss, Levin & Paik, table 18.1
        ([[10, 4, 1, 0], [5, 10, 12, 2], [2, 4, 12, 5], [0, 2, 6, 13]], 0.3449, 0.0724),  # SAS FREQ
    ],
)
def test_kappa_gives_the_published_values(table: list[list[int]], kappa: float, se: float) -> None:
    found = cohen_kappa(*spread(table))
    assert value_of(found) == pytest.approx(kappa, abs=5e-4)
    assert found.kappa.se == pytest.approx(se, abs=1e-3)


def test_kappa_of_a_hundred_labels_is_as_certain_as_the_anchor_says() -> None:
    found = cohen_kappa(*spread([[45, 5], [5, 45]]))
    assert found.observed == pytest.approx(0.9)
    assert found.expected == pytest.approx(0.5)
    assert value_of(found) == pytest.approx(0.8)
    assert 1.96 * (found.kappa.se or 0.0) == pytest.approx(0.12, abs=0.005)
    interval = interval_of(found)
    assert interval.high - interval.low == pytest.approx(0.24, abs=0.01)


@given(pairs=LABELS)
def test_kappa_does_not_depend_on_order_names_or_who_is_first(pairs: list[tuple[str, str]]) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    found = cohen_kappa(first, second)
    renamed = cohen_kappa([ord(a) for a in reversed(first)], [ord(b) for b in reversed(second)])
    swapped = cohen_kappa(second, first)
    if found.kappa.value is None:
        assert renamed.kappa.value is swapped.kappa.value is None
        return
    assert value_of(renamed) == pytest.approx(found.kappa.value)
    assert value_of(swapped) == pytest.approx(found.kappa.value)
    assert renamed.kappa.se == pytest.approx(found.kappa.se, abs=1e-9)
    interval = interval_of(found)
    assert -1.0 <= interval.low <= found.kappa.value + 1e-12
    assert found.kappa.value - 1e-12 <= interval.high <= 1.0


def numeric_se(table: Sequence[Sequence[int]]) -> tuple[float, float]:
    """Kappa and its standard error by the delta method with numeric derivatives."""
    n, size = sum(map(sum, table)), range(len(table))
    cells = [(i, j) for i in size for j in size]

    def kappa(shares: dict[tuple[int, int], float]) -> float:
        whole = sum(shares.values())
        p = {cell: share / whole for cell, share in shares.items()}
        rows = [sum(p[i, j] for j in size) for i in size]
        columns = [sum(p[i, j] for i in size) for j in size]
        observed = sum(p[i, i] for i in size)
        expected = sum(rows[i] * columns[i] for i in size)
        return (observed - expected) / (1 - expected)

    shares = {(i, j): table[i][j] / n for i, j in cells}
    step = 1e-6
    slopes = {
        cell: (kappa({**shares, cell: shares[cell] + step}) - kappa(shares)) / step
        for cell in cells
    }
    mean = sum(slopes[cell] * shares[cell] for cell in cells)
    variance = sum(shares[cell] * (slopes[cell] - mean) ** 2 for cell in cells) / n
    return kappa(shares), math.sqrt(variance)


@pytest.mark.parametrize(
    "table",
    [
        [[75, 1, 4], [5, 4, 1], [0, 0, 10]],
        [[10, 4, 1, 0], [5, 10, 12, 2], [2, 4, 12, 5], [0, 2, 6, 13]],
        [[40, 9], [6, 45]],
    ],
)
def test_standard_errors_agree_with_the_delta_method(table: list[list[int]]) -> None:
    found = cohen_kappa(*spread(table))
    assert (found.kappa.value, found.kappa.se) == pytest.approx(numeric_se(table), rel=1e-4)


@pytest.mark.parametrize(
    ("first", "second"),
    [([], []), ([1, 1, 1], [1, 1, 1]), ([1, 1, 1], [1, 0, 1]), ([1, 0, 1], [1, 1, 1])],
)
def test_kappa_has_no_value_where_a_rater_gave_one_label(
    first: list[int], second: list[int]
) -> None:
    found = cohen_kappa(first, second)
    assert found.kappa.value is None
    assert found.kappa.interval is None
    assert found.kappa.reason


def test_perfect_agreement_is_no_point() -> None:
    first, second = spread([[20, 0], [0, 20]])
    found = cohen_kappa(first, second)
    assert value_of(found) == 1.0
    interval = interval_of(found)
    assert interval.high == 1.0
    assert interval.low == pytest.approx(1 - 2 * 1.96**2 / (40 + 1.96**2), abs=1e-4)


def test_labels_that_are_opposed_are_no_point_either() -> None:
    found = cohen_kappa([0, 1] * 10, [1, 0] * 10)
    assert value_of(found) == pytest.approx(-1.0)
    assert interval_of(found).high > -0.9


def test_unequal_numbers_of_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="2 and 1 labels"):
        cohen_kappa(["a", "b"], ["a"])


@pytest.mark.parametrize(("tpr", "tnr", "prevalence"), [(0.95, 0.9, 0.8), (0.9, 0.85, 0.6)])
def test_kappa_intervals_of_fifty_labels_hold(tpr: float, tnr: float, prevalence: float) -> None:
    observed = prevalence * tpr + (1 - prevalence) * tnr
    passed = prevalence * tpr + (1 - prevalence) * (1 - tnr)
    expected = prevalence * passed + (1 - prevalence) * (1 - passed)
    truth = (observed - expected) / (1 - expected)
    rng = random.Random(5)
    n_runs, n_held = 2_000, 0
    for _ in range(n_runs):
        human = [rng.random() < prevalence for _ in range(50)]
        judge = [rng.random() < (tpr if label else 1 - tnr) for label in human]
        interval = cohen_kappa(human, judge).kappa.interval
        n_held += interval is None or interval.low <= truth <= interval.high
    assert 0.93 <= n_held / n_runs <= 0.98


def test_a_judge_is_described_by_its_two_rates() -> None:
    human = [True] * 80 + [False] * 20
    judge = [True] * 76 + [False] * 4 + [False] * 17 + [True] * 3
    found = judge_accuracy(human, judge)
    assert (found.tpr.hits, found.tpr.n, found.tpr.value) == (76, 80, 0.95)
    assert (found.tnr.hits, found.tnr.n, found.tnr.value) == (17, 20, 0.85)
    assert found.tnr.interval is not None
    assert (found.tnr.interval.low, found.tnr.interval.high) == wilson_interval(17, 20)
    assert found.youden == pytest.approx(0.8)
    assert found.agreement.n == 100
    assert value_of(found.agreement) == pytest.approx(0.7853, abs=1e-4)


@pytest.mark.parametrize("label", [True, False])
def test_a_rate_without_such_labels_is_missing_and_not_zero(label: bool) -> None:
    found = judge_accuracy([label] * 10, [True] * 9 + [False])
    missing, present = (found.tnr, found.tpr) if label else (found.tpr, found.tnr)
    assert (missing.n, missing.value, missing.interval) == (0, None, None)
    assert present.n == 10
    assert found.youden is None


def test_without_labels_everything_is_missing() -> None:
    found = judge_accuracy([], [])
    assert found.tpr.value is found.tnr.value is found.agreement.kappa.value is None
    assert found.agreement.observed is None


def test_kappa_of_as_many_labels_as_cases_takes_no_time_to_speak_of() -> None:
    labels = [f"answer {number}" for number in range(100_000)]  # quadratic: an hour
    found = cohen_kappa(labels, [*labels[:90_000], *("wrong" for _ in range(10_000))])
    assert value_of(found) == pytest.approx(0.9, abs=1e-4)
