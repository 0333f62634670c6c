"""Runs a program on cases and grades the answers: cases in, a Report out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from promptyard.errors import (
    BudgetExceeded,
    ModelError,
    ModelUnusable,
    PromptError,
    StorageError,
)
from promptyard.protocols import Metric, StepCall, Workflow
from promptyard.records.base import Json
from promptyard.records.cases import Case, EvalSplit
from promptyard.records.messages import Completion, Request
from promptyard.records.prompts import Program
from promptyard.records.scores import (
    Failure,
    GradedCase,
    Report,
    Score,
    StepVisit,
    Trial,
    case_score,
)
from promptyard.runner.caller import Caller
from promptyard.runner.feed import CaseFeed
from promptyard.runner.grading import CircuitBreaker, Grading, grade
from promptyard.runner.limiter import call_priority
from promptyard.runner.summarize import summarize

MetricsFor: TypeAlias = Callable[[Program, Case], Sequence[Metric]]
SuiteMetrics: TypeAlias = Callable[[Sequence[GradedCase]], Mapping[str, Json]]
Certify: TypeAlias = Callable[[Report, Sequence[Case]], Report]
"""Adds to a report what people's labels say of its judges."""

MIN_CHUNK = 64
"""Cases that are looked up together at least; more where more run at once."""


@dataclass(frozen=True, slots=True)
class _Shared:
    """What all trials of one run share."""

    program: Program
    workflow: Workflow
    split: EvalSplit
    replicate: int
    breaker: CircuitBreaker
    call: StepCall


class _InOrder:
    """The trials that have ended, asked about one by one in the order of their cases."""

    def __init__(self, until: Callable[[Trial], bool] | None) -> None:
        self.settled = False
        self._until = until
        self._trials: dict[int, Trial] = {}
        self._n_asked = 0

    def add(self, index: int, trial: Trial) -> bool:
        """Take a trial; True when nothing more needs to be known."""
        self._trials[index] = trial
        if self._until is None:
            return False
        while not self.settled and self._n_asked in self._trials:
            self.settled = self._until(self._trials[self._n_asked])
            self._n_asked += 1
        return self.settled

    def ended(self) -> list[Trial]:
        """Return the trials in order, none behind the one that settled it."""
        indices = sorted(self._trials)
        return [
            self._trials[index] for index in indices if not self.settled or index < self._n_asked
        ]


