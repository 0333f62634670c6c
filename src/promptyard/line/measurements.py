"""Turns reports into measurements: the history of scores and failure patterns."""

from __future__ import annotations

from collections.abc import Mapping

from promptyard.line.session import Session
from promptyard.line.task import Task
from promptyard.records.cases import Case
from promptyard.records.measurements import Measurement
from promptyard.records.prompts import Program
from promptyard.records.runs import Run, RunHeader, StageOutcome
from promptyard.records.scores import GradedCase, Report
from promptyard.signals.buckets import bucket_failures
from promptyard.signals.evidence import target_counts

SUITE = "suite."
"""Begins the names of suite-level metrics among the dimensions of a measurement."""


async def record_measurement(
    task: Task, session: Session, purpose: str, report: Report, program: Program
) -> None:
    """Store what a report came to, under the version that the program has in the registry.

    A report on a part of its split (the cases that failed before, for instance) is no measurement
    of the split and leaves no trace in the history.
    """
    cases = {case.id: case for case in task.eval_set.split(report.split)}
    if cases.keys() != {trial.case_id for trial in report.trials}:
        return
    versions = await session.store.versions(task.name)
    number = next((item.number for item in versions if item.digest == program.id), None)
    await session.store.save_measurement(
        measurement_of(session.header, purpose, report, program, cases, number)
    )


async def record_decision(
    task: Task, session: Session, run: Run, outcomes: Mapping[str, StageOutcome]
) -> None:
    """Store what baseline and finalist came to, on dev and on the holdout, once it is decided."""
    if run.decision is None or run.finalist is None:
        return
    for stage in ("full", "decide"):
        outcome = outcomes.get(stage)
        for program in (run.baseline, run.finalist):
            report = outcome.reports.get(program.id) if outcome else None
            if report is not None:
                await record_measurement(task, session, stage, report, program)


def measurement_of(
    header: RunHeader,
    purpose: str,
    report: Report,
    program: Program,
    cases: Mapping[str, Case],
    version: int | None,
) -> Measurement:
    """Fold a report into its row of the history.

    Of a repeated case the first replicate counts for the buckets, as where `eval` draws them.
    """
    first = report.by_case()
    graded = [GradedCase(case=cases[name], trial=trial) for name, trial in first.items()]
    dimensions = {item.name: item.mean for item in report.summaries if item.n_cases}
    dimensions |= {
        f"{SUITE}{name}": value for name, value in report.suite.items() if isinstance(value, float)
    }
    return Measurement(
        task=header.task,
        program_id=program.id,
        version=version,
        eval_set_version=report.eval_set_version,
        split=report.split,
        run_id=header.id,
        purpose=purpose,
        model=header.task_model,
        n_cases=len(first),
        coverage=report.coverage,
        score=report.score,
        dimensions=dimensions,
        checks={item.metric: item.mean for item in report.checks if item.mean is not None},
        buckets=target_counts(bucket_failures(graded, program)),
    )
