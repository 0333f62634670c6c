"""`promptyard runs`: list and show runs."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from promptyard.cli.draw import console, print_json, table
from promptyard.cli.options import AsJson, StoreUrl
from promptyard.errors import ConfigError


class CallerRole(StrEnum):
    """Whose requests are shown."""

    optimizer = "optimizer"
    judge = "judge"
    task = "task"
    all = "all"


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
def show_command(  # noqa: PLR0917  (typer reads options from parameters)
    run_id: Annotated[
        str, typer.Argument(help="The run's id, or `last`, the last finished `optimize`.")
    ] = "last",
    report: Annotated[Path | None, typer.Option(help="Write the HTML report to this file.")] = None,
    events: Annotated[
        bool, typer.Option("--events", help="List what happened, one line an event.")
    ] = False,
    requests: Annotated[
        bool, typer.Option("--requests", help="Show what models were asked and answered.")
    ] = False,
    role: Annotated[
        CallerRole, typer.Option(help="Whose requests to show: task, optimizer, judge or all.")
    ] = CallerRole.optimizer,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="At most so many requests.")] = 20,
    offset: Annotated[int, typer.Option(min=0, help="Leave out so many requests first.")] = 0,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show what a run tried, decided and spent; or its events, or its requests."""
    if events and requests:
        raise ConfigError("--events and --requests are two views; give one of them")
    if events:
        _show_events(run_id, store, as_json=as_json)
        return
    if requests:
        _show_requests(run_id, store, role, (limit, offset), as_json=as_json)
        return
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


def _show_events(run_id: str, store: str | None, *, as_json: bool) -> None:
    from promptyard.line.run_log import run_events
    from promptyard.line.sync import run_sync
    from promptyard.reports.event_lines import event_line

    found = run_sync(run_events(store, run_id))
    if as_json:
        print_json([item.model_dump(mode="json") for item in found])
        return
    for item in found:
        line = f"{item.seq:>5}  {item.at[11:19]}  {item.event.kind:<10}  {event_line(item.event)}"
        sys.stdout.write(line + "\n")


def _show_requests(
    run_id: str, store: str | None, role: CallerRole, page: tuple[int, int], *, as_json: bool
) -> None:
    from promptyard.line.run_log import run_calls
    from promptyard.line.sync import run_sync
    from promptyard.reports.plain import sayable
    from promptyard.reports.request_text import request_text

    limit, offset = page
    wanted = None if role is CallerRole.all else role.value
    # One more than is shown tells whether there is a next page.
    found = run_sync(run_calls(store, run_id, wanted, limit=limit + 1, offset=offset))
    more = len(found) > limit
    found = found[:limit]
    if as_json:
        calls = [sayable(item.model_dump(mode="json")) for item in found]
        print_json({"requests": calls, "next_offset": offset + limit if more else None})
        return
    for number, item in enumerate(found, offset + 1):
        sys.stdout.write(request_text(number, item))
    if not found:
        what = "request" if wanted is None else f"request to the {wanted} model"
        sys.stdout.write(f"no {what} was sent by this run{' beyond these' if offset else ''}\n")
    if more:
        sys.stdout.write(f"more: add --offset {offset + limit}\n")