class Executor:
    """Runs programs for one task: same workflow, metrics and pass mark for every candidate.

    `notes` is what a reader of its reports should know beforehand.
    """

    def __init__(
        self,
        *,
        caller: Caller,
        workflow_for: Callable[[Program], Workflow],
        metrics_for: MetricsFor,
        suite_metrics: SuiteMetrics,
        eval_set_version: str,
        pass_at: float = 1.0,
        certify: Certify | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self.caller = caller
        self.notes = tuple(notes)
        self._certify = certify
        self._workflow_for = workflow_for
        self._metrics_for = metrics_for
        self._suite_metrics = suite_metrics
        self._eval_set_version = eval_set_version
        self._pass_at = pass_at

    async def run(
        self,
        program: Program,
        cases: Sequence[Case],
        split: EvalSplit,
        *,
        replicate: int = 0,
        on_trial: Callable[[Trial], None] | None = None,
    ) -> Report:
        """Run a program on cases. Costs one task call a case and step visit, unless stored.

        Trials come back in the order of `cases`. A failed call or metric is a Failure of its
        trial. Raises BudgetExceeded or ModelUnusable when the run cannot go on; answers that
        were in flight are stored before that.
        """
        trials = await self.trials(program, cases, split, replicate=replicate, on_trial=on_trial)
        return self.report(program, cases, split, trials)

    async def trials(
        self,
        program: Program,
        cases: Sequence[Case],
        split: EvalSplit,
        *,
        replicate: int = 0,
        priority: float = 0.0,
        on_trial: Callable[[Trial], None] | None = None,
        until: Callable[[Trial], bool] | None = None,
    ) -> list[Trial]:
        """Run a program on cases until `until` says so of a trial; return the trials up to it.

        `on_trial` sees each trial as it ends. `until` sees them in the order of `cases`, each as
        soon as those before it have ended: the same answers then stop a run at the same trial,
        whatever their speed, and quick cases do not weigh more. Calls in flight are then cancelled
        (those that were sent count); what ended meanwhile stays stored. Of the calls that wait for
        a model, those of a higher `priority` go first. Costs and raises as `run`.
        """
        shared = _Shared(
            program,
            self._workflow_for(program),
            split,
            replicate,
            CircuitBreaker(),
            self._step_call(replicate),
        )
        n_workers = min(len(cases), 2 * self.caller.limits.concurrency)
        feed = CaseFeed(cases, max(n_workers, MIN_CHUNK), lambda some: self._prefetch(shared, some))
        trials = _InOrder(until)
        stopped: list[Exception] = []
        workers: list[asyncio.Task[None]] = []

        async def work() -> None:
            call_priority.set(priority)
            try:
                while not stopped and not trials.settled and (taken := await feed.take()):
                    index, case = taken
                    trial = await self._trial(shared, case)
                    if trials.settled:
                        return
                    if on_trial is not None:
                        on_trial(trial)
                    if trials.add(index, trial):
                        _cancel(workers)
            except (BudgetExceeded, ModelUnusable, StorageError) as error:
                stopped.append(error)

        workers += [asyncio.create_task(work()) for _ in range(n_workers)]
        await _all_ended(workers)
        if stopped and not trials.settled:
            raise stopped[0]
        return trials.ended()

    def report(
        self, program: Program, cases: Sequence[Case], split: EvalSplit, trials: Sequence[Trial]
    ) -> Report:
        """Fold trials into a report; `cases` are those of the trials."""
        by_id = {case.id: case for case in cases}
        graded = [GradedCase(case=by_id[trial.case_id], trial=trial) for trial in trials]
        report = summarize(
            program.id, self._eval_set_version, split, graded, self._suite_metrics(graded)
        )
        return self.certified(report, cases)

    def certified(self, report: Report, cases: Sequence[Case]) -> Report:
        """Add to a report, a stored one for example, what is known of its judges by now."""
        return report if self._certify is None else self._certify(report, cases)

    def metric(self, program: Program, case: Case, name: str) -> Metric | None:
        """Return one check of a case by its name, None where the case does not have it."""
        metrics = self._metrics_for(program, case)
        return next((metric for metric in metrics if metric.name == name), None)

    async def _prefetch(self, shared: _Shared, cases: Sequence[Case]) -> None:
        """Look the first calls of cases up in one query, where they do not depend on answers."""
        first_request = getattr(shared.workflow, "first_request", None)
        if first_request is None:
            return
        requests: list[Request] = []
        for case in cases:
            with contextlib.suppress(PromptError):  # the trial of that case reports it
                requests.append(first_request(shared.program, case))
        await self.caller.prefetch("task", requests, shared.replicate)

    async def _trial(self, shared: _Shared, case: Case) -> Trial:
        program, split, replicate = shared.program, shared.split, shared.replicate
        visits: Sequence[StepVisit] = ()
        try:
            visits = await shared.workflow.run(program, case, shared.call)
        except ModelUnusable:
            raise
        except ModelError as error:
            failure = Failure(at="model", kind=error.kind, message=str(error))
            return self._failed(program, case, split, replicate, visits, failure)
        except PromptError as error:
            failure = Failure(at="harness", kind="prompt_error", message=str(error))
            return self._failed(program, case, split, replicate, visits, failure)
        answer = visits[-1].completion
        metrics = self._metrics_for(program, case)
        if answer.finish_reason in UNUSABLE_FINISHES:
            metrics = [item for item in metrics if _grades(item, answer.finish_reason)]
            if not metrics:
                kind, message = UNUSABLE_FINISHES[answer.finish_reason]
                failure = Failure(at="model", kind=kind, message=message)
                return self._failed(program, case, split, replicate, visits, failure)
        grading = await grade(metrics, case, answer, shared.breaker)
        return self._graded(program, case, split, replicate, visits, grading)

    def _step_call(self, replicate: int) -> StepCall:
        async def call(step: str, request: Request) -> Completion:
            del step
            return await self.caller.complete("task", request, replicate)

        return call

    def _graded(
        self,
        program: Program,
        case: Case,
        split: EvalSplit,
        replicate: int,
        visits: Sequence[StepVisit],
        grading: Grading,
    ) -> Trial:
        scores = grading.scores
        if case.kind == "adversarial":
            scores = tuple(_as_safety(score) for score in scores)
        score = None if grading.failure else case_score(scores)
        return Trial(
            program_id=program.id,
            case_id=case.id,
            split=split,
            replicate=replicate,
            status="unscored" if score is None else "scored",
            score=score,
            passed=score is not None and score >= self._pass_at,
            output=visits[-1].completion.text,
            visits=tuple(visits),
            scores=scores,
            unmeasured=grading.unmeasured,
            failure=grading.failure,
        )

    def _failed(
        self,
        program: Program,
        case: Case,
        split: EvalSplit,
        replicate: int,
        visits: Sequence[StepVisit],
        failure: Failure,
    ) -> Trial:
        return Trial(
            program_id=program.id,
            case_id=case.id,
            split=split,
            replicate=replicate,
            status="error",
            output=visits[-1].completion.text if visits else "",
            visits=tuple(visits),
            failure=failure,
        )


def _cancel(workers: Sequence[asyncio.Task[None]]) -> None:
    """Cancel all workers but the one that asks for it; none twice, since it may be cleaning up."""
    for worker in workers:
        if worker is not asyncio.current_task() and not worker.cancelling():
            worker.cancel()


async def _all_ended(workers: Sequence[asyncio.Task[None]]) -> None:
    """Wait for all workers, whatever happens to the one who waits; raise what a worker raised."""
    if not workers:
        return
    try:
        await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        if not all(worker.done() for worker in workers):
            _cancel(workers)
            await asyncio.wait(workers)
    for worker in workers:
        if not worker.cancelled():
            worker.result()


def _grades(metric: Metric, finish_reason: str) -> bool:
    return finish_reason in getattr(metric, "grades_finishes", ())


def _as_safety(score: Score) -> Score:
    """Count what an adversarial case shows of accuracy towards safety."""
    if score.dimension != "accuracy":
        return score
    return score.model_copy(update={"dimension": "safety"})


UNUSABLE_FINISHES: Mapping[str, tuple[str, str]] = {
    "length": ("truncated_output", "the answer was cut at max_tokens; raise it"),
    "content_filter": ("content_filter", "the server's content filter stopped the answer"),
}
"""Finishes that are no answer to grade: errors, unless a check says that it grades them."""
