"""Grades live answers: the task's checks on stored content, and its judges on a sample of it.

What is found is stored as feedback whose id is that of the outcome and the check, so that grading
twice counts once. Judges are asked for a sample drawn by a hash of the outcome: the same share in
both arms, whoever asks and whenever.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from pathlib import Path

from promptyard.config import load_task_config
from promptyard.errors import ConfigError, NotFound
from promptyard.line.live_grading import Grader, judge_names
from promptyard.line.live_traffic import live_pages
from promptyard.line.rollout_finding import find_rollout
from promptyard.line.session import Session, open_session
from promptyard.line.task import Models, Task, load_task
from promptyard.line.wiring import build_store, project_config, store_address
from promptyard.protocols import ProgressSink, Store
from promptyard.records.base import Record
from promptyard.records.budget import Budget
from promptyard.records.live import Feedback, Outcome
from promptyard.records.runs import Progress

KIND = "live score"
PAGE = 1_000
"""Events after which what was graded is stored: a judge is not asked twice after a kill."""


@dataclass(frozen=True)
class LivePlan:
    """What is graded: the outcomes of a rollout, or all of the task's prompt; how much judged.

    `rollout` is an id; None takes the rollout that is running. `judge_share` in [0, 1] replaces
    what task.yaml says; `judge_calls` bounds the calls.
    """

    rollout: str | None = None
    everything: bool = False
    judge_share: float | None = None
    judge_calls: int | None = None


class LiveScored(Record):
    """What one grading did, in outcomes.

    `n_checked` were graded by checks now, `n_judged` by judges; `n_before` had been graded.
    `n_without_content` were recorded without an output, `n_foreign` name a version that the
    registry does not have; `n_unmeasured` could not be graded by any check. `stopped` says what
    ended the judging early, if anything did: it goes on from there next time.
    """

    rollout_id: str | None = None
    n_checked: int = 0
    n_judged: int = 0
    n_before: int = 0
    n_without_content: int = 0
    n_foreign: int = 0
    n_unmeasured: int = 0
    judge_calls: int = 0
    stopped: str = ""


async def score_live(
    task: Path,
    plan: LivePlan,
    *,
    store: str | None = None,
    models: Models | None = None,
    on_progress: ProgressSink | None = None,
) -> LiveScored:
    """Grade the outcomes that have not been graded yet, by checks and, a sample, by judges.

    Costs the judge calls of the sample, unless stored; none where no check asks a judge or the
    share is 0: then no model is needed either. Raises NotFound for an unknown prompt or rollout,
    ConfigError where a check asks a judge and there is none.
    """
    loaded = load_task(task, models=models)
    share = load_task_config(task).release.judge_share
    share = share if plan.judge_share is None else plan.judge_share
    url = store_address(store, loaded.folder)
    async with contextlib.AsyncExitStack() as held:
        judges = judge_names(loaded)
        session: Session | None = None
        if judges and share > 0:
            loaded = judged_task(task, models, loaded)
            budget = None if plan.judge_calls is None else Budget(judge_calls=plan.judge_calls)
            session = await held.enter_async_context(
                open_session(loaded, store=url, budget=budget, kind=KIND)
            )
            opened: Store = session.store
        else:
            opened = build_store(url)
            await opened.open()
            held.push_async_callback(opened.close)
        grader = Grader(loaded, opened, judges, share, session)
        rollout_id = await _rollout_id(opened, loaded.name, plan)
        found = await _grade_all(grader, loaded.name, rollout_id, on_progress)
        if session is not None:
            await opened.set_run_status(session.header.id, "finished")
        return found


def judged_task(task: Path, models: Models | None, loaded: Task) -> Task:
    """Return the task with its judge; where no task model is set, none is asked either.

    Raises ConfigError where there is no judge.
    """
    defaults = project_config(loaded.folder).models
    judge = loaded.models.judge or defaults.judge
    if judge is None:
        raise ConfigError(
            f"checks of task '{loaded.name}' ask a judge and none is set: pass --judge-model, "
            "write `models: {judge: provider/model}` in task.yaml, or leave judges out with "
            "--judge-share 0"
        )
    if loaded.models.task or defaults.task:
        return loaded
    return load_task(task, models=replace(models or Models(), task=judge))


async def _rollout_id(store: Store, name: str, plan: LivePlan) -> str | None:
    if name not in await store.prompt_names():
        raise NotFound(f"no prompt '{name}' is registered, so nothing was served of it")
    if plan.everything:
        return None
    return (await find_rollout(store, plan.rollout or name)).rollout.id


async def _grade_all(
    grader: Grader, name: str, rollout_id: str | None, on_progress: ProgressSink | None
) -> LiveScored:
    """Read the events twice: first what has been graded, then, page by page, what has not."""
    known: set[str] = set()
    total = 0
    async for outcomes, feedback in _pages(grader.store, name, rollout_id):
        known.update(item.id for item in feedback)
        total += len(outcomes)
    done = 0
    async for outcomes, _ in _pages(grader.store, name, rollout_id):
        for item in await grader.grade(outcomes, known):
            known.add(item.id)
        done += len(outcomes)
        if on_progress is not None:
            on_progress(Progress(phase="score", done=done, total=total, spent=grader.spent))
    return LiveScored(
        rollout_id=rollout_id,
        judge_calls=grader.spent.judge_calls,
        stopped=grader.stopped,
        **grader.counts,
    )


async def _pages(
    store: Store, name: str, rollout_id: str | None
) -> AsyncGenerator[tuple[list[Outcome], list[Feedback]]]:
    async for page in live_pages(store, name, rollout_id=rollout_id, size=PAGE):
        events = [item.event for item in page]
        yield (
            [event for event in events if isinstance(event, Outcome)],
            [event for event in events if isinstance(event, Feedback)],
        )
