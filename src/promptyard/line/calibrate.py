"""Measures a judge by what people say: labels in, a stored certificate and what to read out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from promptyard.errors import (
    BudgetExceeded,
    ConfigError,
    JudgeError,
    MetricError,
    ModelUnusable,
    StorageError,
)
from promptyard.evalset.wording import nearest
from promptyard.line.labelled import LAST, Gathered, Labelled, gather_outputs, read_labels
from promptyard.line.query import opened
from promptyard.line.session import open_session
from promptyard.line.task import Task
from promptyard.line.wiring import judged_by, metrics_of
from promptyard.metrics.calibration import certificate_of
from promptyard.protocols import ProgressSink, Store
from promptyard.records.budget import Budget
from promptyard.records.judging import (
    Calibration,
    Disagreement,
    JudgeCertificate,
    LabelledVerdict,
    output_hash,
)
from promptyard.records.prompts import Program
from promptyard.records.runs import Progress
from promptyard.records.scores import Score
from promptyard.runner.execute import Executor

KIND = "judge calibrate"


@dataclass(frozen=True)
class CalibrationPlan:
    """Which check is measured, and by what.

    `check` may be left out where one check asks a judge. Labels are read from `labels`, or from
    the cases under `column`. Outputs that the labels do not hold are those of the run `from_run`.
    """

    check: str | None = None
    labels: Path | None = None
    column: str | None = None
    split: str | None = None
    from_run: str = LAST


@dataclass(frozen=True)
class Judged:
    """A labelled output with what the check found; `why` it gave no scores, where it gave none."""

    item: Labelled
    scores: tuple[Score, ...] = ()
    why: str = ""

    @property
    def passed(self) -> bool:
        """Whether the check finds nothing wrong."""
        return min(score.value for score in self.scores) >= 1.0


async def run_calibration(
    task: Task,
    plan: CalibrationPlan,
    *,
    budget: Budget | None = None,
    store: str | Store | None = None,
    on_progress: ProgressSink,
) -> Calibration:
    """Ask the judge about labelled outputs, compare, and store the certificate.

    Costs judge calls, unless stored: one a labelled output, two for `pairwise`, and 5 % more for
    those that are asked twice. No task call is made. From then on reports of the same judge
    (model and prompt hash) name the certificate and correct the check's mean.

    Raises ConfigError where no check, or no single one, asks a judge, EvalSetError for labels that
    cannot be used, NotFound for an unknown run, JudgeError where the judge gives no verdict at
    all, BudgetExceeded when the budget does not suffice.
    """
    check = _check(task, plan.check)
    labels = read_labels(task, check, labels=plan.labels, column=plan.column, split=plan.split)
    async with open_session(task, store=store, budget=budget, kind=KIND) as session:
        executor = session.executor(task)  # a judge that can be none is refused here
        gathered = await gather_outputs(
            task, labels, session.store, from_run=plan.from_run, own_run=session.header.id
        )
        judged = await _judge(executor, task.program, check, gathered.items, on_progress)
        calibration = _calibration(task, check, gathered, judged)
        await session.store.save_certificate(calibration.certificate)
        await session.store.set_run_status(session.header.id, "finished")
        return calibration


async def stored_certificates(
    url: str | None, task: str | None = None
) -> Sequence[JudgeCertificate]:
    """Return the certificates of a store, those of one task if it is named, newest first."""
    async with opened(url) as store:
        found = await store.certificates()
    return tuple(item for item in reversed(found) if task in {None, item.task})


def _check(task: Task, wanted: str | None) -> str:
    """Return the check to be measured. Raises ConfigError naming those that there are."""
    judged = judged_by(task, metrics_of(task))
    if not judged:
        raise ConfigError(f"no check of task '{task.name}' asks a judge: there is none to measure")
    if wanted is None and len(judged) > 1:
        names = ", ".join(judged)
        raise ConfigError(f"several checks ask a judge; name one with --check: {names}")
    if wanted is None:
        return next(iter(judged))
    if wanted not in judged:
        raise ConfigError(f"no check '{wanted}' asks a judge{nearest(wanted, judged)}")
    return wanted


async def _judge(
    executor: Executor,
    program: Program,
    check: str,
    items: Sequence[Labelled],
    on_progress: ProgressSink,
) -> list[Judged]:
    """Grade all outputs with one check, as many at once as calls may be under way."""
    judged: dict[int, Judged] = {}
    stopped: list[Exception] = []
    queue = iter(enumerate(items))

    async def work() -> None:
        for index, item in queue:
            if stopped:
                return
            try:
                judged[index] = await _judge_one(executor, program, check, item)
            except (BudgetExceeded, ModelUnusable, StorageError) as error:
                stopped.append(error)
                return
            spent = executor.caller.ledger.spent
            on_progress(Progress(phase="judge", done=len(judged), total=len(items), spent=spent))

    n_workers = min(len(items), 2 * executor.caller.limits.concurrency)
    await asyncio.gather(*(work() for _ in range(n_workers)))
    if stopped:
        raise stopped[0]
    return [judged[index] for index in range(len(items))]


async def _judge_one(executor: Executor, program: Program, check: str, item: Labelled) -> Judged:
    metric = executor.metric(program, item.case, check)
    if metric is None:
        return Judged(item, why="the case does not have this check")
    try:
        return Judged(item, tuple(await metric.score(item.case, item.completion)))
    except MetricError as error:
        return Judged(item, why=str(error))


def _calibration(
    task: Task, check: str, gathered: Gathered, judged: Sequence[Judged]
) -> Calibration:
    """Compare person and judge on what both have looked at."""
    measured = [item for item in judged if item.scores]
    stamps = [score.judge for item in measured for score in item.scores if score.judge is not None]
    instruments = dict.fromkeys((stamp.model, stamp.prompt_hash) for stamp in stamps)
    if not instruments:
        why = next((item.why for item in judged if item.why), "it was never asked")
        raise JudgeError(f"the judge gave no verdict on any labelled output: {why}")
    if len(instruments) > 1:
        models = ", ".join(dict.fromkeys(model for model, _ in instruments))
        raise ConfigError(
            f"check '{check}' was judged by {len(instruments)} instruments ({models}): pin the "
            "judge to a snapshot, and give each judge a check of its own"
        )
    (model, prompt_hash) = next(iter(instruments))
    certificate = certificate_of(
        [
            LabelledVerdict(
                case_id=item.item.case.id,
                person=item.item.passed,
                judge=item.passed,
                output_hash=output_hash(item.item.completion.text),
            )
            for item in measured
        ],
        task=task.name,
        metric=check,
        model=model,
        prompt_hash=prompt_hash,
        eval_set_version=task.eval_set.version,
        n_unmeasured=len(judged) - len(measured),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return Calibration(
        certificate=certificate,
        disagreements=tuple(
            _disagreement(item) for item in measured if item.passed != item.item.passed
        ),
        n_contradictory=gathered.n_contradictory,
        n_without_output=gathered.n_without_output,
    )


def _disagreement(item: Judged) -> Disagreement:
    lowest = min(item.scores, key=lambda score: score.value)
    return Disagreement(
        case_id=item.item.case.id,
        person=item.item.passed,
        verdict="" if lowest.judge is None else lowest.judge.verdict,
        reason=lowest.reason,
        output=item.item.completion.text,
    )
