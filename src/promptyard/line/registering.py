"""Registers prompts that a person wrote, without a run."""

from __future__ import annotations

from pathlib import Path

from promptyard.errors import NotFound
from promptyard.line.prompt_files import read_prompt
from promptyard.line.query import StoreOrUrl, opened
from promptyard.line.task import Task
from promptyard.records.prompts import Program, Step
from promptyard.records.versions import PromptVersion
from promptyard.registry.versions import resolve_version


async def register_prompt(
    url: StoreOrUrl,
    task: Task,
    *,
    prompt: Path | None = None,
    step: str | None = None,
    author: str,
    message: str = "",
    parent: str | None = None,
) -> PromptVersion:
    """Register the task's program, or the one with `prompt` in the place of a step.

    Costs no call. The same bytes again are the version that they are already. `step` may be left
    out where there is one; `parent` is a version of the same prompt, by default the newest.
    Raises PromptError with file and line, NotFound for an unknown parent.
    """
    program = task.program if prompt is None else _with_prompt(task.program, prompt, step)
    async with opened(url, must_exist=False) as store:
        known = await store.versions(task.name)
        if parent is not None and not known:
            raise NotFound(f"no version of '{task.name}' is registered, so none can be its parent")
        same = next((item for item in known if item.digest == program.id), None)
        if same is not None:
            return same
        above = await resolve_version(store, task.name, parent or "latest") if known else None
        return await store.add_version(
            PromptVersion(
                name=task.name,
                number=0,
                digest=program.id,
                program=program,
                author=author,
                parent=None if above is None else above.number,
                hypothesis=message,
                eval_set_version=task.eval_set.version,
                status="manual" if known else "seed",
            )
        )


def _with_prompt(program: Program, path: Path, step: str | None) -> Program:
    name = step or (program.steps[0].name if len(program.steps) == 1 else "")
    if not name:
        _ = program.prompt  # says that a step must be named, and which there are
    _ = program.step(name)
    changed = Step(name=name, prompt=read_prompt(path))
    steps = tuple(changed if item.name == name else item for item in program.steps)
    return program.model_copy(update={"steps": steps})
