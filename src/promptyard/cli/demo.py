"""`promptyard demo`: the whole line on real data with the embedded model, from a fresh store."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptyard.cli.draw import console, print_json, progress_sink
from promptyard.cli.optimize import INTERRUPTED, case_counts, show_run, write_report, write_text
from promptyard.cli.options import AsJson

if TYPE_CHECKING:
    from promptyard.line.release_demo import Release
    from promptyard.line.task import Task
    from promptyard.records.runs import Run

KEPT = (
    ("store.db", "runs, versions, pointers, live events and every decision"),
    ("task", "the task: task.yaml, prompt.md, cases.jsonl"),
    ("report.html", "the run that found the version"),
    ("rollout-v*.html", "both rollouts with their plots"),
    ("manifest.json", "what the application reads"),
    ("spool", "where it leaves its events; all have been collected"),
    ("damaged.md", "the prompt that was rolled back"),
)


def command(
    keep: Annotated[
        Path | None,
        typer.Option(help="Keep store, task and report in this folder.", file_okay=False),
    ] = None,
    release: Annotated[
        bool,
        typer.Option(
            "--release",
            help="Go on: release the winner on replayed live traffic, then a damaged version; on "
            "top of the demo that --keep holds, if there is one.",
        ),
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Seed of the run and of the traffic.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run the whole line on real data with the embedded model.

    Which of 77 topics is a bank customer's message about? From an eval set to a gated,
    registered prompt, in a fresh store; with --release up to live traffic.
    """
    if release and keep is not None and (keep / "store.db").is_file():
        folder = keep
        task, run = finished(folder, as_json=as_json)
    else:
        folder = prepare(keep)
        task, run = run_line(folder, seed, keep_task=release or keep is not None, quiet=as_json)
    report_path = write_report(run, folder / "report.html")
    counts = case_counts(task.eval_set)
    if not release:
        if keep is None:
            forget(folder)
        steps = next_steps(run.header.task, run.version, keep)
        show_run(run, counts, report_path, as_json=as_json, next_steps=steps)
        return
    if not as_json:
        show_run(run, counts, report_path, as_json=False, next_steps=[])
    _release(folder, task, run, report_path, seed=seed, is_kept=keep is not None, as_json=as_json)


def run_line(folder: Path, seed: int | None, *, keep_task: bool, quiet: bool) -> tuple[Task, Run]:
    """Run the line on the demo's task, with its store in `folder`."""
    from promptyard.line.demo import demo_folder
    from promptyard.line.sync import optimize
    from promptyard.line.task import load_task

    with demo_folder() as source:
        if keep_task:
            shutil.copytree(source, folder / "task")
        task = load_task(source)
    if not quiet:
        introduce(*case_counts(task.eval_set))
    with progress_sink(quiet=quiet) as sink:
        run = optimize(task, seed=seed, store=str(folder / "store.db"), on_progress=sink)
    return task, run


def finished(folder: Path, *, as_json: bool) -> tuple[Task, Run]:
    """Return the task and the run of a kept demo. Raises ConfigError where none is finished."""
    from promptyard.line.release_demo import finished_run
    from promptyard.line.sync import run_sync
    from promptyard.line.task import load_task

    run = run_sync(finished_run(folder))
    if not as_json:
        console(stderr=True).print(f"{folder} holds a finished run: going on from it.")
    return load_task(folder / "task"), run


def _release(
    folder: Path,
    task: Task,
    run: Run,
    report_path: Path,
    *,
    seed: int | None,
    is_kept: bool,
    as_json: bool,
) -> None:
    from promptyard.cli import demo_release
    from promptyard.line.release_demo import demo_plan, release_demo
    from promptyard.line.sync import run_sync
    from promptyard.reports.plain import run_summary

    n_cases, n_holdout = case_counts(task.eval_set)
    summary = run_summary(run, n_cases=n_cases, n_holdout=n_holdout, report_path=str(report_path))
    if run.version is None or run.best.id == run.baseline.id:
        if as_json:
            print_json({**summary, "release": None})
        else:
            said = "No version passed the gate, so there is nothing to release; try another --seed"
            console().print(f"\n{said}.", markup=False)
        return
    if not as_json:
        demo_release.introduce_release(n_holdout, demo_plan(folder / "task"))
    try:
        with demo_release.release_sink(quiet=as_json) as sink:
            released = run_sync(
                release_demo(
                    folder, run.version, seed=seed or 0, on_start=sink.start, on_moment=sink.moment
                )
            )
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: the same command with --keep goes on after the run\n")
        raise typer.Exit(INTERRUPTED) from None
    pages = write_pages(folder, released)
    if not is_kept:
        forget(folder)
    if as_json:
        print_json({**summary, "release": demo_release.release_json(released, pages)})
        return
    demo_release.draw_release(released, pages)
    out = console()
    if is_kept:
        out.print(f"\nKept in {folder}:", style="bold", markup=False)
        for name, what in KEPT:
            out.print(f"  {name:<16} {what}", markup=False)
    out.print("\nWhat to do next:", style="bold")
    for step in demo_release.release_steps(task.name, folder if is_kept else None):
        out.print(f"  {step}", markup=False, soft_wrap=True)


def write_pages(folder: Path, released: Release) -> list[Path]:
    """Write the page of each rollout and return their paths."""
    from promptyard.reports.rollout_html import rollout_html

    pages: list[Path] = []
    for story in (released.good, released.damaged):
        record = story.record
        path = folder / f"rollout-v{record.rollout.treatment}.html"
        pages.append(write_text(rollout_html(record, now=record.last.at), path))
    return pages


def forget(folder: Path) -> None:
    """Leave only the pages in the folder of a demo that is not kept."""
    for left in folder.iterdir():
        if left.suffix == ".html":
            continue
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()


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
        f"promptyard demo --release --keep {keep}    releases version {version} on live traffic",
        f"promptyard prompts log {name} --store {store}",
        f"promptyard prompts promote {name} {version} --store {store}",
        f"promptyard optimize {keep / 'task'} --store {store}    after changing the task",
    ]
