"""`promptyard optimize`: run the line on a task."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptyard.cli.draw import console, print_json, progress_sink
from promptyard.cli.options import (
    AsJson,
    BaseUrl,
    Force,
    JudgeModel,
    Model,
    OptimizerModel,
    StoreUrl,
    TaskPath,
)

if TYPE_CHECKING:
    from promptyard.line.task import Task
    from promptyard.records.budget import Budget
    from promptyard.records.cases import EvalSet
    from promptyard.records.runs import Run

INTERRUPTED = 130
GATE_EXITS = {"pass": 0, "fail": 1, "inconclusive": 3}


def command(  # noqa: PLR0917  (typer reads options from parameters)
    task: TaskPath = Path(),
    task_calls: Annotated[
        int | None, typer.Option(min=0, help="Most task calls, retries included.")
    ] = None,
    optimizer_calls: Annotated[
        int | None, typer.Option(min=0, help="Most calls to the optimizer model.")
    ] = None,
    judge_calls: Annotated[int | None, typer.Option(min=0, help="Most judge calls.")] = None,
    usd: Annotated[float | None, typer.Option(min=0, help="Most USD.")] = None,
    seconds: Annotated[float | None, typer.Option(min=1, help="Most seconds.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed instead of the task's own.")] = None,
    strategy: Annotated[str | None, typer.Option(help="Search policy.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Take up the task's last unfinished run.")
    ] = False,
    run_id: Annotated[str | None, typer.Option("--run", help="The run to resume.")] = None,
    model: Model = None,
    optimizer_model: OptimizerModel = None,
    judge_model: JudgeModel = None,
    base_url: BaseUrl = None,
    store: StoreUrl = None,
    report: Annotated[Path | None, typer.Option(help="Where to write the HTML report.")] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say what a run would take and show; spend nothing.")
    ] = False,
    gate: Annotated[
        bool, typer.Option("--gate", help="Exit 0 pass, 1 fail, 3 inconclusive.")
    ] = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Find a better prompt and prove it on the holdout.

    What passes the gate is registered as a version; pointers move only by `prompts promote`.
    """
    from promptyard.line.sync import optimize
    from promptyard.line.task import Models, load_task
    from promptyard.line.wiring import store_address

    models = Models(task=model, optimizer=optimizer_model, judge=judge_model, base_url=base_url)
    loaded = load_task(task, models=models)
    url = store_address(store, task_folder(task))
    given = {
        "task_calls": task_calls,
        "optimizer_calls": optimizer_calls,
        "judge_calls": judge_calls,
        "usd": usd,
        "seconds": seconds,
    }
    changed = {name: value for name, value in given.items() if value is not None}
    budget = loaded.budget.model_copy(update=changed) if changed else None
    if plan:
        _show_plan(loaded, strategy, budget, url, as_json=as_json)
        return
    try:
        with progress_sink(quiet=as_json) as sink:
            run = optimize(
                loaded,
                strategy=strategy,
                budget=budget,
                seed=seed,
                store=url,
                resume=run_id or resume,
                force=force,
                on_progress=sink,
            )
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: nothing stored is lost; add --resume to go on from here\n")
        raise typer.Exit(INTERRUPTED) from None
    path = write_report(run, report or default_report_path(url, run.id))
    counts = case_counts(loaded.eval_set)
    show_run(run, counts, path, as_json=as_json, next_steps=next_steps(run, url))
    if gate:
        raise typer.Exit(GATE_EXITS[run.verdict.status])


def _show_plan(
    task: Task, strategy: str | None, budget: Budget | None, url: str, *, as_json: bool
) -> None:
    from promptyard.line.forecast import plan_run
    from promptyard.line.sync import run_sync

    planned = run_sync(plan_run(task, strategy=strategy, budget=budget, store=url))
    if as_json:
        from promptyard.reports.plain import sayable

        print_json(sayable(planned.model_dump(mode="json")))
        return
    from promptyard.cli.plan import draw_plan

    draw_plan(console(), planned)


def task_folder(task: Path) -> Path:
    """Return the folder of a task given as folder or file."""
    return task if task.is_dir() else task.parent


def case_counts(eval_set: EvalSet) -> tuple[int, int]:
    """Return (all cases, holdout cases) of an eval set."""
    return len(eval_set.cases), len(eval_set.split("holdout"))


def show_run(
    run: Run,
    counts: tuple[int, int],
    report_path: Path,
    *,
    as_json: bool,
    next_steps: list[str],
) -> None:
    """Print a run's result: one JSON object, or the summary."""
    if as_json:
        from promptyard.reports.plain import run_summary

        print_json(
            run_summary(run, n_cases=counts[0], n_holdout=counts[1], report_path=str(report_path))
        )
        return
    from promptyard.cli.summary import draw_run

    draw_run(console(), run, report_path=str(report_path), next_steps=next_steps)


def default_report_path(store_url: str, run_id: str) -> Path:
    """Return where a run's report goes: beside a store file, else under .promptyard."""
    folder = Path(".promptyard") if "://" in store_url else Path(store_url).parent
    return folder / "reports" / f"{run_id}.html"


def write_report(run: Run, path: Path) -> Path:
    """Write a run's HTML report and return its absolute path. Raises ConfigError if it cannot."""
    from promptyard.reports.html import run_html

    elsewhere = f"; `promptyard runs show {run.id} --report PATH` writes the report elsewhere"
    return write_text(run_html(run), path, elsewhere)


def write_text(text: str, path: Path, advice: str = "") -> Path:
    """Write a file and return its absolute path. Raises ConfigError when it cannot."""
    from promptyard.errors import ConfigError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}{advice}") from None
    return path.resolve()


def next_steps(run: Run, store_url: str) -> list[str]:
    """Say what a user would do next, as commands."""
    from promptyard.line.prompt_log import version_lineage
    from promptyard.line.sync import run_sync

    name = run.header.task
    where = f" --store {store_url}"
    if run.best.id == run.baseline.id:
        return [
            "the report says what was tried and why it was dropped",
            "more or harder cases, another model, or a larger budget may change the outcome",
        ]
    line = run_sync(version_lineage(store_url, name, str(run.version)))
    return [
        f"promptyard prompts promote {name} {run.version}{where}",
        *(
            f"promptyard prompts diff {name} {item.number} {run.version}{where}"
            for item in line[1:2]
        ),
        f"promptyard prompts rollback {name}{where}    if live traffic disagrees",
    ]
