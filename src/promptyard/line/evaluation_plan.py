"""What an eval measures and compares with, found in the store before the first call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from promptyard.errors import Advised, EvalSetError, NotFound
from promptyard.line.comparability import require_split
from promptyard.line.references import StoredRun, eval_run, run_or_version
from promptyard.line.task import Task
from promptyard.protocols import Store
from promptyard.records.cases import Case, EvalSet, EvalSplit
from promptyard.records.prompts import Program
from promptyard.registry.versions import PRODUCTION, pointer_named
from promptyard.runner.summarize import case_values


@dataclass(frozen=True)
class EvaluationPlan:
    """What to measure.

    `split` is one split or `all`: every case, the holdout's among them, which counts as a look.
    `n_repeats` replicates of each case. `only_failing_of` leaves only the cases that failed or had
    no score in that run. `compare` names a run or a registered version as the baseline, `itself`
    runs the same program twice (A/A). `against_production` compares with what the pointer
    `production` points to. `program` is measured instead of the task's own. `spans` sends every
    trial of it by OTLP to where the environment says (`traces.emit`).
    """

    split: EvalSplit | str = "dev"
    n_repeats: int = 1
    only_failing_of: str | None = None
    compare: str | None = None
    itself: bool = False
    against_production: bool = False
    program: Program | None = None
    spans: bool = False


@dataclass(frozen=True)
class ToRun:
    """A baseline that has to be run, and what a person calls it."""

    name: str
    program: Program


def require_cases(eval_set: EvalSet, split: EvalSplit) -> None:
    """Raise EvalSetError, naming those that have some, where a split has no case."""
    if eval_set.split(split):
        return
    others = [f"{name} ({n})" for name, n in eval_set.n_by_split.items() if n]
    raise EvalSetError(
        f"eval set '{eval_set.name}' has no cases in {split}; measure another split instead: "
        f"{', '.join((*others, f'all ({len(eval_set.cases)})'))}"
    )


async def chosen_cases(
    store: Store, task: Task, plan: EvaluationPlan, split: EvalSplit
) -> tuple[Sequence[Case], StoredRun | None]:
    """Return the cases to run and, where they were chosen, the run that they failed in.

    Raises NotFound for an unknown run, EvalSetError where none of its cases fails.
    """
    cases = task.eval_set.split(split)
    if plan.only_failing_of is None:
        return cases, None
    before = await eval_run(store, task, plan.only_failing_of, split)
    report = before.report
    scores = case_values(report, "score")
    tried = {trial.case_id for trial in report.trials}
    failing = {name for name in tried if scores.get(name, 0.0) < task.pass_at}
    chosen = [case for case in cases if case.id in failing]
    if not chosen:
        raise EvalSetError(
            Advised(
                f"run {before.run_id} left no failing case in {split} ({len(tried)} cases, "
                f"{len(failing)} failing, split {report.split}); leave ",
                "--filter-failing out",
                "only_failing_of out",
            )
        )
    return chosen, before


async def named_baseline(
    store: Store, task: Task, plan: EvaluationPlan, split: EvalSplit
) -> ToRun | StoredRun | None:
    """Find what to compare with: a program to be run, or the report of a run; None for nothing.

    Raises NotFound for an unknown run or version or where nothing is in production, EvalSetError
    for a run of another task or split.
    """
    if plan.itself:
        return ToRun("itself", plan.program or task.program)
    if plan.compare is None and not plan.against_production:
        return None
    if plan.compare is None and await pointer_named(store, task.name, PRODUCTION) is None:
        raise NotFound(
            Advised(
                f"there is nothing to compare with: no version of '{task.name}' is in production; ",
                "--gate needs one, so add --compare RUN|VERSION or --aa",
                "give compare (a run or a version) or itself instead of against_production",
            )
        )
    reference = plan.compare or PRODUCTION
    found = await run_or_version(store, task, reference, split)
    if isinstance(found, StoredRun):
        require_split(found, split)
        return found
    name = f"version {found.number}"
    if reference.lstrip("v") != str(found.number):
        name += f" ({reference})"
    return ToRun(name, found.program)
