"""Grades one answer with all checks of its case, and switches off a check that keeps breaking."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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

BREAKER_CASES = 20
BREAKER_SHARE = 0.2
SWITCHED_OFF = "switched_off"
UNSURE = "judge_unsure"


class CircuitBreaker:
    """Switches a check off that breaks on more than 20 % of its first 20 cases.

    A broken scorer or judge then costs no more calls; the cases are unscored either way.
    """

    def __init__(self) -> None:
        self._n_graded: Counter[str] = Counter()
        self._n_errors: Counter[str] = Counter()
        self._off: set[str] = set()

    def is_off(self, metric: str) -> bool:
        """Say whether the check is switched off."""
        return metric in self._off

    def count(self, metric: str, *, broke: bool) -> None:
        """Count one grading by a check."""
        if self._n_graded[metric] >= BREAKER_CASES:
            return
        self._n_graded[metric] += 1
        self._n_errors[metric] += broke
        if self._n_errors[metric] > BREAKER_SHARE * BREAKER_CASES:
            self._off.add(metric)


@dataclass(frozen=True)
class Grading:
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
        elif not (_waits(metric) and _hard_failed(scores)):
            _file(await _one(metric, case, answer, breaker), scores, unmeasured)
    asked = [item for item in judged if not (_waits(item) and _hard_failed(scores))]
    if asked:
        outcomes = await asyncio.gather(
            *(_one(metric, case, answer, breaker) for metric in asked), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            _file(outcome, scores, unmeasured)
    return Grading(tuple(scores), tuple(unmeasured), _failure(scores, unmeasured))


def _waits(metric: Metric) -> bool:
    return getattr(metric, "after", "none") == "hard"


def _hard_failed(scores: Iterable[Score]) -> bool:
    return any(score.severity == "hard" and score.value < 1.0 for score in scores)


def _file(
    outcome: Sequence[Score] | Unmeasured, scores: list[Score], unmeasured: list[Unmeasured]
) -> None:
    if isinstance(outcome, Unmeasured):
        unmeasured.append(outcome)
    else:
        scores.extend(outcome)


async def _one(
    metric: Metric, case: Case, answer: Completion, breaker: CircuitBreaker
) -> Sequence[Score] | Unmeasured:
    if breaker.is_off(metric.name):
        return Unmeasured(
            metric=metric.name,
            status="error",
            kind=SWITCHED_OFF,
            reason=f"'{metric.name}' broke on more than 20 % of its first 20 cases and is off",
        )
    try:
        scores = await metric.score(case, answer)
    except (BudgetExceeded, ModelUnusable, StorageError):
        raise
    except CheckSkipped as skipped:
        return _unmeasured(metric, "skip", skipped.kind, str(skipped))
    except JudgeError as error:
        outcome = _unmeasured(metric, "error", error.kind, str(error))
        outcome = outcome.model_copy(update={"at": "judge"})
        if error.kind == UNSURE:
            return outcome  # a judge that does not decide this case is not a broken one
    except MetricError as error:
        outcome = _unmeasured(metric, "error", error.kind, str(error))
    except Exception as error:  # noqa: BLE001  (the one boundary to code of others)
        reason = f"{metric.name}: {type(error).__name__}: {error}"
        outcome = _unmeasured(metric, "error", "metric_error", reason)
    else:
        breaker.count(metric.name, broke=False)
        return scores
    breaker.count(metric.name, broke=True)
    return outcome


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
