"""`promptyard eval`: measure a prompt on a split or all cases, alone or beside another."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptyard.cli.draw import console, print_json, progress_sink
from promptyard.cli.optimize import GATE_EXITS, INTERRUPTED, default_report_path, task_folder
from promptyard.cli.options import AsJson, BaseUrl, Force, JudgeModel, Model, StoreUrl, TaskPath

if TYPE_CHECKING:
    from promptyard.line.task import Task
    from promptyard.records.evaluations import Evaluation
    from promptyard.reports.evaluation import EvaluationView


def command(  # noqa: PLR0917  (typer reads options from parameters)
    task: TaskPath = Path(),
    split: Annotated[str, typer.Option(help="train, dev, holdout, or all: every case.")] = "dev",
    repeat: Annotated[
        int, typer.Option(help="Replicates of each case, 1 or more; their mean counts.")
    ] = 1,
    filter_failing: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Only the cases that failed in that eval: its id, or `last`, the last eval of all "
            "cases of the split.",
        ),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(
            metavar="RUN|VERSION",
            help="Compare on the same cases with an eval (its id, or `last`, the last eval of all "
            "cases of the split) or a registered version (number, pointer, `latest`).",
        ),
    ] = None,
    aa: Annotated[
        bool, typer.Option("--aa", help="Compare the prompt with itself, run a second time.")
    ] = False,
    gate: Annotated[
        bool,
        typer.Option(
            "--gate",
            help="Exit 0 pass, 1 fail, 3 inconclusive; compares with production by default.",
        ),
    ] = False,
    task_calls: Annotated[int | None, typer.Option(min=0, help="Most task calls.")] = None,
    judge_calls: Annotated[int | None, typer.Option(min=0, help="Most judge calls.")] = None,
    model: Model = None,
    judge_model: JudgeModel = None,
    base_url: BaseUrl = None,
    store: StoreUrl = None,
    report: Annotated[Path | None, typer.Option(help="Where to write the HTML report.")] = None,
    junit: Annotated[
        Path | None, typer.Option(help="Where to write JUnit XML for a CI system.")
    ] = None,
    spans: Annotated[
        bool,
        typer.Option("--spans", help="Send every trial as spans to OTEL_EXPORTER_OTLP_ENDPOINT."),
    ] = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Measure the task's prompt on one split, or on all cases.

    Score with interval and coverage, every dimension and check, slices, failure buckets, and what
    changed against another run or version.
    """
    from promptyard.errors import ConfigError
    from promptyard.line.evaluation_plan import EvaluationPlan
    from promptyard.line.evaluation_seen import view_of
    from promptyard.line.sync import run_evaluation
    from promptyard.line.task import Models, load_task
    from promptyard.line.wiring import store_address
    from promptyard.records.budget import Budget

    if aa and compare is not None:
        raise ConfigError("--aa compares the prompt with itself; leave --compare out")
    loaded = load_task(task, models=Models(task=model, judge=judge_model, base_url=base_url))
    url = store_address(store, task_folder(task))
    limited = task_calls is not None or judge_calls is not None
    budget = Budget(task_calls=task_calls, judge_calls=judge_calls) if limited else None
    plan = EvaluationPlan(
        split=split,
        n_repeats=repeat,
        only_failing_of=filter_failing,
        compare=compare,
        itself=aa,
        against_production=gate and compare is None and not aa,
        spans=spans,
    )
    try:
        with progress_sink(quiet=as_json) as sink:
            evaluation = run_evaluation(
                loaded, plan, budget=budget, store=url, force=force, on_progress=sink
            )
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: what was answered is stored; run the command again\n")
        raise typer.Exit(INTERRUPTED) from None
    view = view_of(loaded, evaluation)
    path = write_page(view, report or default_report_path(url, evaluation.run_id))
    junit_path = None if junit is None else str(write_junit(loaded, evaluation, junit))
    if as_json:
        from promptyard.reports.evaluation import evaluation_data

        written = {"report_path": str(path), "junit_path": junit_path}
        print_json(evaluation_data(view) | written)
    else:
        from promptyard.cli.evaluation import draw_evaluation

        draw_evaluation(console(), view, report_path=str(path), junit_path=junit_path)
    if gate and evaluation.verdict is not None:
        raise typer.Exit(GATE_EXITS[evaluation.verdict.status])


def write_junit(task: Task, evaluation: Evaluation, path: Path) -> Path:
    """Write the report as JUnit XML and return its absolute path.

    Raises ConfigError when it cannot.
    """
    from promptyard.cli.optimize import write_text
    from promptyard.reports.junit import report_junit

    report = evaluation.report
    text = report_junit(report, task.eval_set.cases, name=task.name)
    return write_text(text, path, "; name another file with --junit")


def write_page(view: EvaluationView, path: Path) -> Path:
    """Write the HTML report and return its absolute path. Raises ConfigError when it cannot."""
    from promptyard.cli.optimize import write_text
    from promptyard.reports.evaluation_html import evaluation_html

    return write_text(evaluation_html(view), path, "; name another file with --report")
