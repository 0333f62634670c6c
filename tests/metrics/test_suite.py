from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.metrics.suite import (
    accuracy,
    confusion_pairs,
    kappa,
    label_pairs,
    macro_f1,
    matthews,
    micro_f1,
    micro_scores,
    per_class,
    suite_metrics,
)
from promptyard.records.base import Json
from promptyard.records.cases import Case
from promptyard.records.evidence import ConfusionPair
from promptyard.records.scores import Failure, GradedCase, HitCounts, Score, Trial

from .grading import grade

PAIRS = [("a", "a"), ("a", "b"), ("a", "a"), ("b", "b"), ("b", "a"), ("c", "??")]
ANY_PAIRS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd")))


def _graded(expected: Json, *scores: Score, failed: bool = False) -> GradedCase:
    case = Case(id="c", input={}, expected=expected, split="train")
    failure = Failure(at="model", kind="timeout", message="late") if failed else None
    trial = Trial(
        program_id="p",
        case_id="c",
        split="train",
        status="error" if failed else "scored",
        score=None if failed else 1.0,
        scores=scores,
        failure=failure,
    )
    return GradedCase(case=case, trial=trial)


def _labelled(expected: Json, label: str | None, field: str | None = None) -> GradedCase:
    return _graded(expected, Score(metric="equals", value=1.0, label=label, field=field))


def test_figures_by_hand() -> None:
    assert accuracy(PAIRS) == pytest.approx(3 / 6)
    scores = per_class(PAIRS)
    assert (scores["a"].precision, scores["a"].recall) == (
        pytest.approx(2 / 3),
        pytest.approx(2 / 3),
    )
    assert scores["b"].f1 == pytest.approx(0.5)
    assert (scores["c"].precision, scores["c"].recall, scores["c"].f1) == (None, 0.0, 0.0)
    assert macro_f1(PAIRS) == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert "??" not in scores


def test_no_pairs_are_no_score_rather_than_zero() -> None:
    assert accuracy([]) is None
    assert macro_f1([]) is None
    assert micro_f1([]) is None
    assert matthews([]) is None
    assert kappa([]) is None
    assert per_class([]) == {}
    assert confusion_pairs([]) == ()
    assert suite_metrics([]) == {}


def test_confusions_come_most_frequent_first_then_by_name() -> None:
    pairs = [("b", "a"), ("a", "c"), ("b", "a"), ("a", "b"), ("a", "a")]
    assert confusion_pairs(pairs) == (
        ConfusionPair(expected="b", got="a", n_cases=2),
        ConfusionPair(expected="a", got="b", n_cases=1),
        ConfusionPair(expected="a", got="c", n_cases=1),
    )


@settings(deadline=None)
@given(ANY_PAIRS)
def test_figures_stay_in_range_and_count_every_pair(pairs: list[tuple[str, str]]) -> None:
    n_wrong = sum(item.n_cases for item in confusion_pairs(pairs))
    assert n_wrong == sum(expected != got for expected, got in pairs)
    if pairs:
        correct, mean_f1 = accuracy(pairs), macro_f1(pairs)
        assert correct is not None
        assert mean_f1 is not None
        assert math.isclose(correct, 1 - n_wrong / len(pairs))
        assert 0.0 <= mean_f1 <= 1.0
        assert (mean_f1 == 1.0) == (n_wrong == 0)
        assert sum(item.n_expected for item in per_class(pairs).values()) == len(pairs)


@settings(deadline=None)
@given(ANY_PAIRS)
def test_the_order_of_cases_does_not_matter(pairs: list[tuple[str, str]]) -> None:
    shuffled = sorted(pairs, key=lambda pair: pair[::-1])
    assert per_class(shuffled) == per_class(pairs)
    assert confusion_pairs(shuffled) == confusion_pairs(pairs)


def test_pairs_are_gathered_from_scored_answers_with_a_label() -> None:
    graded = [
        _labelled("open", "closed"),
        _labelled(3, "3"),
        _labelled(["open", "new"], "new"),
        _labelled({"any_of": ["open", "new"]}, "closed"),
        _labelled("open", ""),
        _labelled("open", None),
        _labelled({"status": "open"}, "open", field="status"),
        _labelled(None, "open"),
        _graded("open", Score(metric="equals", value=1.0, label="open"), failed=True),
        _graded(
            "open",
            Score(metric="enum", value=1.0),
            Score(metric="field_equals", value=1.0, label="x", field="y"),
            Score(metric="equals", value=1.0, label="open"),
        ),
    ]
    assert label_pairs(graded) == [
        ("open", "closed"),
        ("3", "3"),
        ("new", "new"),
        ("open", "closed"),
        ("open", ""),
        ("open", "open"),
    ]


def test_suite_metrics_sum_up_what_equals_found() -> None:
    answers = [("open", " open\n"), ("open", "closed"), ("closed", "closed"), ("new", "closed")]
    graded = [_graded(gold, *grade("equals", got, expected=gold)) for gold, got in answers]
    assert suite_metrics(graded) == {
        "accuracy": 0.5,
        "macro_f1": pytest.approx((2 / 3 + 0.5 + 0) / 3),
        "micro_f1": 0.5,
        "mcc": pytest.approx(3 / math.sqrt(10 * 6)),
        "kappa": pytest.approx((0.5 - 5 / 16) / (1 - 5 / 16)),
        "n_labels": 3,
        "per_class": {
            "open": _class(1.0, 0.5, 2 / 3, 2, 1),
            "closed": _class(1 / 3, 1.0, 0.5, 1, 3),
            "new": _class(None, 0.0, 0.0, 1, 0),
        },
        "confusions": [
            {"expected": "new", "got": "closed", "n_cases": 1},
            {"expected": "open", "got": "closed", "n_cases": 1},
        ],
    }


