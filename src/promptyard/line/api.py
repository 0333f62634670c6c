"""The two verbs of the line, async: `evaluate` measures a prompt, `optimize` improves it."""

from __future__ import annotations

from promptyard.line.build import build
from promptyard.line.evaluation import run_evaluation
from promptyard.line.evaluation_plan import EvaluationPlan
from promptyard.line.plan import require_splits
from promptyard.line.session import open_session
from promptyard.line.task import Task, with_strategy
from promptyard.line.wiring import build_policy
from promptyard.protocols import EventSink, ProgressSink, Store
from promptyard.records.budget import Budget
from promptyard.records.cases import EvalSplit
from promptyard.records.prompts import Program
from promptyard.records.runs import Progress, Run
from promptyard.records.scores import Report


async def optimize(
    task: Task,
    *,
    strategy: str | None = None,
    budget: Budget | None = None,
    seed: int | None = None,
    store: str | Store | None = None,
    resume: str | bool = False,
    force: bool = False,
    on_progress: ProgressSink | None = None,
    on_event: EventSink | None = None,
) -> Run:
    """Run the line: find a better prompt, prove it on the sealed holdout, register it.

    `store` is a path or URL; None keeps everything in memory. `resume` takes up the task's last
    unfinished run, or the run of that id, without repeating a stored call. From the 20th look on,
    a set of holdout cases is refused before any call for it, unless `force`. "No significant
    improvement" is a normal result: `run.best` is then the baseline. Costs calls up to `budget`.
    `on_event` gets every `promptyard.Event` of the run as it happens, in the order of the journal;
    what it raises becomes a note and ends nothing.

    Raises EvalSetError where train or dev has no case, ConfigError, PromptError,
    StorageError, or ModelError when the models cannot be used at all.
    """
    require_splits(task.eval_set)
    chosen = task if strategy is None else with_strategy(task, strategy)
    _ = build_policy(chosen)  # an unknown one leaves no run behind
    async with open_session(
        chosen, store=store, budget=budget, seed=seed, resume=resume, force=force
    ) as session:
        return await build(chosen, session, on_progress or _silent, on_event)


async def evaluate(
    task: Task,
    *,
    split: EvalSplit | str = "dev",
    repeat: int = 1,
    program: Program | None = None,
    budget: Budget | None = None,
    store: str | Store | None = None,
    force: bool = False,
    on_progress: ProgressSink | None = None,
) -> Report:
    """Measure a program (default: the task's own) on one split, or on `all` cases.

    Costs one task call a case, step and replicate (`repeat`, 1 or more) and what judges cost;
    nothing that is stored is asked again. Errors are counted, never scored.

    A run of `all` looks at the holdout, too. Raises EvalSetError for an unknown or empty split and
    for a holdout that is worn out (20 looks) unless `force`, BudgetExceeded when the budget does
    not suffice.
    """
    plan = EvaluationPlan(split=split, n_repeats=repeat, program=program)
    evaluation = await run_evaluation(
        task, plan, budget=budget, store=store, force=force, on_progress=on_progress or _silent
    )
    return evaluation.report


def _silent(progress: Progress) -> None:
    """Draw nothing."""
    del progress
