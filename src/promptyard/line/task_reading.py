"""Reads the tasks of a service: what each measures and with which models, and what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from promptyard.config import load_task_config
from promptyard.errors import PromptyardError
from promptyard.evalset.exported import Exported
from promptyard.line.check import TaskCheck, check
from promptyard.line.convert import export_task
from promptyard.line.task import load_task
from promptyard.line.task_folders import list_task_folders, task_folder_named
from promptyard.records.base import Record
from promptyard.records.budget import Budget
from promptyard.records.cases import SplitName
from promptyard.records.verdicts import GateSettings


class TaskRow(Record):
    """One task: `task` is its folder, by which jobs name it, `name` that of its prompt and runs.

    `checks` are the types of its checks; `models` by role where the task names them itself.
    `error` is one line where its task.yaml cannot be read, and the rest is then empty.
    """

    task: str
    name: str = ""
    checks: tuple[str, ...] = ()
    models: Mapping[str, str] = {}
    strategy: str = ""
    budget: Budget = Budget()
    error: str = ""


class TaskAbout(Record):
    """One task: its `row`, its cases and what a gate asks of it.

    `eval_set_version` is that of its files now, with `n_by_split` cases and `n_retired` out of use.
    `steps` are those of its program; a score of `pass_at` or more passes.
    """

    row: TaskRow
    eval_set_version: str
    n_by_split: Mapping[SplitName, int]
    n_retired: int
    steps: tuple[str, ...]
    workflow: str
    pass_at: float
    gates: GateSettings


async def list_tasks(tasks: str | None) -> Sequence[TaskRow]:
    """List the tasks of a folder by name. Costs no call. Raises ConfigError where none is set."""
    folders = list_task_folders(tasks)

    def rows() -> list[TaskRow]:
        return [_row(name, folder) for name, folder in folders.items()]

    return await asyncio.to_thread(rows)


async def show_task(tasks: str | None, name: str) -> TaskAbout:
    """Read a task with its cases. Costs no call.

    Raises NotFound, and what loading a task raises.
    """
    folder = task_folder_named(tasks, name)

    def about() -> TaskAbout:
        task = load_task(folder)
        return TaskAbout(
            row=_row(name, folder),
            eval_set_version=task.eval_set.version,
            n_by_split=task.eval_set.n_by_split,
            n_retired=len(task.eval_set.retired),
            steps=tuple(step.name for step in task.program.steps),
            workflow=task.program.workflow.name,
            pass_at=task.pass_at,
            gates=task.gates,
        )

    return await asyncio.to_thread(about)


async def check_task(tasks: str | None, name: str) -> TaskCheck:
    """Check a task as `promptyard check` does. Costs no call. Raises as `show_task`."""
    folder = task_folder_named(tasks, name)
    return await asyncio.to_thread(lambda: check(load_task(folder)))


async def export_cases(tasks: str | None, name: str, format_name: str) -> Exported:
    """Write the eval set of a task as `promptyard evalset export` does. Raises as `show_task`."""
    folder = task_folder_named(tasks, name)
    return await asyncio.to_thread(lambda: export_task(load_task(folder), format_name))


def _row(name: str, folder: Path) -> TaskRow:
    try:
        config = load_task_config(folder)
    except PromptyardError as error:
        return TaskRow(task=name, error=str(error))
    models = config.models.model_dump(include={"task", "optimizer", "judge"}, exclude_none=True)
    return TaskRow(
        task=name,
        name=config.name,
        checks=tuple(spec.type for spec in config.check_specs),
        models=models,
        strategy=config.optimize.strategy,
        budget=config.optimize.budget,
    )
