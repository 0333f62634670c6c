"""One answer, many checks: order, gates, breakage, skips."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from promptyard.errors import BudgetExceeded, CheckSkipped, JudgeError, MetricError
from promptyard.protocols import Metric
from promptyard.records.cases import After, Case, Severity
from promptyard.records.messages import Completion
from promptyard.records.scores import Score
from promptyard.runner.grading import CircuitBreaker, Grading, grade

CASE = Case(id="c1", input={})


class Fixed:
    """A metric that does what it is told and counts how often it was asked."""

    def __init__(
        self,
        name: str,
        value: float | Exception = 1.0,
        *,
        severity: Severity = "soft",
        after: After = "none",
        asks_judge: bool = False,
    ) -> None:
        self.name = name
        self.severity: Severity = severity
        self.after: After = after
        self.asks_judge = asks_judge
        self.value = value
        self.n_asked = 0

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        del case, completion
        self.n_asked += 1
        await asyncio.sleep(0)
        if isinstance(self.value, Exception):
            raise self.value
        tags = () if self.value == 1.0 else ("low_score",)
        return (Score(metric=self.name, value=self.value, severity=self.severity, tags=tags),)


class AtOnce:
    """A metric that never waits; awaiting it would be a mistake."""

    def __init__(self, name: str, outcome: float | Exception) -> None:
        self.name = name
        self.outcome = outcome

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        raise AssertionError("it has score_now")

    def score_now(self, case: Case, completion: Completion) -> Sequence[Score]:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return (Score(metric=self.name, value=self.outcome),)


def graded(*metrics: Metric, breaker: CircuitBreaker | None = None) -> Grading:
    return asyncio.run(grade(metrics, CASE, Completion(text="x"), breaker or CircuitBreaker()))


def test_a_failed_hard_check_spares_the_judge() -> None:
    judge = Fixed("judge", after="hard", asks_judge=True)
    found = graded(Fixed("schema", 0.0, severity="hard"), judge)
    assert judge.n_asked == 0
    assert [score.metric for score in found.scores] == ["schema"]
    assert found.failure is None


def test_a_judge_is_asked_where_only_soft_checks_have_failed() -> None:
    judge = Fixed("judge", after="hard", asks_judge=True)
    found = graded(Fixed("f1", 0.2), judge)
    assert judge.n_asked == 1
    assert [score.metric for score in found.scores] == ["f1", "judge"]


def test_a_judge_that_is_told_not_to_wait_is_asked_in_any_case() -> None:
    judge = Fixed("judge", after="none", asks_judge=True)
    graded(Fixed("schema", 0.0, severity="hard"), judge)
    assert judge.n_asked == 1


def test_a_check_that_breaks_leaves_the_case_unscored_and_the_others_running() -> None:
    found = graded(Fixed("broken", MetricError("no gold")), Fixed("fine"))
    assert [score.metric for score in found.scores] == ["fine"]
    assert [(gap.metric, gap.status, gap.reason) for gap in found.unmeasured] == [
        ("broken", "error", "no gold")
    ]
    assert found.failure is not None
    assert (found.failure.at, found.failure.kind) == ("harness", "metric_error")


def test_any_exception_of_a_metric_is_the_harness_error_of_that_metric() -> None:
    found = graded(Fixed("broken", ZeroDivisionError("by zero")))
    assert found.failure is not None
    assert found.failure.at == "harness"
    assert found.failure.message == "broken: ZeroDivisionError: by zero"


def test_a_judge_that_fails_is_the_judges_fault() -> None:
    found = graded(Fixed("judge", JudgeError("no verdict"), asks_judge=True))
    assert found.failure is not None
    assert (found.failure.at, found.failure.kind) == ("judge", "judge_parse")


def test_a_skipped_check_leaves_the_case_to_the_others() -> None:
    found = graded(Fixed("foreign", CheckSkipped("unsupported: x")), Fixed("fine"))
    assert [(gap.status, gap.kind) for gap in found.unmeasured] == [("skip", "unsupported")]
    assert [score.metric for score in found.scores] == ["fine"]
    assert found.failure is None


def test_an_answer_that_is_too_large_for_a_hard_check_does_not_pass_it() -> None:
    too_large = CheckSkipped("10,000,000 characters", kind="too_large")
    found = graded(Fixed("schema", too_large, severity="hard"), Fixed("soft"))
    assert [(gap.status, gap.kind) for gap in found.unmeasured] == [("error", "too_large")]
    assert found.failure is not None
    assert found.failure.kind == "too_large"
    assert graded(Fixed("bleu", too_large), Fixed("soft")).failure is None


def test_a_case_whose_checks_are_all_skipped_has_no_score() -> None:
    found = graded(Fixed("foreign", CheckSkipped("unsupported: x")))
    assert found.failure is not None
    assert found.failure.kind == "skipped"


def test_a_budget_that_ends_ends_the_run() -> None:
    with pytest.raises(BudgetExceeded):
        graded(Fixed("judge", BudgetExceeded("used up"), asks_judge=True), Fixed("fine"))


def test_a_check_that_breaks_on_five_of_its_first_cases_is_switched_off() -> None:
    breaker = CircuitBreaker()
    broken = Fixed("broken", MetricError("no"))
    found = [graded(broken, breaker=breaker) for _ in range(30)]
    assert broken.n_asked == 5
    assert {item.failure.kind for item in found[5:] if item.failure} == {"switched_off"}


def test_a_check_that_breaks_rarely_or_late_stays_on() -> None:
    breaker = CircuitBreaker()
    for index in range(40):
        value = MetricError("no") if index % 5 == 0 or index >= 20 else 1.0
        graded(Fixed("flaky", value), breaker=breaker)
    assert "flaky" not in breaker.off


def test_a_skipped_check_is_never_switched_off() -> None:
    breaker = CircuitBreaker()
    for _ in range(40):
        graded(Fixed("foreign", CheckSkipped("unsupported")), breaker=breaker)
    assert "foreign" not in breaker.off


def test_a_judge_that_does_not_decide_is_not_a_broken_one() -> None:
    breaker = CircuitBreaker()
    unsure = Fixed("judge", JudgeError("who knows", kind="judge_unsure"), asks_judge=True)
    found = [graded(unsure, breaker=breaker) for _ in range(30)]
    assert unsure.n_asked == 30
    assert {item.failure.kind for item in found if item.failure} == {"judge_unsure"}


def test_a_metric_that_never_waits_is_not_awaited_and_breaks_in_the_same_ways() -> None:
    first, second = Fixed("first", 0.5), Fixed("second")
    found = graded(first, AtOnce("now", 1.0), second)
    assert [score.metric for score in found.scores] == ["first", "now", "second"]
    for raised, status, kind in (
        (MetricError("no"), "error", "metric_error"),
        (CheckSkipped("no"), "skip", "unsupported"),
        (JudgeError("no"), "error", "judge_parse"),
        (JudgeError("no", kind="judge_unsure"), "error", "judge_unsure"),
        (ZeroDivisionError("no"), "error", "metric_error"),
    ):
        waiting = graded(Fixed("m", raised)).unmeasured
        assert graded(AtOnce("m", raised)).unmeasured == waiting
        assert (waiting[0].status, waiting[0].kind) == (status, kind)
    with pytest.raises(BudgetExceeded):
        graded(AtOnce("now", BudgetExceeded("none left")))


def test_a_metric_that_never_waits_is_switched_off_too() -> None:
    breaker = CircuitBreaker()
    broken = AtOnce("now", ZeroDivisionError("no"))
    kinds = [graded(broken, breaker=breaker).unmeasured[0].kind for _ in range(30)]
    assert (kinds[0], kinds[-1]) == ("metric_error", "switched_off")
