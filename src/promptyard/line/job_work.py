"""Does what a job orders: one eval, search or gate of a task folder, with its result as JSON."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from promptyard.errors import over_http
from promptyard.line.evaluation import run_evaluation
from promptyard.line.evaluation_seen import view_of
from promptyard.line.gating import run_gate
from promptyard.line.job_admission import evaluation_plan, merged_budget
from promptyard.line.task import Task, load_task, with_strategy
from promptyard.protocols import ProgressSink
from promptyard.records.base import Json
from promptyard.records.jobs import (
    EvalOptions,
    EvalOrder,
    GateOptions,
    GateOrder,
    JobOrder,
    OptimizeOptions,
    OptimizeOrder,
)
from promptyard.reports.evaluation import evaluation_data
from promptyard.reports.plain import run_summary, sayable

BeginSink = Callable[[str], None]


async def run_job(
    task: Path,
    order: JobOrder,
    *,
    store: str,
    on_begin: BeginSink,
    on_progress: ProgressSink,
) -> Json:
    """Run what is ordered; returns what the command of this kind prints with `--json`.

    Advice in it is in the words of HTTP.
    Costs what the budget of the order allows, where it says nothing that of the task. Interrupted,
    the run is marked so and can be resumed (`OptimizeOptions.resume`). Raises what the kind raises.
    """
    loaded = load_task(task)
    match order:
        case EvalOrder(options=options):
            result = await _eval(loaded, options, store, on_begin, on_progress)
        case OptimizeOrder(options=options):
            result = await _optimize(loaded, options, store, on_begin, on_progress)
        case GateOrder(options=options):
            result = await _gate(loaded, options, store, on_begin, on_progress)
    return sayable(result)


async def _eval(
    task: Task,
    options: EvalOptions,
    store: str,
    on_begin: BeginSink,
    on_progress: ProgressSink,
) -> Json:
    found = await run_evaluation(
        task,
        evaluation_plan(options),
        budget=merged_budget(task.budget, options.budget),
        store=store,
        on_progress=on_progress,
        on_begin=on_begin,
    )
    view = view_of(task, found)
    return {**evaluation_data(view), "not_run": over_http(view.not_run) or None}


async def _optimize(
    task: Task,
    options: OptimizeOptions,
    store: str,
    on_begin: BeginSink,
    on_progress: ProgressSink,
) -> Json:
    from promptyard.line.build import build  # the search is half of the program; an eval has none
    from promptyard.line.plan import require_splits
    from promptyard.line.session import open_session

    require_splits(task.eval_set)
    chosen = task if options.strategy is None else with_strategy(task, options.strategy)
    async with open_session(
        chosen,
        store=store,
        budget=merged_budget(task.budget, options.budget),
        seed=options.seed,
        resume=options.resume,
        on_begin=on_begin,
    ) as session:
        run = await build(chosen, session, on_progress)
    n_cases, n_holdout = len(task.eval_set.cases), len(task.eval_set.split("holdout"))
    return run_summary(run, n_cases=n_cases, n_holdout=n_holdout, report_path=None)


async def _gate(
    task: Task,
    options: GateOptions,
    store: str,
    on_begin: BeginSink,
    on_progress: ProgressSink,
) -> Json:
    found = await run_gate(
        task,
        options.candidate,
        options.baseline,
        targets=options.targets,
        claim=options.claim,
        budget=merged_budget(task.budget, options.budget),
        store=store,
        on_progress=on_progress,
        on_begin=on_begin,
    )
    return found.model_dump(mode="json")
