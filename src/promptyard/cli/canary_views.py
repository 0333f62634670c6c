"""The commands of `promptyard canary` that show: status, list, and what a plan comes to."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptyard.cli.canary_options import AsExitCode, PointerName, RolloutName
from promptyard.cli.canary_ticks import exit_code_of
from promptyard.cli.draw import console, print_json, table
from promptyard.cli.options import AsJson, StoreUrl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptyard.line.rollout_plan import PlannedRollout
    from promptyard.records.rollouts import RolloutPlan, RolloutRecord
    from promptyard.reports.rollout import GuardRow

PLOT_COLUMNS, MIN_PLOT_COLUMNS = 41, 21
LEAST, MOST = -2.0, 3.0
"""Ends of the plot, in margins towards harm."""

_STYLES = {"unharmed": "green", "harmed": "bold red", "open": "yellow", "no_data": "dim"}


def status_command(
    name: RolloutName,
    pointer: PointerName = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Also write a page with all plots to this file.")
    ] = None,
    exit_code: AsExitCode = False,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Explain how a rollout stands, what is shown so far, and what is still needed."""
    from promptyard.cli.optimize import write_text
    from promptyard.line.rollout_finding import show_rollout
    from promptyard.line.rollouts import utc_now
    from promptyard.line.sync import run_sync
    from promptyard.reports.rollout import rollout_paragraph

    full = html is not None
    record = run_sync(show_rollout(store, name, pointer=pointer, last_only=not full))
    now = utc_now()
    paragraph = rollout_paragraph(record, now=now, n_decisions=record.last.seq)
    if html is not None:
        from promptyard.reports.rollout_html import rollout_html

        write_text(rollout_html(record, now=now), html, "; name another file with --html")
    if as_json:
        print_json(
            {
                "rollout": record.rollout.model_dump(mode="json"),
                "last": record.last.model_dump(mode="json"),
                "left": None if record.left is None else record.left.model_dump(mode="json"),
                "sentence": paragraph,
            }
        )
    else:
        out = console()
        out.print(paragraph, markup=False)
        draw_guards(record)
        if html is not None:
            out.print(f"Page: {html}", markup=False, soft_wrap=True)
    if exit_code:
        raise typer.Exit(exit_code_of([record]))


def list_command(
    name: Annotated[
        str | None, typer.Argument(help="Only rollouts of this prompt.", show_default=False)
    ] = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """List rollouts, the newest last."""
    from promptyard.line.rollout_finding import list_rollouts
    from promptyard.line.sync import run_sync
    from promptyard.reports.figures import moment
    from promptyard.reports.rollout import outcome_words, share_words

    records = run_sync(list_rollouts(store, name))
    if as_json:
        print_json(
            [
                {
                    "rollout": item.rollout.model_dump(mode="json"),
                    "last": item.last.model_dump(mode="json"),
                    "left": None if item.left is None else item.left.model_dump(mode="json"),
                }
                for item in records
            ]
        )
        return
    if not records:
        console().print("there has been no rollout yet; `promptyard canary start` begins one")
        return
    rows = [
        (
            item.rollout.id,
            item.rollout.prompt,
            item.rollout.pointer,
            f"v{item.rollout.treatment} / v{item.rollout.control}",
            outcome_words(item.last.state, item.left),
            share_words(item.last.state, item.last.enrolled, item.left),
            moment(item.rollout.started_at),
        )
        for item in records
    ]
    columns = ("rollout", "prompt", "pointer", "new / old", "state", "share", "since")
    console().print(table("Rollouts", columns, rows, right=(5,)))


def draw_guards(record: RolloutRecord) -> None:
    """Draw every guard of the last decision with its interval against its margin."""
    from promptyard.reports.rollout import STATUS_WORDS, guard_rows
    from promptyard.reports.visible import visible

    rows = guard_rows(record.last)
    if not rows:
        return
    out = console()
    name_width = max(len(row.name) for row in rows)
    columns = min(PLOT_COLUMNS, max(MIN_PLOT_COLUMNS, out.width - name_width - 12))
    is_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    zero, margin = (_column(at, columns) for at in (0.0, 1.0))
    head = [" "] * columns
    head[zero], head[margin] = "0", "M"
    legend = "harm is to the right, M is the margin"
    if name_width + columns + 4 + len(legend) > out.width:
        legend = "M margin"
    out.print(
        f"{' ' * name_width}  {''.join(head)}  {legend}",
        markup=False,
        style="dim",
        soft_wrap=True,
    )
    for row in rows:
        status = f"{STATUS_WORDS[row.status]:8}"
        said = f"{row.difference} ({row.bounds}), margin {row.margin}"
        line = (
            f"{visible(row.name):{name_width}}  {plot_line(row, columns, utf8=is_utf8)}  {status}"
        )
        if len(line) + 2 + len(said) <= out.width or not out.is_terminal:
            line = f"{line}  {said}"
            said = ""
        out.print(line, markup=False, style=_STYLES[row.status], soft_wrap=True)
        if said:  # a narrow terminal
            indent = min(name_width + 2, max(2, out.width - len(said)))
            out.print(" " * indent + said, markup=False, style="dim", soft_wrap=True)


def plot_line(row: GuardRow, columns: int, *, utf8: bool) -> str:
    """Draw the interval of a guard in so many columns: no difference, the margin, both bounds."""
    line, dot, left, right, zero, margin = "─●├┤│┊" if utf8 else "-o[]|:"
    cells = [" "] * columns
    if row.low is not None or row.high is not None:
        low = 0 if row.low is None else _column(row.low, columns)
        high = columns - 1 if row.high is None else _column(row.high, columns)
        cells[low : high + 1] = [line] * (high + 1 - low)
        if row.low is not None and row.low >= LEAST:
            cells[low] = left
        if row.high is not None and row.high <= MOST:
            cells[high] = right
    for place, mark in ((_column(0.0, columns), zero), (_column(1.0, columns), margin)):
        if cells[place] in {" ", line}:
            cells[place] = mark
    if row.middle is not None:
        cells[_column(row.middle, columns)] = dot
    return "".join(cells)


def _column(value: float, columns: int) -> int:
    share = (min(max(value, LEAST), MOST) - LEAST) / (MOST - LEAST)
    return round(share * (columns - 1))


def show_planned(planned: PlannedRollout, plan: RolloutPlan, *, as_json: bool) -> None:
    """Say what a rollout will take: the slowest guard, and each of them."""
    from promptyard.reports.rollout import guard_amount, guard_name

    if as_json:
        print_json(
            {
                "mode": plan.mode,
                "subjects": planned.subjects,
                "days": planned.days,
                "in_time": planned.in_time,
                "sentence": planned.sentence,
                "guards": [
                    {
                        "dimension": item.dimension,
                        "margin": item.margin,
                        "split": item.split,
                        "shadow": item.shadow,
                        "to_detect": item.to_detect,
                    }
                    for item in planned.guards
                ],
            }
        )
        return
    rows: Sequence[tuple[str, ...]] = [
        (
            guard_name(item.dimension),
            guard_amount(item.dimension, item.margin).lstrip("+"),
            _count(item.split),
            _count(item.shadow),
            _count(item.to_detect),
        )
        for item in planned.guards
    ]
    out = console()
    out.print(planned.sentence, markup=False)
    columns = ("guard", "margin", "subjects an arm", "pairs in shadow", "an arm to detect harm")
    out.print(table("To show each guard unharmed", columns, rows, right=(1, 2, 3, 4)))


def _count(n: int | None) -> str:
    return "never" if n is None else f"{n:,}"
