from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.metrics.suite import (
    accuracy,
    confusion_pairs,
    label_pairs,
    macro_f1,
    per_class,
    suite_metrics,
)
from promptyard.records.base import Json
from promptyard.records.cases import Case
from promptyard.records.evidence import ConfusionPair
from promptyard.records.scores import Failure, GradedCase, Score, Trial

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
        "n_labels": 3,
        "confusions": [
            {"expected": "new", "got": "closed", "n_cases": 1},
            {"expected": "open", "got": "closed", "n_cases": 1},
        ],
    }


def test_only_the_most_frequent_confusions_are_reported() -> None:
    graded = [_labelled(f"gold{n}", "x") for n in range(30)]
    assert len(suite_metrics(graded)["confusions"]) == 20
