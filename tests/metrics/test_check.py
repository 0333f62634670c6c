"""What the built-in checks share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from promptyard.metrics.check import REMEMBERED_SCORES, JsonCheck
from promptyard.metrics.context import MetricContext
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score
from promptyard.runner.grading import CircuitBreaker, grade

CASE = Case(id="c", input={})


class Anything(JsonCheck):
    """Passes whatever is JSON."""

    name = "anything"
    option_names = ("allow_fence",)

    def grade(self, case: Case, completion: Completion, value: Json) -> Sequence[Score]:
        return self.passed(label=str(value))


class Patient(Anything):
    """Waits before it grades, as a check of others may."""

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        await asyncio.sleep(0)
        return await super().score(case, completion)


def check(kind: type[JsonCheck]) -> JsonCheck:
    return kind(CheckSpec(type="anything"), MetricContext())


def scores(metric: JsonCheck, text: str) -> Sequence[Score]:
    graded = grade([metric], CASE, Completion(text=text), CircuitBreaker())
    return asyncio.run(graded).scores


def test_equal_passes_of_a_check_are_one_record_and_others_are_not() -> None:
    metric = check(Anything)
    (first,), (again,), (other,) = (scores(metric, text) for text in ("1", " 1", "2"))
    assert first is again
    assert (first.label, other.label) == ("1", "2")
    for number in range(3 * REMEMBERED_SCORES):
        (score,) = scores(metric, str(number))
        assert score.label == str(number)


def test_passes_of_two_checks_are_told_apart() -> None:
    soft = CheckSpec(type="anything", severity="soft", weight=2.0, id="mine")
    (ours,), (theirs,) = (
        scores(metric, "1") for metric in (check(Anything), Anything(soft, MetricContext()))
    )
    assert (theirs.metric, theirs.weight) == ("mine", 2.0)
    assert (ours.metric, ours.weight) == ("anything", 1.0)


def test_a_check_that_waits_is_awaited() -> None:
    for kind in (Anything, Patient):
        (score,) = scores(check(kind), "[1]")
        assert score.value == 1.0
        (broken,) = scores(check(kind), "[1")
        assert broken.tags == ("invalid_json",)
