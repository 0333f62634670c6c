"""The commands of `promptyard canary` that let rollouts decide, and that decide again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from promptyard.cli.canary_options import AsExitCode, PointerName, RolloutName, Spool
from promptyard.cli.draw import console, print_json, progress_sink
from promptyard.cli.options import AsJson, StoreUrl
from promptyard.cli.prompts_moves import warn_of
from promptyard.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptyard.line.rollout_engine import Looked, Ticked
    from promptyard.records.rollouts import RolloutRecord

OptionalName = Annotated[
    str | None,
    typer.Argument(
        help="The prompt's name, or a rollout's id; default: all that have not ended.",
        show_default=False,
    ),
]
GOES_ON, ENDED_BADLY = 3, 1


def tick_command(
    name: OptionalName = None,
    pointer: PointerName = None,
    spool: Spool = None,
    exit_code: AsExitCode = False,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Collect, look once, decide: promote, roll back, advance or hold.

    For a scheduler; `canary watch` does it again and again.
    """
    from promptyard.line.rollout_watch import tick
    from promptyard.line.sync import run_sync

    with progress_sink(quiet=as_json) as sink:
        ticked = run_sync(tick(store, name, pointer=pointer, spool=spool, on_progress=sink))
    if as_json:
        print_json(ticked.model_dump(mode="json"))
    else:
        for line in tick_lines(ticked):
            console().print(line, markup=False, soft_wrap=True)
    _leave(ticked, as_exit_code=exit_code)


def watch_command(
    name: OptionalName = None,
    pointer: PointerName = None,
    spool: Spool = None,
    every: Annotated[
        float, typer.Option(min=0.01, help="Seconds from one look to the next.")
    ] = 60.0,
    exit_code: AsExitCode = False,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Tick again and again until the rollout has ended. May be killed and started again.

    Without a name every rollout is watched, those that start later included.
    """
    from promptyard.line.rollout_watch import watch
    from promptyard.line.sync import run_sync

    out = console()
    said: list[str] = []

    def on_tick(ticked: Ticked) -> None:
        if as_json:
            sys.stdout.write(ticked.model_dump_json() + "\n")
            sys.stdout.flush()
            return
        lines = list(tick_lines(ticked))
        if ticked.trouble:
            lines.insert(0, f"trouble, tried again: {ticked.trouble}")
        if lines != said:  # while nothing changes nothing is said
            said[:] = lines
            for line in lines:
                out.print(line, markup=False, soft_wrap=True)
        if ticked.publication is not None:
            warn_of(ticked.publication)

    work = watch(store, name, pointer=pointer, spool=spool, every_s=every, on_tick=on_tick)
    _leave(run_sync(work), as_exit_code=exit_code, warned=True)


def replay_command(
    name: RolloutName,
    pointer: PointerName = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Decide a rollout again from its stored events: 0 when all decisions are the same, else 1."""
    from promptyard.line.rollout_engine import replay_in_short
    from promptyard.line.sync import run_sync
    from promptyard.reports.figures import counted

    found = run_sync(replay_in_short(store, name, pointer=pointer))
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        out = console()
        n_same = found.n_decisions - len(found.different) - found.n_by_hand
        out.print(
            f"Rollout {found.rollout_id}: {counted(n_same, 'decision')} of the engine came out "
            f"the same, {len(found.different):,} otherwise; by people: {found.n_by_hand:,}",
            style="bold green" if found.equal else "bold red",
            markup=False,
            soft_wrap=True,
        )
        for item in found.different:
            out.print(
                f"  {item.seq}: stored {item.action}, again {item.again or 'none'}; differs in "
                f"{', '.join(item.fields[:6])}",
                markup=False,
                soft_wrap=True,
            )
    if not found.equal:
        raise typer.Exit(1)


def tick_lines(ticked: Ticked) -> Sequence[str]:
    """Say what a tick did, a line each."""
    from promptyard.reports.figures import moment
    from promptyard.reports.rollout import unjoined_text

    lines: list[str] = []
    found = ticked.collected
    if found is not None and (found.n_new or found.n_rejected or found.errors):
        rejected = f", {found.n_rejected:,} lines rejected" if found.n_rejected else ""
        lines.append(f"{found.n_new:,} new events collected{rejected}")
        lines += [f"not collected: {error}" for error in found.errors]
        if found.n_unjoined:
            lines.append(unjoined_text(found.n_unjoined))
    for looked in ticked.looks:
        last = looked.record.last
        where = f"{looked.record.rollout.prompt}, rollout {looked.record.rollout.id}"
        if looked.damaged:
            lines.append(f"{where}: not looked at: {looked.damaged}")
        elif looked.blocked:
            lines.append(f"{where}: would be promoted, but {looked.blocked}")
        elif looked.decision is not None:
            words = last.action.replace("_", " ")
            lines.append(f"{moment(last.at)} {where}: {words}. {last.sentence}")
        else:
            lines.append(f"{where}: nothing new; {last.state.replace('_', ' ')}")
    if not ticked.looks and not ticked.trouble:
        lines.append("no rollout is running; `promptyard canary start` begins one")
    return lines


def exit_code_of(records: Sequence[RolloutRecord]) -> int:
    """Return 1 where one ended badly, 3 while one goes on, else 0."""
    if any(item.last.state in {"rolled_back", "aborted"} for item in records):
        return ENDED_BADLY
    return GOES_ON if any(item.is_active for item in records) else 0


def _leave(ticked: Ticked, *, as_exit_code: bool, warned: bool = False) -> None:
    if ticked.publication is not None and not warned:
        warn_of(ticked.publication)
    damaged: list[Looked] = [item for item in ticked.looks if item.damaged]
    if damaged:
        raise StorageError(damaged[0].damaged)
    if ticked.trouble and not warned:
        raise StorageError(ticked.trouble)
    if as_exit_code:
        raise typer.Exit(exit_code_of([item.record for item in ticked.looks]))
