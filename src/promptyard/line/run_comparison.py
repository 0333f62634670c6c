"""Compares two evals that are stored: what the gate says of the pair, and which cases changed."""

from __future__ import annotations

from promptyard.errors import EvalSetError, NotFound
from promptyard.line.comparability import Measured, doubted, fair_baseline, measured_on
from promptyard.line.evaluation import changed_answers, flips_between
from promptyard.line.query import StoreOrUrl, opened
from promptyard.line.references import EVAL, StoredRun
from promptyard.line.run_reading import ReportRow, report_row
from promptyard.line.wiring import build_gate
from promptyard.protocols import Store
from promptyard.records.base import Record
from promptyard.records.cases import EvalSplit
from promptyard.records.evaluations import AnswerChanges, Flip
from promptyard.records.verdicts import GateSettings, PairedReport, Verdict


class RunComparison(Record):
    """Two evals of one task and split: `candidate` is `run_id`, `baseline` is `compared_with`.

    `verdict` is what the gate says of the pair on the `n_compared` cases that both have and nobody
    edited in between, by the settings of the candidate's run. `flips` are cases that passed in one
    and failed in the other, `answers` how many were answered in other words.
    """

    run_id: str
    compared_with: str
    task: str
    split: EvalSplit
    candidate: ReportRow
    baseline: ReportRow
    n_compared: int
    verdict: Verdict
    flips: tuple[Flip, ...] = ()
    answers: AnswerChanges
    notes: tuple[str, ...] = ()


async def compare_runs(url: StoreOrUrl, run_id: str, baseline: str) -> RunComparison:
    """Compare an eval with an earlier one on the cases that both have. Costs no call.

    Raises NotFound for an unknown run or one that is no finished eval, EvalSetError for runs of two
    tasks or two splits.
    """
    async with opened(url) as store:
        after, before = await _eval_run(store, run_id), await _eval_run(store, baseline)
        header, other = await store.run_header(run_id), await store.run_header(baseline)
        if (header.task, after.report.split) != (other.task, before.report.split):
            raise EvalSetError(
                f"run {run_id} measured '{header.task}' on {after.report.split}, run {baseline} "
                f"'{other.task}' on {before.report.split}; compare evals of one task and split"
            )
        eval_set = await measured_on(store, None, after.report)
        old_set = await measured_on(store, eval_set, before.report)
    split = after.report.split
    tried = {trial.case_id for trial in after.report.trials}
    cases = tuple(case for case in eval_set.split(split) if case.id in tried)
    fair = fair_baseline(before, other, old_set, Measured(header, eval_set, cases))
    gates = GateSettings.model_validate(header.settings.get("gates", {}))
    pair = PairedReport(baseline=before.report, candidate=after.report)
    verdict = doubted(build_gate().judge(pair, fair.cases, gates), fair.doubts)
    compared = {case.id for case in fair.cases}
    pass_at = float(header.settings.get("pass_at", 1.0))
    found = flips_between(before.report, after.report, pass_at)
    return RunComparison(
        run_id=run_id,
        compared_with=baseline,
        task=header.task,
        split=split,
        candidate=report_row(1, after.report),
        baseline=report_row(1, before.report),
        n_compared=len(compared),
        verdict=verdict,
        flips=tuple(flip for flip in found if flip.case_id in compared),
        answers=changed_answers(before.report, after.report),
        notes=(*fair.notes, *verdict.notes),
    )


async def _eval_run(store: Store, run_id: str) -> StoredRun:
    reports = await store.reports(run_id, EVAL)
    if not reports:
        raise NotFound(f"run '{run_id}' is no finished eval, so it has no report to compare")
    return StoredRun(run_id, reports[-1])
