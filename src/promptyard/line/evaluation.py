"""Measures one program on a split or on all cases: repeated, filtered, beside a baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from promptyard.errors import EvalSetError
from promptyard.line.comparability import Baseline, doubted, stored_baseline
from promptyard.line.eval_spans import TrialSink, require_spans, trial_sink
from promptyard.line.evaluation_plan import (
    EvaluationPlan,
    ToRun,
    chosen_cases,
    named_baseline,
    require_cases,
)
from promptyard.line.lineage import record_version
from promptyard.line.measured import require_answers
from promptyard.line.measurements import record_measurement
from promptyard.line.references import EVAL, StoredRun
from promptyard.line.same_program import same_program_verdict
from promptyard.line.session import Session, open_session
from promptyard.line.task import Task
from promptyard.line.trial_counter import TrialCounter
from promptyard.line.wiring import build_gate
from promptyard.protocols import ProgressSink, Store
from promptyard.records.budget import Budget
from promptyard.records.cases import Case, EvalSplit, eval_split_named
from promptyard.records.evaluations import AnswerChanges, Evaluation, Flip
from promptyard.records.prompts import Program
from promptyard.records.scores import Report, Trial
from promptyard.records.verdicts import PairedReport, Verdict
from promptyard.runner.execute import Executor
from promptyard.runner.summarize import case_values

AGAIN = 1000
"""First replicate of the second half of an A/A run."""

CHOSEN = (
    "its cases were chosen because they failed before, and such cases do better by chance alone; "
    "measure all cases"
)

NO_SUITE = (
    "scores of all labels or items together (F1, MCC, kappa) are left out: of cases that were "
    "chosen because they failed they say nothing"
)


async def run_evaluation(
    task: Task,
    plan: EvaluationPlan,
    *,
    budget: Budget | None = None,
    store: str | Store | None = None,
    force: bool = False,
    on_progress: ProgressSink,
    on_begin: Callable[[str], None] | None = None,
) -> Evaluation:
    """Measure a program and, where a baseline is named, compare on the same cases.

    Costs one task call a case, step and replicate, as many again for a baseline that has to be
    run, and what the judges cost; nothing that is stored is asked again. Errors are counted, never
    scored. Raises EvalSetError for an unknown or empty split or nothing to measure, NotFound for an
    unknown run or version, BudgetExceeded when the budget does not suffice; EvalSetError, too, for
    a holdout that is worn out (20 looks) unless `force`. `on_begin` gets the id of the run.
    """
    split = eval_split_named(plan.split)
    require_cases(task.eval_set, split)
    require_spans(plan.spans)
    if plan.n_repeats < 1:
        raise EvalSetError(f"repeat is {plan.n_repeats}; every case is run at least once")
    program = plan.program or task.program
    kind = f"{EVAL} {split}"
    async with open_session(
        task,
        store=store,
        budget=budget,
        kind=kind,
        force=force,
        begin=False,
        on_begin=on_begin,
    ) as session:
        notes: list[str] = []
        cases, filtered = await chosen_cases(session.store, task, plan, split)
        named = await named_baseline(session.store, task, plan, split)
        executor = session.executor(task)
        notes += executor.notes
        holdout = task.eval_set.split("holdout") if split in ("holdout", "all") else ()
        if holdout:
            # The whole holdout counts as seen, whatever part of it is run.
            look = await session.count_look(holdout, program.id)
            if look.status == "warn":
                notes.append(look.sentence)
            elif split == "all":
                notes.append(f"the holdout is among all cases; looks at it so far: {look.looks}")
        await session.begin()
        await record_version(session.store, task.eval_set)
        n_runs = 2 if isinstance(named, ToRun) else 1
        count = TrialCounter(session, on_progress, split, n_runs * plan.n_repeats * len(cases))

        async def measure(
            measured: Program, first_replicate: int, on_trial: TrialSink = count
        ) -> Report:
            replicates = range(first_replicate, first_replicate + plan.n_repeats)
            return await _repeated(executor, measured, cases, split, replicates, on_trial)

        before: Baseline | None = None
        if isinstance(named, ToRun):
            again = await measure(named.program, AGAIN if plan.itself else 0)
            before = Baseline(named.name, again, tuple(cases))
        elif named is not None:
            stored = await stored_baseline(session, task, named, cases)
            notes += stored.notes
            before = replace(stored, report=executor.certified(stored.report, cases))
        async with trial_sink(session, task.name, program, count, plan.spans, notes) as on_trial:
            report = await measure(program, 0, on_trial)
        require_answers(report)
        if filtered is not None:
            if report.suite and len(cases) < len(task.eval_set.split(split)):
                report = report.model_copy(update={"suite": {}})
                notes.append(NO_SUITE)
            notes += _changes_since(filtered, report)
        await session.store.save_report(session.header.id, EVAL, report)
        await record_measurement(task, session, EVAL, report, program)
        found = _evaluation(task, plan, session, before, report, notes)
        sentence = "" if found.verdict is None else found.verdict.sentence
        await session.store.set_run_status(session.header.id, "finished", sentence=sentence)
        return found


async def _repeated(
    executor: Executor,
    program: Program,
    cases: Sequence[Case],
    split: EvalSplit,
    replicates: range,
    on_trial: TrialSink,
) -> Report:
    """Run every replicate and fold all trials into one report."""
    trials: list[Trial] = []
    for replicate in replicates:
        report = await executor.run(program, cases, split, replicate=replicate, on_trial=on_trial)
        if len(replicates) == 1:
            return report
        trials += report.trials
    return executor.report(program, cases, split, trials)


def _evaluation(
    task: Task,
    plan: EvaluationPlan,
    session: Session,
    before: Baseline | None,
    report: Report,
    notes: list[str],
) -> Evaluation:
    verdict: Verdict | None = None
    flips: tuple[Flip, ...] = ()
    if before is not None:
        pair = PairedReport(baseline=before.report, candidate=report)
        verdict = build_gate().judge(pair, before.cases, task.gates)
        compared = {case.id for case in before.cases}
        found = flips_between(before.report, report, task.pass_at)
        flips = tuple(flip for flip in found if flip.case_id in compared)
        notes += verdict.notes
        if plan.itself:
            verdict = same_program_verdict(verdict, pair, before.cases, task.gates)
        chosen = () if plan.only_failing_of is None else (CHOSEN,)
        verdict = doubted(verdict, (*before.doubts, *chosen))
    return Evaluation(
        run_id=session.header.id,
        task=task.name,
        model=session.header.task_model,
        judge_model=session.models["judge"].name if "judge" in session.models else "",
        eval_set_version=task.eval_set.version,
        n_by_split=task.eval_set.n_by_split,
        n_repeats=plan.n_repeats,
        report=report,
        compared_with="" if before is None else before.name,
        baseline=None if before is None else before.report,
        verdict=verdict,
        flips=flips,
        answers=None if before is None else changed_answers(before.report, report),
        unstable=unstable_cases(report),
        spent=session.ledger.spent,
        notes=tuple(notes),
    )


def flips_between(before: Report, after: Report, pass_at: float) -> tuple[Flip, ...]:
    """Return the cases that passed in one report and failed in the other, broken ones first."""
    first, second = case_values(before, "score"), case_values(after, "score")
    flips = [
        Flip(
            case_id=case_id,
            kind="fixed" if second[case_id] >= pass_at else "broken",
            baseline=value,
            candidate=second[case_id],
        )
        for case_id, value in first.items()
        if case_id in second and (value >= pass_at) != (second[case_id] >= pass_at)
    ]
    return tuple(sorted(flips, key=lambda flip: (flip.kind, flip.case_id)))


def changed_answers(before: Report, after: Report) -> AnswerChanges:
    """Compare the texts of all cases that were answered in both; replicates as a set."""
    first, second = _answers(before), _answers(after)
    both = first.keys() & second.keys()
    n_changed = sum(first[case_id] != second[case_id] for case_id in both)
    return AnswerChanges(n_compared=len(both), n_changed=n_changed)


def _answers(report: Report) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for trial in report.trials:
        if trial.visits and trial.status != "error":
            found.setdefault(trial.case_id, set()).add(trial.output)
    return found


def _changes_since(earlier: StoredRun, report: Report) -> list[str]:
    changes = changed_answers(earlier.report, report)
    if not changes.n_compared:
        return []
    if not changes.n_changed:
        return [f"no answer differs from run {earlier.run_id}"]
    n = f"{changes.n_changed} of {changes.n_compared}"
    return [f"{n} answers differ from run {earlier.run_id}"]


def unstable_cases(report: Report) -> tuple[str, ...]:
    """Return the cases whose replicates disagree on whether they pass."""
    seen: dict[str, set[bool]] = {}
    for trial in report.trials:
        if trial.status == "scored":
            seen.setdefault(trial.case_id, set()).add(trial.passed)
    return tuple(case_id for case_id, outcomes in seen.items() if len(outcomes) > 1)
