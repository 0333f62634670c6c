"""`promptyard traces`: what live traffic left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptyard.cli import traces_prune, traces_triage
from promptyard.cli.draw import console, print_json, progress_sink
from promptyard.cli.options import AsJson, StoreUrl

app = typer.Typer(no_args_is_help=True, help="Take in what live traffic left behind.")
app.command("prune")(traces_prune.command)
app.command("triage")(traces_triage.command)


@app.command("collect")
def collect_command(
    folder: Annotated[
        Path,
        typer.Argument(help="The spool: the client's folder `record_to`.", show_default=False),
    ],
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Store the events of a spool, each once, and remove the segments that are stored.

    Lines that are no events are kept in the spool's folder `rejected`, with the reason.
    """
    from promptyard.line.collect import collect_spool
    from promptyard.line.sync import run_sync
    from promptyard.reports.figures import counted
    from promptyard.reports.rollout import unjoined_text

    with progress_sink(quiet=as_json) as sink:
        found = run_sync(collect_spool(store, folder, on_progress=sink))
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    out = console()
    out.print(
        f"{counted(found.n_new, 'event')} stored, {found.n_repeated:,} were there already; "
        f"{counted(found.n_removed, 'segment')} removed, {found.n_left:,} still open",
        markup=False,
    )
    if found.n_rejected:
        kinds = ", ".join(f"{kind} {n:,}" for kind, n in sorted(found.kinds.items()))
        out.print(
            f"{counted(found.n_rejected, 'line')} rejected ({kinds}): see {folder / 'rejected'}",
            style="yellow",
            markup=False,
        )
    if found.n_unjoined:
        out.print(unjoined_text(found.n_unjoined), style="yellow", markup=False)
    for error in found.errors:
        out.print(f"not read: {error}", style="yellow", markup=False)
