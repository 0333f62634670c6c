"""`promptyard runs`: list and show runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptyard.cli.draw import console, print_json, table
from promptyard.cli.options import AsJson, StoreUrl

app = typer.Typer(no_args_is_help=True, help="List and show runs.")


@app.command("list")
def list_command(
    task: Annotated[str | None, typer.Option(help="Only runs of this task.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 20,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first."""
    from promptyard.line.query import list_runs
    from promptyard.line.sync import run_sync

    rows = run_sync(list_runs(store, task, limit))
    if as_json:
        print_json([dict(row) for row in rows])
        return
    if not rows:
        none = "no run is in this store yet"
        if task is not None:
            none = f"no run of '{task}' is in this store; without --task those of all are listed"
        console().print(none, markup=False)
        return
    cells = [
        (str(row["id"]), str(row["task"]), str(row["status"]), str(row["sentence"] or ""))
        for row in rows
    ]
    console().print(table("Runs", ("run", "task", "status", "verdict"), cells))


@app.command("show")
def show_command(
    run_id: Annotated[str, typer.Argument(help="The run's id, or `last`.")] = "last",
    report: Annotated[Path | None, typer.Option(help="Write the HTML report to this file.")] = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show what a run tried, decided and spent."""
    from promptyard.cli.optimize import write_report
    from promptyard.cli.summary import draw_run
    from promptyard.line.query import show_run
    from promptyard.line.sync import run_sync

    run = run_sync(show_run(store, run_id))
    path = str(write_report(run, report)) if report else None
    if as_json:
        print_json(run.model_dump(mode="json"))
        return
    draw_run(console(), run, report_path=path, next_steps=[])
