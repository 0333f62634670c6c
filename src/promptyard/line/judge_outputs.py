"""Asks one judge check about outputs that are there already."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from promptyard.errors import (
    BudgetExceeded,
    ConfigError,
    JudgeError,
    MetricError,
    ModelUnusable,
    StorageError,
)
from promptyard.evalset.wording import nearest
from promptyard.line.task import Task
from promptyard.line.wiring import judged_by, metrics_of
from promptyard.protocols import ProgressSink
from promptyard.records.cases import Case
from promptyard.records.messages import Completion
from promptyard.records.prompts import Program
from promptyard.records.runs import Progress
from promptyard.records.scores import Score
from promptyard.runner.execute import Executor


@dataclass(frozen=True)
class Output:
    """One answer to a case."""

    case: Case
    completion: Completion


@dataclass(frozen=True)
class Judged:
    """An output with what the check found; `why` it gave no scores, where it gave none."""

    item: Output
    scores: tuple[Score, ...] = ()
    why: str = ""

    @property
    def lowest(self) -> Score | None:
        """The finding that decides, None where there is none."""
        return min(self.scores, key=lambda score: score.value, default=None)


def chosen_check(task: Task, wanted: str | None) -> str:
    """Return the check to be measured. Raises ConfigError naming those that there are."""
    judged = judged_by(task, metrics_of(task))
    if not judged:
        raise ConfigError(f"no check of task '{task.name}' asks a judge: there is none to measure")
    if wanted is None and len(judged) > 1:
        names = ", ".join(judged)
        raise ConfigError(f"several checks ask a judge; name one with --check: {names}")
    if wanted is None:
        return next(iter(judged))
    if wanted not in judged:
        raise ConfigError(f"no check '{wanted}' asks a judge{nearest(wanted, judged)}")
    return wanted


async def judge_outputs(
    executor: Executor,
    program: Program,
    check: str,
    items: Sequence[Output],
    on_progress: ProgressSink,
) -> list[Judged]:
    """Grade all outputs with one check, as many at once as calls may be under way.

    Costs what the check costs, unless stored. Raises what ends a run.
    """
    judged: dict[int, Judged] = {}
    stopped: list[Exception] = []
    queue = iter(enumerate(items))

    async def work() -> None:
        for index, item in queue:
            if stopped:
                return
            try:
                judged[index] = await _judge_one(executor, program, check, item)
            except (BudgetExceeded, ModelUnusable, StorageError) as error:
                stopped.append(error)
                return
            spent = executor.caller.ledger.spent
            on_progress(Progress(phase="judge", done=len(judged), total=len(items), spent=spent))

    n_workers = min(len(items), 2 * executor.caller.limits.concurrency)
    await asyncio.gather(*(work() for _ in range(n_workers)))
    if stopped:
        raise stopped[0]
    return [judged[index] for index in range(len(items))]


async def _judge_one(executor: Executor, program: Program, check: str, item: Output) -> Judged:
    metric = executor.metric(program, item.case, check)
    if metric is None:
        return Judged(item, why="the case does not have this check")
    try:
        return Judged(item, tuple(await metric.score(item.case, item.completion)))
    except MetricError as error:
        return Judged(item, why=str(error))


def instrument_of(check: str, judged: Sequence[Judged]) -> tuple[str, str]:
    """Return model and prompt hash of the one judge that said all this.

    Raises JudgeError where it said nothing, ConfigError where there were several.
    """
    stamps = [score.judge for item in judged for score in item.scores if score.judge is not None]
    instruments = dict.fromkeys((stamp.model, stamp.prompt_hash) for stamp in stamps)
    if not instruments:
        why = next((item.why for item in judged if item.why), "it was never asked")
        raise JudgeError(f"the judge gave no verdict on any output: {why}")
    if len(instruments) > 1:
        models = ", ".join(dict.fromkeys(model for model, _ in instruments))
        raise ConfigError(
            f"check '{check}' was judged by {len(instruments)} instruments ({models}): pin the "
            "judge to a snapshot, and give each judge a check of its own"
        )
    return next(iter(instruments))
