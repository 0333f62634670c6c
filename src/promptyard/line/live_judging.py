"""Grades the stored answers of all rollouts whose tasks lie in one folder, as the answers come.

Each event is read once: a round goes on where the one before has stopped, page by page, and stays
on a page until all that is to be judged of it is. What is found is feedback with ids of its own
(`live_grading`), so that whoever else grades at the same time changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

from promptyard.config import load_task_config
from promptyard.errors import NotFound, PromptyardError
from promptyard.line.live_grading import Grader, judge_names
from promptyard.line.live_scores import KIND, PAGE, judged_task
from promptyard.line.live_traffic import live_pages
from promptyard.line.session import Session, open_session
from promptyard.line.task import Task, load_task
from promptyard.protocols import Store
from promptyard.records.base import Record
from promptyard.records.budget import Budget
from promptyard.records.live import Feedback, Outcome
from promptyard.records.rollouts import Rollout


class JudgingRound(Record):
    """What one round did, over all rollouts that have not ended.

    `n_without_task` rollouts have no task in the folder; `stopped` ones have answers left for the
    next round, as the calls of this one were spent. `troubles` say what could not be graded.
    """

    n_rollouts: int = 0
    n_without_task: int = 0
    n_checked: int = 0
    n_judged: int = 0
    judge_calls: int = 0
    stopped: int = 0
    troubles: tuple[str, ...] = ()


@dataclass
class _Place:
    """How far the answers of a rollout are graded, and the feedback that is known of them."""

    after: int = 0
    read: int = 0
    known: set[str] = field(default_factory=set[str])


class LiveJudging:
    """Grades round by round; keeps what it has read.

    A round costs `judge_calls` calls of judges at most, of all rollouts together; with 0 only
    checks are run that ask no model. The store is open and stays so.
    """

    def __init__(self, store: Store, tasks: Path, *, judge_calls: int) -> None:
        self._store = store
        self._tasks = tasks
        self._judge_calls = judge_calls
        self._places: dict[str, _Place] = {}
        self._first = 0

    async def round(self) -> JudgingRound:
        """Grade what has come since the last round; one rollout keeps no other from it.

        Raises StorageError when the rollouts cannot be listed.
        """
        records = await self._store.rollouts(last_only=True)
        active = [record.rollout for record in records if record.is_active]
        self._places = {item.id: self._places.get(item.id, _Place()) for item in active}
        counts: Counter[str] = Counter(n_rollouts=len(active))
        troubles: list[str] = []
        # Another one is first each time, so that none is always left without calls.
        start = self._first % len(active) if active else 0
        self._first += 1
        for rollout in (*active[start:], *active[:start]):
            try:
                left = self._judge_calls - counts["judge_calls"]
                counts += await self._grade(rollout, left)
            except NotFound:
                counts["n_without_task"] += 1
            except (PromptyardError, OSError, ValueError) as error:
                troubles.append(f"rollout {rollout.id} of {rollout.prompt}: {_line(error)}")
        return JudgingRound(**counts, troubles=tuple(troubles))

    async def _grade(self, rollout: Rollout, left: int) -> Counter[str]:
        place = self._places[rollout.id]
        folder = await asyncio.to_thread(_folder_of, self._tasks, rollout.prompt)
        if not await self._read_on(rollout, place):
            place.after = place.read
            return Counter()
        task = await asyncio.to_thread(load_task, folder)
        share = load_task_config(folder).release.judge_share
        judges = judge_names(task) if self._judge_calls and share > 0 else ()
        async with contextlib.AsyncExitStack() as held:
            session: Session | None = None
            if judges and left > 0:
                opening = self._session(folder, task, left)
                session = await held.enter_async_context(opening)
            grader = Grader(task, self._store, judges, share, session)
            is_whole = session is not None or not judges
            await self._grade_pages(rollout, place, grader, is_whole=is_whole)
            if session is not None:
                await self._store.set_run_status(session.header.id, "finished")
        return Counter(
            n_checked=grader.counts["n_checked"],
            n_judged=grader.counts["n_judged"],
            judge_calls=grader.spent.judge_calls,
            stopped=int(bool(grader.stopped) or not is_whole),
        )

    @contextlib.asynccontextmanager
    async def _session(self, folder: Path, task: Task, left: int) -> AsyncGenerator[Session]:
        judged = await asyncio.to_thread(judged_task, folder, None, task)
        budget = Budget(judge_calls=left)
        async with open_session(judged, store=self._store, budget=budget, kind=KIND) as session:
            yield session

    async def _read_on(self, rollout: Rollout, place: _Place) -> bool:
        """Note the feedback that has come; return whether there are answers to be graded."""
        has_answers = False
        pages = live_pages(
            self._store, rollout.prompt, rollout_id=rollout.id, after=place.after, size=PAGE
        )
        async for page in pages:
            for item in page:
                if isinstance(item.event, Feedback):
                    place.known.add(item.event.id)
                elif isinstance(item.event, Outcome) and item.event.output is not None:
                    has_answers = True
            place.read = page[-1].seq if page else place.read
        return has_answers

    async def _grade_pages(
        self, rollout: Rollout, place: _Place, grader: Grader, *, is_whole: bool
    ) -> None:
        pages = live_pages(
            self._store,
            rollout.prompt,
            rollout_id=rollout.id,
            after=place.after,
            through=place.read,
            size=PAGE,
        )
        async for page in pages:
            outcomes = [item.event for item in page if isinstance(item.event, Outcome)]
            for feedback in await grader.grade(outcomes, place.known):
                place.known.add(feedback.id)
            if grader.stopped or not is_whole:
                is_whole = False  # what comes behind is checked, and looked at again next time
            elif page:
                place.after = page[-1].seq


def _folder_of(tasks: Path, prompt: str) -> Path:
    """Return the folder of the task whose prompt this is. Raises NotFound."""
    for file in sorted(tasks.glob("*/task.yaml")):
        with contextlib.suppress(PromptyardError, OSError):  # another task's mistakes are its own
            if (load_task_config(file.parent).name or file.parent.name) == prompt:
                return file.parent
    raise NotFound(f"no task in {tasks} is called '{prompt}'")


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
