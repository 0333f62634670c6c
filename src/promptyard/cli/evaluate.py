"""`promptyard eval`: measure a prompt on one split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptyard.cli.draw import console, print_json, progress_sink, table
from promptyard.cli.optimize import task_folder
from promptyard.cli.options import AsJson, BaseUrl, Force, Model, StoreUrl, TaskPath

if TYPE_CHECKING:
    from promptyard.records.scores import Report


def command(
    task: TaskPath = Path(),
    split: Annotated[str, typer.Option(help="train, dev or holdout.")] = "dev",
    task_calls: Annotated[int | None, typer.Option(min=0, help="Most task calls.")] = None,
    model: Model = None,
    base_url: BaseUrl = None,
    store: StoreUrl = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Measure the task's prompt on one split.

    Score with interval and coverage, every dimension, failure buckets.
    """
    from promptyard.line.query import failure_buckets
    from promptyard.line.sync import evaluate
    from promptyard.line.task import Models, load_task
    from promptyard.line.wiring import store_address
    from promptyard.records.budget import Budget
    from promptyard.reports.plain import report_summary

    loaded = load_task(task, models=Models(task=model, base_url=base_url))
    url = store_address(store, task_folder(task))
    budget = Budget(task_calls=task_calls) if task_calls is not None else None
    with progress_sink(quiet=as_json) as sink:
        report = evaluate(
            loaded, split=split, budget=budget, store=url, force=force, on_progress=sink
        )
    buckets = failure_buckets(loaded, report)
    if as_json:
        print_json(report_summary(report, buckets=buckets))
        return
    draw_report(report)
    if buckets:
        rows = [(bucket.name, str(len(bucket.primary_ids))) for bucket in buckets[:12]]
        console().print(table("Failure buckets", ("bucket", "cases"), rows, right=(1,)))


def draw_report(report: Report) -> None:
    """Draw score, coverage, dimensions and failures of a report."""
    from promptyard.reports.figures import amount, percent

    out = console()
    rows: list[tuple[str, str, str, str]] = []
    for item in report.summaries:
        mean = amount(item.name, item.mean)
        spread = ""
        if item.interval is not None:
            spread = f"{percent(item.interval.low)} to {percent(item.interval.high)}"
        elif item.p50 is not None:
            p50, p95 = amount(item.name, item.p50), amount(item.name, item.p95)
            spread = f"p50 {p50}, p95 {p95}"
        rows.append((item.name, mean, spread, f"{item.n_cases:,}"))
    title = f"{report.split}: {len(report.trials):,} cases, coverage {percent(report.coverage)}"
    columns = ("dimension", "mean", "95 % interval, or spread", "cases")
    out.print(table(title, columns, rows, right=(1, 2, 3)))
    failures: dict[str, int] = {}
    for trial in report.trials:
        if trial.failure is not None:
            failures[trial.failure.kind] = failures.get(trial.failure.kind, 0) + 1
    if failures:
        said = ", ".join(f"{n} × {kind}" for kind, n in sorted(failures.items()))
        out.print(f"Not scored (counted, never zero): {said}", markup=False)
    if "macro_f1" in report.suite:
        out.print(f"macro-F1 {percent(report.suite['macro_f1'])}", markup=False)
