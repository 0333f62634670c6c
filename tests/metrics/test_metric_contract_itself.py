"""A contract that no metric can break would prove nothing: each rule is broken once here."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from promptyard.protocols import Metric
from promptyard.records.cases import Case
from promptyard.records.messages import Completion
from promptyard.records.scores import Score
from promptyard.testing.metric_contract import MetricContract

GOOD = Score(metric="m", value=1.0)
BAD = Score(metric="m", value=0.0, tags=("wrong",), reason="it is wrong")


class Grader:
    """A metric made of a function; good as it stands when the function is."""

    name = "m"

    def __init__(self, grade: Callable[[Case, str], Sequence[Score]]) -> None:
        self._grade = grade

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        return self._grade(case, completion.text)


class Suite(MetricContract):
    def __init__(self, grade: Callable[[Case, str], Sequence[Score]]) -> None:
        self.grade = grade

    def metric(self) -> Metric:
        return Grader(self.grade)

    def passing(self) -> tuple[Case, Completion]:
        return Case(id="c", input={}, expected="yes"), Completion(text="yes")

    def failing(self) -> tuple[Case, Completion]:
        return Case(id="c", input={}, expected="yes"), Completion(text="no")


def _good(case: Case, text: str) -> Sequence[Score]:
    return [GOOD if text == case.expected else BAD]


def _changed(**fields: Any) -> Callable[[Case, str], Sequence[Score]]:
    """A grader whose scores have some fields changed, without their validation."""

    def grade(case: Case, text: str) -> Sequence[Score]:
        return [score.model_copy(update=fields) for score in _good(case, text)]

    return grade


def _broken_on(broken: str) -> Callable[[Case, str], Sequence[Score]]:
    def grade(case: Case, text: str) -> Sequence[Score]:
        if text == broken:
            raise ValueError(text)
        return _good(case, text)

    return grade


def _moody() -> Callable[[Case, str], Sequence[Score]]:
    calls = itertools.count()

    def grade(case: Case, text: str) -> Sequence[Score]:
        return [
            score.model_copy(update={"reason": f"{next(calls)}"}) for score in _good(case, text)
        ]

    return grade


def _meddling(case: Case, text: str) -> Sequence[Score]:
    assert isinstance(case.input, dict)
    case.input["seen"] = True
    return _good(case, text)


def _silent(case: Case, text: str) -> Sequence[Score]:
    return []


def _needs_text(case: Case, text: str) -> Sequence[Score]:
    return [GOOD if case.expected.lower() == text else BAD]


ALL_RULES = [name for name in dir(MetricContract) if name.startswith("test_")]


@pytest.mark.parametrize("rule", ALL_RULES)
def test_a_good_metric_keeps_every_rule(rule: str) -> None:
    getattr(Suite(_good), rule)()


@pytest.mark.parametrize(
    ("grade", "rule"),
    [
        (_changed(tags=("x",)), "test_a_passing_answer_scores_one_and_has_no_tags"),
        (_changed(value=0.9), "test_a_passing_answer_scores_one_and_has_no_tags"),
        (_changed(value=1.0), "test_a_failing_answer_says_what_is_wrong"),
        (_changed(tags=()), "test_a_failing_answer_says_what_is_wrong"),
        (_changed(reason=" "), "test_a_failing_answer_says_what_is_wrong"),
        (_changed(value=1.5), "test_scores_can_be_counted"),
        (_changed(value=float("nan")), "test_scores_can_be_counted"),
        (_changed(severity="harsh"), "test_scores_can_be_counted"),
        (_changed(dimension="looks"), "test_scores_can_be_counted"),
        (_changed(reason="\ud800"), "test_scores_can_be_counted"),
        (_silent, "test_scores_can_be_counted"),
        (_moody(), "test_the_same_answer_gets_the_same_scores"),
        (_moody(), "test_the_order_of_cases_does_not_matter"),
        (_meddling, "test_grading_leaves_the_case_as_it_was"),
        (_broken_on(""), "test_an_unusual_answer_is_graded_or_refused"),
        (_broken_on("[" * 50_000), "test_an_unusual_answer_is_graded_or_refused"),
        (_needs_text, "test_an_unusual_case_is_graded_or_refused"),
    ],
)
def test_a_metric_that_breaks_a_rule_is_caught_by_it(
    grade: Callable[[Case, str], Sequence[Score]], rule: str
) -> None:
    with pytest.raises(Exception):  # noqa: B017 - the rule's assertion, or the metric's own crash
        getattr(Suite(grade), rule)()


def test_a_suite_without_examples_says_what_is_missing() -> None:
    suite = MetricContract()
    for method in (suite.metric, suite.passing, suite.failing):
        with pytest.raises(NotImplementedError, match="a MetricContract suite"):
            method()
