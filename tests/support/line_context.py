"""What a search policy works with, on a real store and executor: yes-or-no cases, no search."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

import promptyard as py
from promptyard.funnel.settings import FunnelSettings
from promptyard.line.context import LineContext
from promptyard.line.session import Session, open_session
from promptyard.protocols import Generator, ProgressSink
from promptyard.records.edits import Candidate
from promptyard.testing import ScriptedModel

Result = TypeVar("Result")
N_TRAIN = 12


def quiet(progress: object) -> None:
    """Show progress to nobody."""


def with_context(
    work: Callable[[LineContext, Session], Awaitable[Result]],
    store: Path,
    model: ScriptedModel,
    *,
    generators: Mapping[str, Generator] | None = None,
    on_progress: ProgressSink = quiet,
) -> Result:
    """Do a piece of work in a session of its own; the cases of a split are `train 0`, `train 1`."""
    task = py.Task(
        name="rows",
        prompt="system:\nAnswer yes or no.\n\nuser:\n{{text}}\n",
        cases=[
            {"id": f"{split}{n}", "input": {"text": f"{split} {n}"}, "expected": "yes"}
            | {"split": split}
            for split, n_cases in (("train", N_TRAIN), ("dev", 2), ("holdout", 2))
            for n in range(n_cases)
        ],
        metrics=["exact_match"],
        models=py.Models(task=model),
    )

    async def run() -> Result:
        async with open_session(task, store=str(store)) as session:
            context = LineContext(
                run_id=session.header.id,
                seed=0,
                baseline=Candidate(program=task.program),
                eval_set=task.eval_set,
                executor=session.executor(task),
                store=session.store,
                generators=generators or {},
                funnel=FunnelSettings(),
                on_progress=on_progress,
            )
            return await work(context, session)

    return asyncio.run(run())
