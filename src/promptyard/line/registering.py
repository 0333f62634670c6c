"""Registers prompts that a person wrote, without a run."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from promptyard.errors import ConfigError, NotFound, PromptError
from promptyard.line.prompt_files import read_prompt
from promptyard.line.query import StoreOrUrl, opened
from promptyard.line.task import Task, check_steps
from promptyard.line.wiring import check_workflow
from promptyard.protocols import Store
from promptyard.records.base import Json, as_list, as_object
from promptyard.records.prompts import Program, Prompt, Step
from promptyard.records.versions import PromptVersion
from promptyard.registry.exchange.foreign import checked_name
from promptyard.registry.versions import resolve_version

MOST_CHARS = 1_000_000
MOST_PARTS = 2_000
"""Headings, roles and edit spans of a prompt: parsing takes time with their square."""
MOST_SETTINGS = 50_000
"""Characters of the front matter, which is read slowly: 0.1 s for 10,000 of them."""
_PARTS = re.compile(r"^(?:#|[a-z]+:[ \t]*\r?$)|<edit", re.M)


class Registered(NamedTuple):
    """A version, and whether it is new; else the same bytes were registered before."""

    version: PromptVersion
    is_new: bool


class WrittenPrompt(NamedTuple):
    """A prompt file's text, what it refers to by name, and the step that it is for."""

    text: str
    files: Mapping[str, Json] = {}
    step: str | None = None


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
    """Register the task's program as `add_prompt` does, and return its version."""
    added = await add_prompt(
        url, task, prompt=prompt, step=step, author=author, message=message, parent=parent
    )
    return added.version


async def add_prompt(
    url: StoreOrUrl,
    task: Task,
    *,
    prompt: Path | None = None,
    step: str | None = None,
    author: str,
    message: str = "",
    parent: str | None = None,
) -> Registered:
    """Register the task's program, or the one with `prompt` in the place of a step.

    Costs no call. The same bytes again are the version that they are already. `step` may be left
    out where there is one; `parent` is a version of the same prompt, by default the newest.
    Raises PromptError with file and line, NotFound for an unknown parent.
    """
    program = task.program if prompt is None else _with_prompt(task.program, prompt, step)
    async with opened(url, must_exist=False) as store:
        above = await _parent(store, task.name, parent)
        version = _by_hand(task.name, program, above, author=author, message=message)
        with_eval_set = version.model_copy(update={"eval_set_version": task.eval_set.version})
        return await _add(store, with_eval_set)


async def register_program(
    url: StoreOrUrl,
    name: str,
    written: WrittenPrompt | Program,
    *,
    author: str,
    message: str = "",
    parent: str | None = None,
) -> Registered:
    """Register a program, or a prompt file's text, under a name that may be new. Costs no call.

    A text with a `step` takes the place of that step in the parent, else it is a program of its
    own. The same bytes again are the version that they are already. Raises PromptError with the
    line, ConfigError for what could not be run, NotFound for an unknown parent.
    """
    checked_name(name)
    async with opened(url, must_exist=False) as store:
        above = await _parent(store, name, parent)
        # Elsewhere, for reading a large text takes a while, and others want to be answered.
        program = await asyncio.to_thread(_program, written, above)
        return await _add(store, _by_hand(name, program, above, author=author, message=message))


def _program(written: WrittenPrompt | Program, parent: PromptVersion | None) -> Program:
    """Return what is to be registered, once it is known that it can be read and run."""
    is_program = isinstance(written, Program)
    for text in [s.prompt.text for s in written.steps] if is_program else [written.text]:
        _require_size(text)
    if is_program:
        program = written
    elif written.step is None:
        program = Program.single(Prompt.from_text(written.text, written.files))
    elif parent is None:
        raise NotFound(f"there is no version yet that step '{written.step}' could be of")
    else:
        prompt = Prompt.from_text(written.text, written.files)
        program = _with_step(parent.program, Step(name=written.step, prompt=prompt))
    for value in (program.workflow.options, *(step.prompt.files for step in program.steps)):
        _require_finite(value)
    check_steps(program)
    check_workflow(program)
    return program


def _require_size(text: str) -> None:
    """Refuse what would take minutes to read; no prompt that anybody uses is near to this."""
    if len(text) > MOST_CHARS:
        raise PromptError(f"{len(text):,} characters; a prompt has up to {MOST_CHARS:,}")
    n_parts = sum(1 for _ in _PARTS.finditer(text))
    if n_parts > MOST_PARTS:
        raise PromptError(f"{n_parts:,} headings and messages; a prompt has up to {MOST_PARTS:,}")
    end = text.find("\n---", 3) if text.startswith("---") else 0
    if end > MOST_SETTINGS:
        raise PromptError(f"{end:,} characters of front matter; use up to {MOST_SETTINGS:,}")


def _require_finite(value: Json) -> None:
    """Refuse numbers that JSON cannot say: a client would read other bytes than were registered."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{value} is no number that a program can hold; leave it out")
    inner = as_object(value)
    for item in (as_list(value) or ()) if inner is None else inner.values():
        _require_finite(item)


async def _parent(store: Store, name: str, reference: str | None) -> PromptVersion | None:
    if await store.newest_versions(name, limit=1):
        return await resolve_version(store, name, reference or "latest")
    if reference is not None:
        raise NotFound(f"no version of '{name}' is registered, so none can be its parent")
    return None


def _by_hand(
    name: str, program: Program, parent: PromptVersion | None, *, author: str, message: str
) -> PromptVersion:
    return PromptVersion(
        name=name,
        number=0,
        digest=program.id,
        program=program,
        author=author,
        parent=None if parent is None else parent.number,
        hypothesis=message,
        status="seed" if parent is None else "manual",
    )


async def _add(store: Store, version: PromptVersion) -> Registered:
    known = {item.digest for item in await store.versions(version.name)}
    return Registered(await store.add_version(version), version.digest not in known)


def _with_prompt(program: Program, path: Path, step: str | None) -> Program:
    name = step or (program.steps[0].name if len(program.steps) == 1 else "")
    if not name:
        _ = program.prompt  # says that a step must be named, and which there are
    _ = program.step(name)
    return _with_step(program, Step(name=name, prompt=read_prompt(path)))


def _with_step(program: Program, changed: Step) -> Program:
    _ = program.step(changed.name)
    steps = tuple(changed if item.name == changed.name else item for item in program.steps)
    # Not a copy with other steps: that would keep the id that was computed of the old ones.
    return Program(steps=steps, workflow=program.workflow)
