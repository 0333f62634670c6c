"""The two verbs of the line, async: `evaluate` measures a prompt, `optimize` improves it."""

from __future__ import annotations

from promptyard.errors import EvalSetError
from promptyard.line.build import build
from promptyard.line.context import require_answers
from promptyard.line.session import open_session
from promptyard.line.task import Task
from promptyard.protocols import ProgressSink, Store
from promptyard.records.budget import Budget
from promptyard.records.cases import SPLITS, SplitName
from promptyard.records.prompts import Program
from promptyard.records.runs import Progress, Run
from promptyard.records.scores import Report, Trial


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
) -> Run:
    """Run the line: find a better prompt, prove it on the sealed holdout, register it.

    `store` is a path or URL; None keeps everything in memory. `resume` takes up the task's last
    unfinished run, or the run of that id, without repeating a stored call. From the 20th look on,
    a set of holdout cases is refused before any call for it, unless `force`. "No significant
    improvement" is a normal result: `run.best` is then the baseline. Costs calls up to `budget`.

    Raises ConfigError, EvalSetError, PromptError, StorageError, or ModelError when the models
    cannot be used at all.
    """
    chosen = task if strategy is None else _with_strategy(task, strategy)
    async with open_session(
        chosen, store=store, budget=budget, seed=seed, resume=resume, force=force
    ) as session:
        return await build(chosen, session, on_progress or _silent)


async def evaluate(
    task: Task,
    *,
    split: SplitName | str = "dev",
    program: Program | None = None,
    budget: Budget | None = None,
    store: str | Store | None = None,
    force: bool = False,
    on_progress: ProgressSink | None = None,
) -> Report:
    """Measure a program (default: the task's own) on one split.

    Costs one task call a case and step, unless stored. Errors are counted, never scored.
    Raises EvalSetError for an unknown split and for a holdout that is worn out (20 looks) unless
    `force`, BudgetExceeded when the budget does not suffice.
    """
    if split not in SPLITS:
        raise EvalSetError(f"there is no split '{split}'; use one of: {', '.join(SPLITS)}")
    name: SplitName = split
    chosen = program or task.program
    cases = task.eval_set.split(name)
    async with open_session(
        task, store=store, budget=budget, kind=f"eval {name}", force=force
    ) as session:
        done = 0
        sink = on_progress or _silent

        def count(trial: Trial) -> None:
            nonlocal done
            del trial
            done += 1
            spent, left = session.ledger.spent, session.ledger.task_calls_left
            sink(Progress(phase=name, done=done, total=len(cases), spent=spent, calls_left=left))

        await session.store.save_eval_set(task.eval_set)
        if name == "holdout":
            await session.count_look(cases, chosen.id)
        report = await session.executor(task).run(chosen, cases, name, on_trial=count)
        require_answers(report)
        await session.store.save_report(session.header.id, "eval", report)
        await session.store.set_run_status(session.header.id, "finished")
        return report


def _with_strategy(task: Task, strategy: str) -> Task:
    return Task(
        name=task.name,
        program=task.program,
        cases=task.eval_set,
        metrics=task.metrics,
        models=task.models,
        gates=task.gates,
        pass_at=task.pass_at,
        strategy=strategy,
        budget=task.budget,
        seed=task.seed,
        generators=task.generators,
        max_demos=task.max_demos,
        folder=task.folder,
    )


def _silent(progress: Progress) -> None:
    """Draw nothing."""
    del progress
