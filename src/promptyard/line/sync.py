"""The synchronous edge: the same verbs for callers without an event loop.

Each verb imports its own part of the line: an eval starts without the search.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from promptyard.errors import PromptyardError

if TYPE_CHECKING:
    from promptyard.line.calibrate import CalibrationPlan
    from promptyard.line.evaluation_plan import EvaluationPlan
    from promptyard.line.sentinel import SentinelPlan
    from promptyard.line.task import Task
    from promptyard.protocols import EventSink, ProgressSink, Store
    from promptyard.records.budget import Budget
    from promptyard.records.evaluations import Evaluation
    from promptyard.records.judging import Calibration, SentinelReport
    from promptyard.records.prompts import Program
    from promptyard.records.runs import Run
    from promptyard.records.scores import Report
    from promptyard.records.verdicts import Claim, GateVerdict

Result = TypeVar("Result")


def run_sync(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end. Raises PromptyardError inside a running event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _run(work)
    work.close()
    raise PromptyardError(
        "an event loop is running already (a notebook or async code): await the same function "
        "from promptyard.aio instead"
    )


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    results: list[Result] = []

    async def keep() -> None:
        # asyncio.run takes the repr of its task when it gives SIGINT back; with a report of
        # thousands of trials as the task's result that is a tenth of an eval's time.
        results.append(await work)

    asyncio.run(keep())
    return results[0]


def optimize(
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
    """Run the line and return the Run; see `promptyard.aio.optimize` for everything else."""
    from promptyard.line import api

    return run_sync(
        api.optimize(
            task,
            strategy=strategy,
            budget=budget,
            seed=seed,
            store=store,
            resume=resume,
            force=force,
            on_progress=on_progress,
            on_event=on_event,
        )
    )


def evaluate(
    task: Task,
    *,
    split: str = "dev",
    repeat: int = 1,
    program: Program | None = None,
    budget: Budget | None = None,
    store: str | Store | None = None,
    force: bool = False,
    on_progress: ProgressSink | None = None,
) -> Report:
    """Measure a program on one split and return the Report; see `promptyard.aio.evaluate`."""
    from promptyard.line import api

    return run_sync(
        api.evaluate(
            task,
            split=split,
            repeat=repeat,
            program=program,
            budget=budget,
            store=store,
            force=force,
            on_progress=on_progress,
        )
    )


def run_evaluation(
    task: Task,
    plan: EvaluationPlan,
    *,
    budget: Budget | None = None,
    store: str | Store | None = None,
    force: bool = False,
    on_progress: ProgressSink,
) -> Evaluation:
    """Measure as planned and return the Evaluation; see `promptyard.line.evaluation`."""
    from promptyard.line import evaluation

    return run_sync(
        evaluation.run_evaluation(
            task, plan, budget=budget, store=store, force=force, on_progress=on_progress
        )
    )


def run_gate(
    task: Task,
    candidate: str,
    baseline: str | None = None,
    *,
    targets: Sequence[str] = (),
    claim: Claim | None = None,
    budget: Budget | None = None,
    store: str | Store | None = None,
    force: bool = False,
    on_progress: ProgressSink,
) -> GateVerdict:
    """Judge a version against another one by all gates; see `promptyard.line.gating`."""
    from promptyard.line import gating

    return run_sync(
        gating.run_gate(
            task,
            candidate,
            baseline,
            targets=targets,
            claim=claim,
            budget=budget,
            store=store,
            force=force,
            on_progress=on_progress,
        )
    )


def run_calibration(
    task: Task,
    plan: CalibrationPlan,
    *,
    budget: Budget | None = None,
    store: str | Store | None = None,
    on_progress: ProgressSink,
) -> Calibration:
    """Measure a judge by labels of people; see `promptyard.line.calibrate`."""
    from promptyard.line import calibrate

    return run_sync(
        calibrate.run_calibration(task, plan, budget=budget, store=store, on_progress=on_progress)
    )


def run_sentinel(
    task: Task,
    plan: SentinelPlan,
    *,
    budget: Budget | None = None,
    store: str | Store | None = None,
    on_progress: ProgressSink,
) -> SentinelReport:
    """Try to talk a judge round; see `promptyard.line.sentinel`."""
    from promptyard.line import sentinel

    return run_sync(
        sentinel.run_sentinel(task, plan, budget=budget, store=store, on_progress=on_progress)
    )
