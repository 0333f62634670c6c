"""`promptyard traces prune`: deletes what is too old; totals of traffic by hours stay."""

from __future__ import annotations

from typing import Annotated

import typer

from promptyard.cli.draw import console, print_json
from promptyard.cli.options import AsJson, StoreUrl
from promptyard.cli.person import Actor, acting

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")]


def command(
    dry_run: DryRun = False, actor: Actor = None, store: StoreUrl = None, as_json: AsJson = False
) -> None:
    """Delete spans and outcomes that are too old or too many; what they came to stays, by hours.

    Then jobs that ended long ago, and old entries of the audit log, where it is logged. How long is
    in promptyard.yaml under `service: retention:`. Events of a rollout stay as long as it can be
    replayed, and all that was sent within the last hour. A service does this by itself.
    """
    from promptyard.line.retention import prune
    from promptyard.line.sync import run_sync
    from promptyard.line.wiring import project_config
    from promptyard.reports.figures import counted

    kept = project_config().service.retention
    found = run_sync(prune(store, kept, dry_run=dry_run, actor=acting(actor)))
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    out = console()
    verb = "would be deleted" if dry_run else "deleted"
    parts = (
        counted(found.n_spans, "span"),
        counted(found.n_outcomes, "outcome"),
        counted(found.n_exposures, "exposure"),
        f"{found.n_feedback:,} feedback",
        counted(found.n_jobs, "job"),
        f"{found.n_audit:,} of the audit log",
    )
    out.print(f"{', '.join(parts)} {verb}", markup=False)
    if found.kept_rollouts:
        kept = counted(found.kept_rollouts, "rollout")
        out.print(f"the events of {kept} stay: they can still be replayed", markup=False)
    if found.n_damaged:
        text = f"{counted(found.n_damaged, 'event')} cannot be read and stay"
        out.print(text, style="yellow", markup=False)
