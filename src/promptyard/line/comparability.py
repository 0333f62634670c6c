"""Says what keeps a stored run from being a baseline: another task, other checks, other cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from promptyard.errors import Advised, EvalSetError, NotFound
from promptyard.line.references import StoredRun
from promptyard.line.session import Session
from promptyard.line.task import Task
from promptyard.protocols import Store
from promptyard.records.cases import Case, EvalSet, EvalSplit
from promptyard.records.runs import RunHeader
from promptyard.records.scores import Report
from promptyard.records.verdicts import Verdict


@dataclass(frozen=True)
class Baseline:
    """The report of a run with the cases that compare, and what speaks against a verdict.

    `name` is what a person calls it: `run ...`, `version 2`, `itself`.
    """

    name: str
    report: Report
    cases: tuple[Case, ...]
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def require_split(found: StoredRun, split: EvalSplit) -> None:
    """Raise EvalSetError for a run of another split: `all` compares with `all` only."""
    measured = found.report.split
    if measured != split:
        raise EvalSetError(
            Advised(
                f"run {found.run_id} measured {measured}, this one measures {split}; compare with "
                f"a run of {split}, or measure {measured} ",
                "(--split)",
                "(split)",
            )
        )


async def stored_baseline(
    session: Session, task: Task, found: StoredRun, cases: Sequence[Case]
) -> Baseline:
    """Compare how a run of the same split was measured with how it would be now, case by case."""
    header = await session.store.run_header(found.run_id)
    before = await measured_on(session.store, task.eval_set, found.report)
    now = Measured(session.header, task.eval_set, tuple(cases))
    return fair_baseline(found, header, before, now)


@dataclass(frozen=True)
class Measured:
    """How and on what a run was measured: its cases are those of `eval_set` that it ran."""

    header: RunHeader
    eval_set: EvalSet
    cases: tuple[Case, ...]


def fair_baseline(found: StoredRun, header: RunHeader, before: EvalSet, now: Measured) -> Baseline:
    """Return a stored run as a baseline of what is measured `now`; `before` is its eval set.

    It compares on the cases that both have and nobody has edited in between.
    """
    run_id, report = found.run_id, found.report
    doubts: list[str] = []
    if header.settings.get("metrics") != now.header.settings.get("metrics"):
        doubts.append(f"run {run_id} was graded by other checks, so scores do not compare")
    tried = {trial.case_id for trial in report.trials}
    n_split = len(before.split(report.split))
    if len(tried) < n_split:
        doubts.append(
            f"run {run_id} has only {len(tried)} of the {n_split} cases of {report.split}: "
            "compare with a run of all of them"
        )
    name = f"run {run_id}"
    if before.version == now.eval_set.version:
        return Baseline(name, report, now.cases, tuple(doubts))
    graded = {case.id: _graded(case) for case in before.cases}
    same = tuple(case for case in now.cases if graded.get(case.id, _graded(case)) == _graded(case))
    said = (
        f"run {run_id} was measured on eval set {before.version}, this one on "
        f"{now.eval_set.version}: compared on the cases that both have"
    )
    if len(same) < len(now.cases):
        said += f"; {len(now.cases) - len(same)} cases were edited since and are left out"
    return Baseline(name, report, same, tuple(doubts), (said,))


def doubted(verdict: Verdict, doubts: Sequence[str]) -> Verdict:
    """Keep a verdict from deciding where the comparison is not a fair one.

    A critical case that broke is broken all the same.
    """
    if not doubts or verdict.critical_regressions:
        return verdict
    found = verdict.comparisons[0].sentence if verdict.comparisons else "nothing was measured"
    return verdict.model_copy(
        update={
            "status": "inconclusive",
            "reasons": (*doubts, *verdict.reasons),
            "sentence": f"This comparison cannot decide: {'; '.join(doubts)}. Found: {found}.",
        }
    )


async def measured_on(store: Store, known: EvalSet | None, report: Report) -> EvalSet:
    """Return the eval set of a report: the one that is known already, or that of the store."""
    if known is not None and report.eval_set_version == known.version:
        return known
    try:
        return await store.eval_set(report.eval_set_version)
    except NotFound:  # a run of an older program, which did not store what it measured on
        empty: tuple[Case, ...] = ()
        return EvalSet(name="", cases=empty, version=report.eval_set_version)


def _graded(case: Case) -> Case:
    """Return what a case's score depends on: same input, expectation and checks, same question."""
    return Case(
        id=case.id,
        input=case.input,
        expected=case.expected,
        rubric=case.rubric,
        checks=case.checks,
    )
