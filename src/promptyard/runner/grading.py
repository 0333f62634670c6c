"""Grades one answer with all checks of its case, and switches off a check that keeps breaking."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

from promptyard.errors import (
    BudgetExceeded,
    CheckSkipped,
    JudgeError,
    MetricError,
    ModelUnusable,
    StorageError,
)
from promptyard.protocols import Metric
from promptyard.records.cases import Case
from promptyard.records.messages import Completion
from promptyard.records.scores import Failure, Score, Unmeasured

ScoreNow: TypeAlias = Callable[[Case, Completion], Sequence[Score]]

BREAKER_CASES = 20
BREAKER_SHARE = 0.2
SWITCHED_OFF = "switched_off"
UNSURE = "judge_unsure"
TOO_LARGE = "too_large"


class CircuitBreaker:
    """Switches a check off that breaks on more than 20 % of its first 20 cases.

    A broken scorer or judge then costs no more calls; the cases are unscored either way. `off` are
    the checks that are switched off, `settled` those that have graded 20 cases.
    """

    def __init__(self) -> None:
        self.off: set[str] = set()
        self.settled: set[str] = set()
        self._n_graded: Counter[str] = Counter()
        self._n_errors: Counter[str] = Counter()

    def count(self, metric: str, *, broke: bool) -> None:
        """Count one grading by a check; after the first 20 nothing changes any more."""
        if metric in self.settled:
            return
        self._n_graded[metric] += 1
        self._n_errors[metric] += broke
        if self._n_errors[metric] > BREAKER_SHARE * BREAKER_CASES:
            self.off.add(metric)
        if self._n_graded[metric] >= BREAKER_CASES:
            self.settled.add(metric)


class Grading(NamedTuple):
    """What the checks of one case found. `failure` is why the case has no score, if it has none."""

    scores: tuple[Score, ...] = ()
    unmeasured: tuple[Unmeasured, ...] = ()
    failure: Failure | None = None


async def grade(
    metrics: Sequence[Metric], case: Case, answer: Completion, breaker: CircuitBreaker
) -> Grading:
    """Run the checks in their order; one that breaks does not keep the others from running.

    Where a hard finding has failed, checks with `after: hard` are left out: they could not change
    the score, and judges cost calls. Checks that ask a judge run side by side, last.

    Raises BudgetExceeded, ModelUnusable and StorageError, which end the run.
    """
    scores: list[Score] = []
    unmeasured: list[Unmeasured] = []
    judged: list[Metric] = []
    for metric in metrics:
        if getattr(metric, "asks_judge", False):
            judged.append(metric)
            continue
        if scores and _waits(metric) and _hard_failed(scores):
            continue
        now = getattr(metric, "score_now", None)
        if now is None:
            outcome = await _one(metric, case, answer, breaker)
        else:
            outcome = _one_now(metric, now, case, answer, breaker)
        if isinstance(outcome, Unmeasured):
            unmeasured.append(outcome)
        else:
            scores += outcome
    asked = [item for item in judged if not (_waits(item) and _hard_failed(scores))]
    if asked:
        outcomes = await asyncio.gather(
            *(_one(metric, case, answer, breaker) for metric in asked), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            if isinstance(outcome, Unmeasured):
                unmeasured.append(outcome)
            else:
                scores += outcome
    if scores and not unmeasured:
        return Grading(tuple(scores))
    return Grading(tuple(scores), tuple(unmeasured), _failure(scores, unmeasured))


def _waits(metric: Metric) -> bool:
    return getattr(metric, "after", "none") == "hard"


def _hard_failed(scores: Iterable[Score]) -> bool:
    return any(score.severity == "hard" and score.value < 1.0 for score in scores)


async def _one(
    metric: Metric, case: Case, answer: Completion, breaker: CircuitBreaker
) -> Sequence[Score] | Unmeasured:
    if metric.name in breaker.off:
        return _switched_off(metric)
    try:
        scores = await metric.score(case, answer)
    except Exception as error:  # noqa: BLE001  (the one boundary to code of others)
        return _broken(metric, error, breaker)
    breaker.count(metric.name, broke=False)
    return scores


def _one_now(
    metric: Metric, now: ScoreNow, case: Case, answer: Completion, breaker: CircuitBreaker
) -> Sequence[Score] | Unmeasured:
    """Do what `_one` does with a metric that never waits: coroutines cost as much as a check."""
    name = metric.name
    if name in breaker.off:
        return _switched_off(metric)
    try:
        scores = now(case, answer)
    except Exception as error:  # noqa: BLE001  (the one boundary to code of others)
        return _broken(metric, error, breaker)
    if name not in breaker.settled:
        breaker.count(name, broke=False)
    return scores


def _switched_off(metric: Metric) -> Unmeasured:
    reason = f"'{metric.name}' broke on more than 20 % of its first 20 cases and is off"
    return _unmeasured(metric, "error", SWITCHED_OFF, reason)


def _broken(metric: Metric, error: Exception, breaker: CircuitBreaker) -> Unmeasured:
    """Say what a check that gave no score met; raise what ends the run."""
    if isinstance(error, BudgetExceeded | ModelUnusable | StorageError):
        raise error
    if isinstance(error, CheckSkipped):
        # A gate that an answer can grow out of would be none: the case has no score then.
        grown = error.kind == TOO_LARGE and getattr(metric, "severity", None) == "hard"
        return _unmeasured(metric, "error" if grown else "skip", error.kind, str(error))
    at_judge = isinstance(error, JudgeError)
    if not (at_judge and error.kind == UNSURE):
        # A judge that does not decide this case is not a broken one.
        breaker.count(metric.name, broke=True)
    if isinstance(error, MetricError):
        outcome = _unmeasured(metric, "error", error.kind, str(error))
        return outcome.model_copy(update={"at": "judge"}) if at_judge else outcome
    reason = f"{metric.name}: {type(error).__name__}: {error}"
    return _unmeasured(metric, "error", "metric_error", reason)


def _unmeasured(metric: Metric, status: str, kind: str, reason: str) -> Unmeasured:
    return Unmeasured(
        metric=metric.name,
        status="skip" if status == "skip" else "error",
        kind=kind,
        reason=reason,
    )


def _failure(scores: Sequence[Score], unmeasured: Sequence[Unmeasured]) -> Failure | None:
    """Say why the case has no score: a check broke, or there was none that could be run."""
    broken = next((item for item in unmeasured if item.status == "error"), None)
    if broken is not None:
        return Failure(at=broken.at, kind=broken.kind, message=broken.reason)
    if scores:
        return None
    if unmeasured:
        reason = unmeasured[0].reason
        return Failure(at="harness", kind="skipped", message=f"no check could be run: {reason}")
    return Failure(at="harness", kind="not_graded", message="no check gave a finding")
