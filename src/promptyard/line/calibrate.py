"""Measures a judge by what people say: labels in, a stored certificate and what to read out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from promptyard.line.judge_outputs import Judged, chosen_check, instrument_of, judge_outputs
from promptyard.line.labelled import Gathered, gather_outputs, read_labels
from promptyard.line.query import StoreOrUrl, opened
from promptyard.line.session import open_session
from promptyard.line.stored_answers import LAST
from promptyard.line.task import Task
from promptyard.metrics.calibration import certificate_of
from promptyard.protocols import ProgressSink, Store
from promptyard.records.budget import Budget
from promptyard.records.judging import (
    Calibration,
    Disagreement,
    JudgeCertificate,
    LabelledVerdict,
)
from promptyard.records.labels import output_hash

KIND = "judge calibrate"


@dataclass(frozen=True)
class CalibrationPlan:
    """Which check is measured, and by what.

    `check` may be left out where one check asks a judge. Labels are read from `labels`, or from
    the cases under `column`. Outputs that the labels do not hold are those of the run `from_run`;
    `last` takes stored ones, where no case has several.
    """

    check: str | None = None
    labels: Path | None = None
    column: str | None = None
    split: str | None = None
    from_run: str = LAST


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
    cannot be used or may be on another answer than the stored one, NotFound for an unknown run,
    JudgeError where the judge gives no verdict at all, BudgetExceeded when the budget does not
    suffice.
    """
    check = chosen_check(task, plan.check)
    labels = read_labels(task, check, labels=plan.labels, column=plan.column, split=plan.split)
    async with open_session(task, store=store, budget=budget, kind=KIND) as session:
        executor = session.executor(task)  # a judge that can be none is refused here
        gathered = await gather_outputs(
            task, labels, session.store, from_run=plan.from_run, own_run=session.header.id
        )
        judged = await judge_outputs(executor, task.program, check, gathered.items, on_progress)
        calibration = _calibration(task, check, gathered, judged)
        await session.store.save_certificate(calibration.certificate)
        await session.store.set_run_status(session.header.id, "finished")
        return calibration


async def stored_certificates(
    url: StoreOrUrl, task: str | None = None
) -> Sequence[JudgeCertificate]:
    """Return the certificates of a store, those of one task if it is named, newest first."""
    async with opened(url) as store:
        found = await store.certificates()
    return tuple(item for item in reversed(found) if task in {None, item.task})


def _calibration(
    task: Task, check: str, gathered: Gathered, judged: Sequence[Judged]
) -> Calibration:
    """Compare person and judge on what both have looked at."""
    model, prompt_hash = instrument_of(check, judged)
    said = [
        (labelled, found)
        for labelled, item in zip(gathered.items, judged, strict=True)
        if (found := item.lowest) is not None
    ]
    certificate = certificate_of(
        [
            LabelledVerdict(
                case_id=labelled.case.id,
                person=labelled.passed,
                judge=found.value >= 1.0,
                output_hash=output_hash(labelled.completion.text),
            )
            for labelled, found in said
        ],
        task=task.name,
        metric=check,
        model=model,
        prompt_hash=prompt_hash,
        eval_set_version=task.eval_set.version,
        n_unmeasured=len(judged) - len(said),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return Calibration(
        certificate=certificate,
        disagreements=tuple(
            Disagreement(
                case_id=labelled.case.id,
                person=labelled.passed,
                verdict="" if found.judge is None else found.judge.verdict,
                reason=found.reason,
                output=labelled.completion.text,
            )
            for labelled, found in said
            if labelled.passed != (found.value >= 1.0)
        ),
        n_contradictory=gathered.n_contradictory,
        n_without_output=gathered.n_without_output,
    )