def _class(
    precision: float | None, recall: float, f1: float, n_expected: int, n_given: int
) -> dict[str, Json]:
    return {
        "precision": None if precision is None else pytest.approx(precision),
        "recall": recall,
        "f1": pytest.approx(f1),
        "n_expected": n_expected,
        "n_given": n_given,
    }


def test_only_the_most_frequent_confusions_are_reported() -> None:
    graded = [_labelled(f"gold{n}", "x") for n in range(30)]
    assert len(suite_metrics(graded)["confusions"]) == 20


def _table(rows: list[list[int]]) -> list[tuple[str, str]]:
    """Write a table of counts (expected in rows, given in columns) as pairs."""
    return [
        (f"l{i}", f"l{j}")
        for i, row in enumerate(rows)
        for j, count in enumerate(row)
        for _ in range(count)
    ]


@pytest.mark.parametrize(
    ("rows", "mcc", "cohen"),
    [
        # two classes by the formula of Matthews: (tp tn - fp fn) / sqrt of the four margins
        ([[20, 5], [10, 15]], (20 * 15 - 5 * 10) / math.sqrt(25 * 25 * 30 * 20), 0.4),
        ([[90, 10], [5, 5]], (90 * 5 - 10 * 5) / math.sqrt(100 * 10 * 95 * 15), 0.3265306),
        # three classes by hand: n 12, hits 10, margins (4, 4, 4) and (5, 4, 3)
        ([[4, 0, 0], [1, 3, 0], [0, 1, 3]], (120 - 48) / math.sqrt(96 * 94), 0.75),
        ([[3, 0], [0, 3]], 1.0, 1.0),
        ([[0, 3], [3, 0]], -1.0, -1.0),
        ([[2, 2], [2, 2]], 0.0, 0.0),
    ],
)
def test_correlation_and_agreement_by_hand(rows: list[list[int]], mcc: float, cohen: float) -> None:
    pairs = _table(rows)
    assert matthews(pairs) == pytest.approx(mcc)
    assert kappa(pairs) == pytest.approx(cohen)


@pytest.mark.parametrize("rows", [[[3, 2], [0, 0]], [[3, 0], [2, 0]], [[4, 0], [0, 0]]])
def test_one_label_alone_has_no_correlation(rows: list[list[int]]) -> None:
    assert matthews(_table(rows)) is None
    assert kappa(_table(rows)) is None


@settings(deadline=None)
@given(ANY_PAIRS)
def test_correlation_is_symmetric_and_in_range(pairs: list[tuple[str, str]]) -> None:
    turned = [(given_, expected) for expected, given_ in pairs]
    there, back = matthews(pairs), matthews(turned)
    assert there == (None if back is None else pytest.approx(back))
    assert there is None or -1.0 - 1e-9 <= there <= 1.0 + 1e-9
    assert micro_f1(pairs) == accuracy(pairs)
    if there is not None and accuracy(pairs) == 1.0:
        assert there == pytest.approx(1.0)


def _counted(metric: str, n_hits: int, n_given: int, n_expected: int) -> Score:
    counts = HitCounts(n_hits=n_hits, n_given=n_given, n_expected=n_expected)
    return Score(metric=metric, value=1.0, counts=counts)


def test_items_of_all_answers_are_counted_together_for_each_check() -> None:
    graded = [
        _graded(None, _counted("slots", 1, 2, 3), _counted("calls", 0, 0, 1)),
        _graded(None, _counted("slots", 5, 6, 5), Score(metric="equals", value=1.0)),
        _graded(None, _counted("slots", 0, 0, 2)),
        _graded(None, _counted("slots", 9, 9, 9), failed=True),
    ]
    found = suite_metrics(graded)["micro"]
    assert found["slots"] == {
        "precision": pytest.approx(6 / 8),
        "recall": pytest.approx(6 / 10),
        "f1": pytest.approx(12 / 18),
        "n_hits": 6,
        "n_given": 8,
        "n_expected": 10,
    }
    assert (found["calls"]["precision"], found["calls"]["recall"]) == (None, 0.0)
    assert micro_scores([_graded(None, _counted("x", 0, 0, 0))])["x"].f1 is None
    assert "accuracy" not in suite_metrics(graded)


def test_slots_add_up_to_the_micro_average() -> None:
    answers = [
        ('{"a": 1, "b": 2}', {"a": 1, "b": 3}),
        ("no JSON", {"a": 1}),
        ('{"c": 1}', {"c": 1}),
    ]
    graded = [_graded(gold, *grade("field_set", got, expected=gold)) for got, gold in answers]
    assert micro_scores(graded)["field_set"].f1 == pytest.approx(2 * 2 / (3 + 4))


def test_only_the_most_frequent_classes_are_reported() -> None:
    graded = [_labelled(f"gold{n}", "x") for n in range(150)] + [_labelled("gold7", "x")]
    found = suite_metrics(graded)
    assert found["n_labels"] == 150
    assert len(found["per_class"]) == 100
    assert next(iter(found["per_class"])) == "gold7"
