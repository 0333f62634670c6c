"""`promptyard canary score`: grade live answers by the task's checks and, a sample, its judges."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptyard.cli.draw import console, print_json, progress_sink
from promptyard.cli.options import AsJson, BaseUrl, JudgeModel, StoreUrl, TaskPath

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptyard.line.live_scores import LiveScored


def score_command(  # noqa: PLR0917 (typer reads options from parameters)
    task: TaskPath = Path(),
    rollout: Annotated[
        str | None, typer.Option(help="A rollout's id; default: the one that is running.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All outcomes of the prompt, in a rollout or not.")
    ] = False,
    judge_share: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Share of the outcomes that judges are asked about."),
    ] = None,
    judge_calls: Annotated[int | None, typer.Option(min=0, help="Most judge calls.")] = None,
    judge_model: JudgeModel = None,
    base_url: BaseUrl = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Grade stored answers of live traffic that have not been graded yet.

    Checks grade all of them, judges a sample drawn by hash, the same in both arms. Needs content:
    the client's `content=True`. Without judges no model is needed.
    """
    from promptyard.line.live_scores import LivePlan, score_live
    from promptyard.line.sync import run_sync
    from promptyard.line.task import Models

    plan = LivePlan(
        rollout=rollout, everything=everything, judge_share=judge_share, judge_calls=judge_calls
    )
    models = Models(judge=judge_model, base_url=base_url)
    with progress_sink(quiet=as_json) as sink:
        found = run_sync(score_live(task, plan, store=store, models=models, on_progress=sink))
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    out = console()
    for line in score_lines(found):
        out.print(line, markup=False, soft_wrap=True)


def score_lines(found: LiveScored) -> Sequence[str]:
    """Say what a grading did, a line each."""
    from promptyard.reports.figures import counted

    where = f"rollout {found.rollout_id}" if found.rollout_id else "all outcomes"
    lines = [
        f"{where}: {counted(found.n_checked, 'answer')} graded by checks, {found.n_judged:,} by "
        f"judges in {counted(found.judge_calls, 'call')}; {found.n_before:,} had been graded"
    ]
    for n, why in (
        (found.n_without_content, "recorded without an output: the client's `content=True` has it"),
        (found.n_foreign, "of a version that is not registered here"),
        (found.n_unmeasured, "not graded by any check: none could grade without an expected value"),
    ):
        if n:
            lines.append(f"{n:,} {why}")
    if found.stopped:
        lines.append(f"judging stopped: {found.stopped}; it goes on from there next time")
    return lines
