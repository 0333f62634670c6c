"""`promptyard prompts add`: register a prompt that a person wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptyard.cli.draw import console, print_json
from promptyard.cli.optimize import task_folder
from promptyard.cli.options import AsJson, StoreUrl, TaskPath
from promptyard.cli.person import present_user


def command(
    task: TaskPath = Path(),
    prompt: Annotated[
        Path | None, typer.Option(help="This prompt file instead of the task's own.")
    ] = None,
    step: Annotated[
        str | None, typer.Option(help="The step that the file is for, where there are several.")
    ] = None,
    parent: Annotated[
        str | None, typer.Option(help="The version it was made from; by default the newest.")
    ] = None,
    message: Annotated[
        str,
        typer.Option(
            "--message", "-m", help="What was changed, and why; `prompts lineage` shows it."
        ),
    ] = "",
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Register the task's prompt, or a file in its place, as a version. Costs no call.

    The same bytes again are the version that they are already.
    """
    from promptyard.line.registering import add_prompt
    from promptyard.line.sync import run_sync
    from promptyard.line.task import load_task
    from promptyard.line.wiring import store_address

    loaded = load_task(task)
    version, is_new = run_sync(
        add_prompt(
            store_address(store, task_folder(task)),
            loaded,
            prompt=prompt,
            step=step,
            author=present_user(),
            message=message,
            parent=parent,
        )
    )
    if as_json:
        print_json(version.model_dump(mode="json", exclude={"program"}))
        return
    out = console()
    said = f"{version.name} v{version.number} ({version.digest[:7]})"
    if not is_new:
        out.print(f"{said} has these bytes already; nothing was registered", markup=False)
        return
    above = "" if version.parent is None else f", made from v{version.parent}"
    out.print(f"registered {said}{above}", markup=False)
