"""`promptyard demo`: the whole line on real data with the embedded model, from a fresh store."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from promptyard.cli.draw import console, progress_sink
from promptyard.cli.optimize import case_counts, show_run, write_report
from promptyard.cli.options import AsJson


def command(
    keep: Annotated[
        Path | None,
        typer.Option(help="Keep store, task and report in this folder.", file_okay=False),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the run.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run the whole line on real data with the embedded model.

    Which of 77 topics is a bank customer's message about? From an eval set to a gated,
    registered prompt, in a fresh store.
    """
    from promptyard.line.demo import demo_folder
    from promptyard.line.sync import optimize
    from promptyard.line.task import load_task

    folder = prepare(keep)
    with demo_folder() as source:
        if keep is not None:
            shutil.copytree(source, folder / "task")
        task = load_task(source)
    if not as_json:
        introduce(*case_counts(task.eval_set))
    store_path = folder / "store.db"
    with progress_sink(quiet=as_json) as sink:
        run = optimize(task, seed=seed, store=str(store_path), on_progress=sink)
    report_path = write_report(run, folder / "report.html")
    if keep is None:
        for left in folder.glob("store.db*"):
            left.unlink()
    show_run(
        run,
        case_counts(task.eval_set),
        report_path,
        as_json=as_json,
        next_steps=next_steps(run.header.task, run.version, keep),
    )


def prepare(keep: Path | None) -> Path:
    """Return an empty folder. Raises ConfigError when the one to keep holds something."""
    from promptyard.errors import ConfigError

    if keep is None:
        return Path(tempfile.mkdtemp(prefix="promptyard-demo-"))
    try:
        keep.mkdir(parents=True, exist_ok=True)
        occupied = any(keep.iterdir())
    except OSError as error:
        raise ConfigError(f"--keep {keep}: {error.strerror}; name a folder you can write") from None
    if occupied:
        raise ConfigError(f"--keep {keep}: the folder is not empty; name a new one")
    return keep


def introduce(n_cases: int, n_holdout: int) -> None:
    """Say what is about to happen, and what the embedded model is."""
    from promptyard.line.demo import EMBEDDED_NOTICE

    out = console(stderr=True)
    out.print(
        "Promptyard demo: which of 77 topics is a bank customer's message about?", style="bold"
    )
    out.print(
        f"{n_cases:,} real messages (Banking77, CC BY 4.0), {n_holdout:,} of them sealed until the "
        "decision.",
        markup=False,
    )
    out.print(f"{EMBEDDED_NOTICE}.", markup=False)


def next_steps(name: str, version: int | None, keep: Path | None) -> list[str]:
    """Say what a newcomer would do next, as commands."""
    if keep is None:
        return [
            "promptyard demo --keep demo            the same, and keeps store, task and report",
            "promptyard check YOUR-TASK             an own task: task.yaml, prompt.md, cases.jsonl",
            "promptyard optimize YOUR-TASK          the same line on it",
        ]
    store = keep / "store.db"
    return [
        f"promptyard prompts log {name} --store {store}",
        f"promptyard prompts promote {name} {version} --store {store}",
        f"promptyard optimize {keep / 'task'} --store {store}    after changing the task",
    ]
